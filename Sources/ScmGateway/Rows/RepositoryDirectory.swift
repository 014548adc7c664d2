import ScmAPI
import Synchronization

/// Rows of repositories by id, from memory for a moment, so that most calls need no database read. Rows come from the
/// silo service of repositories, which in a cell refuses other cells' organizations.
final class RepositoryDirectory: Sendable {
    private struct Key: Hashable {
        let organizationID: Int64
        let id: Int64
    }

    private struct Entry {
        let repository: StoredRepository
        let expiry: ContinuousClock.Instant
    }

    private struct Rows {
        var entries: [Key: Entry] = [:]
        /// Counts changes: a row that was read before one is not kept after it.
        var generation = 0
    }

    private static let maximumCount = 10_000
    private let repositories: any RepositoryDirectoryService
    private let lifetime: Duration
    private let rows = Mutex(Rows())

    init(_ repositories: any RepositoryDirectoryService, lifetime: Duration) {
        self.repositories = repositories
        self.lifetime = lifetime
    }

    /// The organization's repository; nil when there is none, or it belongs to somebody else.
    func find(id: Int64, organizationID: Int64) async throws -> StoredRepository? {
        guard !FreshCall.isRunning else { return try await read(id: id, organizationID: organizationID) }
        let key = Key(organizationID: organizationID, id: id)
        let now = ContinuousClock.now
        let (known, generation) = rows.withLock { ($0.entries[key], $0.generation) }
        if let known, known.expiry > now { return known.repository }
        let found = try await read(id: id, organizationID: organizationID)
        rows.withLock { rows in
            guard rows.generation == generation else { return }
            if rows.entries.count >= Self.maximumCount { rows.entries.removeAll(keepingCapacity: true) }
            rows.entries[key] = found.map { Entry(repository: $0, expiry: now + lifetime) }
        }
        return found
    }

    private func read(id: Int64, organizationID: Int64) async throws -> StoredRepository? {
        try await repositories.get(organizationID: organizationID, repositoryID: id).map(StoredRepository.init(_:))
    }

    /// For changes made by this process, which take effect at once.
    func forget(id: Int64, organizationID: Int64) {
        rows.withLock { rows in
            rows.generation += 1
            rows.entries[Key(organizationID: organizationID, id: id)] = nil
        }
    }
}
