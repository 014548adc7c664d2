import SiloRPC
import Storage

/// An imported code owners file, with its mapping.
struct StoredCodeOwners: Sendable {
    let id: Int64
    let mapping: StoredCodeMapping
    /// Number of `CodeOwnersDialect`.
    let dialect: Int64
    let raw: String
    /// At which the repository's file was last looked at; nil for a text that a caller gave.
    let sourceCommit: ObjectID?
    /// Milliseconds since 1970 UTC.
    let createdAt: Int64
    /// Of the import, or of the last change of the file that it follows.
    let updatedAt: Int64

    init(_ row: SQLRow) throws {
        id = try row.integer("owners_id")
        mapping = try StoredCodeMapping(row)
        dialect = try row.integer("dialect")
        raw = try row.text("raw")
        sourceCommit = ObjectID(try row.text("source_commit"))
        createdAt = try row.integer("owners_created_at")
        updatedAt = max(try row.integer("owners_updated_at"), try row.integer("followed_at"))
    }
}

/// The statements on the table of code owners imports.
enum CodeOwnersRows {
    private static func select(raw: String) -> String {
        """
        SELECT code_mappings.*, repositories.name AS repository_name, code_owners.id AS owners_id,
            code_owners.dialect AS dialect, \(raw) AS raw, code_owners.created_at AS owners_created_at,
            code_owners.updated_at AS owners_updated_at, source_commit, followed_at
        FROM code_owners JOIN code_mappings ON code_mappings.id = code_owners.code_mapping_id
            JOIN repositories ON repositories.id = code_mappings.repository_id
        """
    }

    /// Replaces an earlier import of the mapping.
    static func store(
        mappingID: Int64, organizationID: Int64, dialect: Int64, raw: String, sourceCommit: ObjectID?,
        _ transaction: WriteTransaction
    ) throws -> StoredCodeOwners? {
        let now = EpochTime.now
        try transaction.execute(
            """
            INSERT INTO code_owners (
                organization_id, code_mapping_id, dialect, raw, source_commit, created_at, updated_at
            )
            VALUES (?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (code_mapping_id) DO UPDATE SET dialect = excluded.dialect, raw = excluded.raw,
                source_commit = excluded.source_commit, updated_at = excluded.updated_at
            """,
            [
                .integer(organizationID), .integer(mappingID), .integer(dialect), .text(raw),
                .text(sourceCommit?.hex ?? ""), .integer(now), .integer(now),
            ]
        )
        return try transaction.row(
            "\(select(raw: "code_owners.raw")) WHERE code_mapping_id = ? AND code_owners.organization_id = ?",
            [.integer(mappingID), .integer(organizationID)]
        ).map(StoredCodeOwners.init)
    }

    /// Notes what the followed file is at a later commit, unless somebody has imported another text meanwhile. The
    /// import keeps its place among those of its project.
    static func follow(_ old: StoredCodeOwners, raw: String, at commit: ObjectID, _ transaction: WriteTransaction)
        throws
    {
        let isChanged = raw != old.raw
        try transaction.execute(
            """
            UPDATE code_owners SET raw = ?, source_commit = ?, followed_at = CASE WHEN ? THEN ? ELSE followed_at END
            WHERE id = ? AND source_commit = ?
            """,
            [
                .text(raw), .text(commit.hex), .boolean(isChanged), .integer(EpochTime.now), .integer(old.id),
                .text(old.sourceCommit?.hex ?? ""),
            ]
        )
    }

    static func exists(mappingID: Int64, _ transaction: ReadTransaction) throws -> Bool {
        try transaction.row("SELECT id FROM code_owners WHERE code_mapping_id = ?", [.integer(mappingID)]) != nil
    }

    /// A mapping of a repository that has an import.
    static func mapping(
        ofRepository id: Int64, organizationID: Int64, _ transaction: ReadTransaction
    ) throws -> Int64? {
        try transaction.row(
            """
            SELECT code_mappings.id FROM code_mappings
                JOIN code_owners ON code_owners.code_mapping_id = code_mappings.id
            WHERE repository_id = ? AND code_mappings.organization_id = ? ORDER BY code_mappings.id LIMIT 1
            """,
            [.integer(id), .integer(organizationID)]
        )?.integer("id")
    }

    static func find(id: Int64, _ transaction: ReadTransaction) throws -> StoredCodeOwners? {
        try transaction.row("\(select(raw: "code_owners.raw")) WHERE code_owners.id = ?", [.integer(id)])
            .map(StoredCodeOwners.init)
    }

    /// By id, without `raw`.
    static func list(
        _ filter: CodeMappingFilter, after last: Int64, limit: Int, _ transaction: ReadTransaction
    ) throws -> [StoredCodeOwners] {
        try transaction.rows(
            """
            \(select(raw: "''")) WHERE code_owners.organization_id = ? AND code_owners.id > ?
                AND (? = 0 OR project_id = ?) AND (? = 0 OR repository_id = ?)
            ORDER BY code_owners.id LIMIT ?
            """,
            [
                .integer(filter.organizationID), .integer(last), .integer(filter.projectID), .integer(filter.projectID),
                .integer(filter.repositoryID), .integer(filter.repositoryID), .integer(Int64(limit)),
            ]
        ).map(StoredCodeOwners.init)
    }

    /// The imports of a project, the one made last first.
    static func ofProject(
        _ projectID: Int64, organizationID: Int64, limit: Int, _ transaction: ReadTransaction
    ) throws -> [StoredCodeOwners] {
        try transaction.rows(
            """
            \(select(raw: "code_owners.raw")) WHERE code_owners.organization_id = ? AND project_id = ?
            ORDER BY code_owners.updated_at DESC, code_owners.id DESC LIMIT ?
            """,
            [.integer(organizationID), .integer(projectID), .integer(Int64(limit))]
        ).map(StoredCodeOwners.init)
    }

    /// - Returns: false when the mapping has no import.
    static func delete(mappingID: Int64, organizationID: Int64, _ transaction: WriteTransaction) throws -> Bool {
        try transaction.execute(
            "DELETE FROM code_owners WHERE code_mapping_id = ? AND organization_id = ?",
            [.integer(mappingID), .integer(organizationID)]
        ) > 0
    }
}
