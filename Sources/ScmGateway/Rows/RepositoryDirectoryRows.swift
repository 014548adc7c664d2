import SiloRPC
import Storage

/// A cell's repositories, for other silos.
public struct RepositoryDirectoryRows: RepositoryDirectoryService {
    /// Most rows of a page.
    public static let maximumPageSize = 1000

    private let database: Database

    public init(_ database: Database) {
        self.database = database
    }

    public func get(organizationID: Int64, repositoryID: Int64) async throws -> RepositoryRecord? {
        try await database.read { transaction in
            try transaction.row(
                "SELECT * FROM repositories WHERE id = ? AND organization_id = ? AND deleted_at IS NULL",
                [.integer(repositoryID), .integer(organizationID)]
            ).map(StoredRepository.init).map(RepositoryRecord.init(_:))
        }
    }

    public func list(
        organizationID: Int64, after: Int64, pageSize: Int32
    ) async throws -> RepositoryDirectoryServiceListResponse {
        let limit = pageSize > 0 ? min(Int(pageSize), Self.maximumPageSize) : 100
        var rows = try await database.read { transaction in
            try RepositoryFilter(organizationID: organizationID).rows(after: after, limit: limit + 1, transaction)
        }
        let hasMore = rows.count > limit
        if hasMore { rows.removeLast() }
        return RepositoryDirectoryServiceListResponse(
            repositories: rows.map(RepositoryRecord.init(_:)), hasMore: hasMore)
    }

    public func count(cellName: String, regionName: String) async throws -> Int64 {
        try await database.read { transaction in
            try transaction.row("SELECT COUNT(*) AS count FROM repositories WHERE deleted_at IS NULL")?.integer("count") ?? 0
        }
    }
}

extension RepositoryRecord {
    init(_ stored: StoredRepository) {
        self.init(
            repositoryID: stored.id, organizationID: stored.organizationID, name: stored.name,
            provider: stored.provider, externalID: stored.externalID, createdAt: stored.createdAt)
    }
}
