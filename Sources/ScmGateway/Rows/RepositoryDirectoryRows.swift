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
            try RepositoryRows.find(id: repositoryID, organizationID: organizationID, transaction)
                .map(RepositoryRecord.init(_:))
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
            try transaction.row("SELECT COUNT(*) AS count FROM repositories WHERE deleted_at IS NULL")?.integer("count")
                ?? 0
        }
    }
}

extension RepositoryRecord {
    init(_ stored: StoredRepository) {
        self.init(
            repositoryID: stored.id, organizationID: stored.organizationID, name: stored.name,
            provider: stored.provider, externalID: stored.externalID, createdAt: stored.createdAt,
            updatedAt: stored.updatedAt, url: stored.url, gitFolder: stored.gitFolder,
            defaultBranch: stored.defaultBranch, status: stored.status.rawValue, config: stored.config,
            mirror: stored.mirror.map { mirror in
                MirrorRecord(
                    state: mirror.state.rawValue, fetchedAt: mirror.fetchedAt, error: mirror.error,
                    byteCount: mirror.byteCount, interval: mirror.interval, nextFetchAt: mirror.nextFetchAt,
                    failureCount: mirror.failureCount, maintainedAt: mirror.maintainedAt)
            }, mayBorrowObjects: stored.mayBorrowObjects)
    }
}

extension StoredRepository {
    init(_ record: RepositoryRecord) {
        self.init(
            id: record.repositoryID, organizationID: record.organizationID, provider: record.provider,
            externalID: record.externalID, name: record.name, url: record.url, gitFolder: record.gitFolder,
            defaultBranch: record.defaultBranch,
            // A status of a later version is not one to serve.
            status: Status(rawValue: record.status) ?? .disabled, config: record.config, createdAt: record.createdAt,
            updatedAt: record.updatedAt, mayBorrowObjects: record.mayBorrowObjects,
            mirror: record.mirror.flatMap(StoredMirror.init(_:)))
    }
}
