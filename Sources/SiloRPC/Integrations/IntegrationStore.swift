import Storage

/// Control's rows of integrations and installations.
public struct IntegrationStore: IntegrationService, InstallationService {
    /// Longest configuration of an integration, in bytes.
    public static let maximumConfigByteCount = 64 * 1024
    /// Most rows of ``list(organizationID:provider:)``.
    public static let maximumListCount = 1000

    private let database: Database

    public init(_ database: Database) {
        self.database = database
    }

    // MARK: - IntegrationService

    /// - Throws: ``SiloError`` for a value that is too long or empty, `StorageError`.
    public func upsert(
        provider: String, externalID: String, name: String, config: String
    ) async throws -> IntegrationRecord {
        try Self.check(provider, "provider", 1...64)
        try Self.check(externalID, "external_id", 1...256)
        try Self.check(name, "name", 0...256)
        try Self.check(config, "config", 0...Self.maximumConfigByteCount)
        let row = try await database.write { transaction in
            try transaction.row(
                """
                INSERT INTO integrations (provider, external_id, name, config, created_at) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (provider, external_id) DO UPDATE SET name = excluded.name, config = excluded.config
                RETURNING *
                """,
                [.text(provider), .text(externalID), .text(name), .text(config), .integer(EpochTime.now)])
        }
        guard let row else { throw SiloError.invalid("the integration was not stored") }
        return try IntegrationRecord(row: row, id: "id")
    }

    public func get(integrationID: Int64) async throws -> IntegrationRecord? {
        try await database.read { transaction in
            try transaction.row("SELECT * FROM integrations WHERE id = ?", [.integer(integrationID)])
                .map { try IntegrationRecord(row: $0, id: "id") }
        }
    }

    public func remove(integrationID: Int64) async throws {
        try await database.write { transaction in
            try transaction.execute("DELETE FROM installations WHERE integration_id = ?", [.integer(integrationID)])
            try transaction.execute("DELETE FROM integrations WHERE id = ?", [.integer(integrationID)])
        }
    }

    // MARK: - InstallationService

    /// - Throws: ``SiloError`` when the organization or the integration does not exist, `StorageError`.
    public func install(organizationID: Int64, integrationID: Int64) async throws -> InstallationRecord {
        do {
            let row = try await database.write { transaction in
                try transaction.execute(
                    """
                    INSERT INTO installations (organization_id, integration_id, created_at) VALUES (?, ?, ?)
                    ON CONFLICT (organization_id, integration_id) DO NOTHING
                    """,
                    [.integer(organizationID), .integer(integrationID), .integer(EpochTime.now)])
                return try transaction.row(
                    Self.selection + " WHERE s.organization_id = ? AND s.integration_id = ?",
                    [.integer(organizationID), .integer(integrationID)])
            }
            guard let row else { throw SiloError.invalid("the installation was not stored") }
            return try InstallationRecord(row: row)
        } catch let error as StorageError where error.isConstraintViolation {
            throw SiloError.notFound("there is no organization \(organizationID), or no integration \(integrationID)")
        }
    }

    public func uninstall(organizationID: Int64, installationID: Int64) async throws {
        try await database.write { transaction in
            _ = try transaction.execute(
                "DELETE FROM installations WHERE id = ? AND organization_id = ?",
                [.integer(installationID), .integer(organizationID)])
        }
    }

    public func list(organizationID: Int64, provider: String) async throws -> [InstallationRecord] {
        try await database.read { transaction in
            try transaction.rows(
                Self.selection + " WHERE s.organization_id = ? AND (? = '' OR i.provider = ?) ORDER BY s.id LIMIT ?",
                [.integer(organizationID), .text(provider), .text(provider), .integer(Int64(Self.maximumListCount))]
            ).map(InstallationRecord.init(row:))
        }
    }

    private static let selection = """
        SELECT s.id, s.organization_id, s.created_at AS installed_at, i.id AS integration_id, i.provider, i.external_id,
            i.name, i.config
        FROM installations s JOIN integrations i ON i.id = s.integration_id
        """

    private static func check(_ text: String, _ field: String, _ range: ClosedRange<Int>) throws(SiloError) {
        guard range.contains(text.utf8.count) else {
            throw .invalid("\(field) has \(range.lowerBound) to \(range.upperBound) bytes, not \(text.utf8.count)")
        }
    }
}

extension IntegrationRecord {
    init(row: SQLRow, id: String) throws {
        self.init(
            integrationID: try row.integer(id), provider: try row.text("provider"),
            externalID: try row.text("external_id"), name: try row.text("name"), config: try row.text("config"))
    }
}

extension InstallationRecord {
    init(row: SQLRow) throws {
        self.init(
            installationID: try row.integer("id"), organizationID: try row.integer("organization_id"),
            integration: try IntegrationRecord(row: row, id: "integration_id"),
            createdAt: try row.integer("installed_at"))
    }
}
