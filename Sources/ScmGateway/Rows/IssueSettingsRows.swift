import FrameCodec
import RPC
import ScmAPI
import SiloRPC
import Storage

/// The statements on the settings of trackers.
enum IssueSettingsRows {
    /// The standard ones without a row.
    static func find(
        integrationID: Int64, organizationID: Int64, _ transaction: ReadTransaction
    ) throws -> IssueSyncSettings {
        let row = try transaction.row(
            "SELECT content, updated_at FROM issue_settings WHERE organization_id = ? AND integration_id = ?",
            [.integer(organizationID), .integer(integrationID)]
        )
        guard let row else { return IssueSyncSettings() }
        guard let message = try? IssueSettings(serializedBytes: try row.blob("content")) else {
            throw RPCError(.internalError, "a stored row is not what this version expects")
        }
        return IssueSyncSettings(message, updatedAt: try row.integer("updated_at"))
    }

    /// As callers see them.
    static func message(
        integrationID: Int64, organizationID: Int64, _ transaction: ReadTransaction
    ) throws -> IssueSettings {
        var message = try find(integrationID: integrationID, organizationID: organizationID, transaction)
            .message(integrationID: integrationID, organizationID: organizationID)
        message.issueDefaults = try IssueDefaultsRows.list(
            integrationID: integrationID, organizationID: organizationID, transaction
        )
        return message
    }

    static func store(
        _ settings: IssueSyncSettings, integrationID: Int64, organizationID: Int64, _ transaction: WriteTransaction
    ) throws {
        let content = settings.message(integrationID: integrationID, organizationID: organizationID)
        try transaction.execute(
            """
            INSERT INTO issue_settings (organization_id, integration_id, content, updated_at) VALUES (?, ?, ?, ?)
            ON CONFLICT (organization_id, integration_id) DO UPDATE
                SET content = excluded.content, updated_at = excluded.updated_at
            """,
            [
                .integer(organizationID), .integer(integrationID), .blob(content.serializedBytes()),
                .integer(settings.updatedAt),
            ]
        )
    }
}
