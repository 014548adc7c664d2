import FrameCodec
import ScmAPI
import SiloRPC
import Storage

/// A code mapping as it is stored, with what its repository adds to it.
struct StoredCodeMapping: Sendable, Hashable {
    let id: Int64
    let organizationID: Int64
    let projectID: Int64
    let repositoryID: Int64
    let roots: MappingRoots
    /// Empty: the repository's own.
    let defaultBranch: String
    let isAutomatic: Bool
    /// Milliseconds since 1970 UTC.
    let createdAt: Int64
    let updatedAt: Int64
    let repositoryName: String

    init(_ row: SQLRow) throws {
        id = try row.integer("id")
        organizationID = try row.integer("organization_id")
        projectID = try row.integer("project_id")
        repositoryID = try row.integer("repository_id")
        roots = MappingRoots(stack: try row.text("stack_root"), source: try row.text("source_root"))
        defaultBranch = try row.text("default_branch")
        isAutomatic = try row.boolean("is_automatic")
        createdAt = try row.integer("created_at")
        updatedAt = try row.integer("updated_at")
        repositoryName = try row.text("repository_name")
    }

    var rank: MappingRank { MappingRank(isAutomatic: isAutomatic, stackRoot: roots.stack, id: id) }
}

/// What a mapping is made or changed to.
struct CodeMappingValues: Sendable {
    var projectID: Int64
    var repositoryID: Int64
    var roots: MappingRoots
    var defaultBranch: String
    var isAutomatic: Bool
}

/// The statements on the table of code mappings.
enum CodeMappingRows {
    private static let select = """
        SELECT code_mappings.*, repositories.name AS repository_name
        FROM code_mappings JOIN repositories ON repositories.id = code_mappings.repository_id
        """

    /// - Throws: `StorageError` with a unique violation when the project has a mapping with this stack root.
    static func insert(
        _ values: CodeMappingValues, organizationID: Int64, _ transaction: WriteTransaction
    ) throws -> StoredCodeMapping? {
        let now = EpochTime.now
        let row = try transaction.row(
            """
            INSERT INTO code_mappings (organization_id, project_id, repository_id, stack_root, source_root,
                default_branch, is_automatic, is_relative, brevity, created_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
            """,
            [.integer(organizationID)] + columns(values) + [.integer(now), .integer(now)]
        )
        guard let id = try row?.integer("id") else { return nil }
        return try find(id: id, organizationID: organizationID, transaction.reading)
    }

    /// - Throws: as ``insert(_:organizationID:_:)``.
    static func update(
        id: Int64, _ values: CodeMappingValues, organizationID: Int64, _ transaction: WriteTransaction
    ) throws -> StoredCodeMapping? {
        try transaction.execute(
            """
            UPDATE code_mappings SET project_id = ?, repository_id = ?, stack_root = ?, source_root = ?,
                default_branch = ?, is_automatic = ?, is_relative = ?, brevity = ?, updated_at = ?
            WHERE id = ? AND organization_id = ?
            """,
            columns(values) + [.integer(EpochTime.now), .integer(id), .integer(organizationID)]
        )
        return try find(id: id, organizationID: organizationID, transaction.reading)
    }

    private static func columns(_ values: CodeMappingValues) -> [SQLValue] {
        let stack = values.roots.stack
        return [
            .integer(values.projectID), .integer(values.repositoryID), .text(stack), .text(values.roots.source),
            .text(values.defaultBranch), .integer(values.isAutomatic ? 1 : 0), .integer(stack.hasPrefix("/") ? 0 : 1),
            .integer(-Int64(stack.utf8.count)),
        ]
    }

    static func find(id: Int64, organizationID: Int64, _ transaction: ReadTransaction) throws -> StoredCodeMapping? {
        try transaction.row(
            "\(select) WHERE code_mappings.id = ? AND code_mappings.organization_id = ?",
            [.integer(id), .integer(organizationID)]
        ).map(StoredCodeMapping.init)
    }

    static func find(
        projectID: Int64, stackRoot: String, organizationID: Int64, _ transaction: ReadTransaction
    ) throws -> StoredCodeMapping? {
        try transaction.row(
            "\(select) WHERE code_mappings.organization_id = ? AND project_id = ? AND stack_root = ?",
            [.integer(organizationID), .integer(projectID), .text(stackRoot)]
        ).map(StoredCodeMapping.init)
    }

    /// The mappings of a project in the order in which they are tried.
    static func ofProject(
        _ projectID: Int64, organizationID: Int64, limit: Int, _ transaction: ReadTransaction
    ) throws -> [StoredCodeMapping] {
        try list(
            CodeMappingFilter(organizationID: organizationID, projectID: projectID), after: nil, limit: limit,
            transaction
        )
    }

    /// With a project in the order in which mappings are tried, else by id.
    static func list(
        _ filter: CodeMappingFilter, after last: MappingRank?, limit: Int, _ transaction: ReadTransaction
    ) throws -> [StoredCodeMapping] {
        var conditions = ["code_mappings.organization_id = ?"]
        var arguments: [SQLValue] = [.integer(filter.organizationID)]
        if filter.projectID != 0 {
            conditions.append("project_id = ?")
            arguments.append(.integer(filter.projectID))
        }
        if filter.repositoryID != 0 {
            conditions.append("repository_id = ?")
            arguments.append(.integer(filter.repositoryID))
        }
        let order = filter.projectID == 0 ? "code_mappings.id" : "is_automatic, is_relative, brevity, code_mappings.id"
        if let last {
            conditions.append("(\(order)) > (\(filter.projectID == 0 ? "?" : "?, ?, ?, ?"))")
            arguments += filter.projectID == 0 ? [.integer(last.id)] : last.columns
        }
        return try transaction.rows(
            "\(select) WHERE \(conditions.joined(separator: " AND ")) ORDER BY \(order) LIMIT ?",
            arguments + [.integer(Int64(limit))]
        ).map(StoredCodeMapping.init)
    }

    /// - Returns: false when there is no such mapping.
    static func delete(id: Int64, organizationID: Int64, _ transaction: WriteTransaction) throws -> Bool {
        try transaction.execute(
            "DELETE FROM code_mappings WHERE id = ? AND organization_id = ?", [.integer(id), .integer(organizationID)]
        ) > 0
    }
}

struct CodeMappingFilter: Sendable {
    var organizationID: Int64
    /// 0 for all.
    var projectID: Int64 = 0
    var repositoryID: Int64 = 0
}

extension MappingRank {
    fileprivate var columns: [SQLValue] {
        [
            .integer(isAutomatic ? 1 : 0), .integer(isRelative ? 1 : 0), .integer(-byteCount), .integer(id),
        ]
    }
}

extension CodeMapping {
    init(_ stored: StoredCodeMapping) {
        self.init(
            id: stored.id, organizationID: stored.organizationID, projectID: stored.projectID,
            repositoryID: stored.repositoryID, stackRoot: stored.roots.stack, sourceRoot: stored.roots.source,
            defaultBranch: stored.defaultBranch, automaticallyGenerated: stored.isAutomatic,
            dateAdded: .init(millisecondsSinceEpoch: stored.createdAt),
            dateUpdated: .init(millisecondsSinceEpoch: stored.updatedAt), repositoryName: stored.repositoryName,
            provider: .localGit
        )
    }
}
