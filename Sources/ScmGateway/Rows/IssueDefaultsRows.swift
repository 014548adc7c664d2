import ScmAPI
import SiloRPC
import Storage

/// The statements on what the last issue of a project was made with.
enum IssueDefaultsRows {
    /// Projects of one organization and tracker; the one that was used longest ago goes first.
    static let maximumCount: Int64 = 1000

    static func find(
        projectID: Int64, integrationID: Int64, organizationID: Int64, _ transaction: ReadTransaction
    ) throws -> IssueDefaults? {
        try transaction.row(
            """
            SELECT project_id, container, extra FROM issue_defaults
            WHERE organization_id = ? AND integration_id = ? AND project_id = ?
            """,
            [.integer(organizationID), .integer(integrationID), .integer(projectID)]
        ).map(IssueDefaults.init)
    }

    /// By project.
    static func list(
        integrationID: Int64, organizationID: Int64, _ transaction: ReadTransaction
    ) throws -> [IssueDefaults] {
        try transaction.rows(
            """
            SELECT project_id, container, extra FROM issue_defaults
            WHERE organization_id = ? AND integration_id = ? ORDER BY project_id LIMIT ?
            """,
            [.integer(organizationID), .integer(integrationID), .integer(maximumCount)]
        ).map(IssueDefaults.init)
    }

    static func store(
        _ defaults: IssueDefaults, integrationID: Int64, organizationID: Int64, _ transaction: WriteTransaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO issue_defaults (organization_id, integration_id, project_id, container, extra, used_at)
            VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (organization_id, integration_id, project_id) DO UPDATE
                SET container = excluded.container, extra = excluded.extra, used_at = excluded.used_at
            """,
            [
                .integer(organizationID), .integer(integrationID), .integer(defaults.projectID),
                .text(defaults.project), .text(ConfigText.encode(defaults.extra)), .integer(EpochTime.now),
            ]
        )
        try transaction.execute(
            """
            DELETE FROM issue_defaults WHERE rowid IN (
                SELECT rowid FROM issue_defaults WHERE organization_id = ? AND integration_id = ?
                ORDER BY used_at DESC, rowid DESC LIMIT -1 OFFSET ?
            )
            """,
            [.integer(organizationID), .integer(integrationID), .integer(maximumCount)]
        )
    }
}

extension IssueDefaults {
    fileprivate init(_ row: SQLRow) throws {
        self.init(
            projectID: try row.integer("project_id"), project: try row.text("container"),
            extra: ConfigText.decode(try row.text("extra"))
        )
    }
}
