import Storage
import Synchronization

/// Rows of repositories by id, from memory for a moment, so that most calls need no database read.
final class RepositoryDirectory: Sendable {
    private struct Key: Hashable {
        let organizationID: Int64
        let id: Int64
    }

    private struct Entry {
        let repository: StoredRepository
        let expiry: ContinuousClock.Instant
    }

    private static let maximumCount = 10_000
    private let database: Database
    private let lifetime: Duration
    private let entries = Mutex<[Key: Entry]>([:])

    init(database: Database, lifetime: Duration) {
        self.database = database
        self.lifetime = lifetime
    }

    /// The organization's repository; nil when there is none, or it belongs to somebody else.
    func find(id: Int64, organizationID: Int64) async throws -> StoredRepository? {
        let key = Key(organizationID: organizationID, id: id)
        let now = ContinuousClock.now
        if let entry = entries.withLock({ $0[key] }), entry.expiry > now { return entry.repository }
        let found = try await database.read { transaction in
            try RepositoryRows.find(id: id, organizationID: organizationID, transaction)
        }
        entries.withLock { entries in
            if entries.count >= Self.maximumCount { entries.removeAll(keepingCapacity: true) }
            entries[key] = found.map { Entry(repository: $0, expiry: now + lifetime) }
        }
        return found
    }

    /// For changes made by this process, which take effect at once.
    func forget(id: Int64, organizationID: Int64) {
        _ = entries.withLock { $0.removeValue(forKey: Key(organizationID: organizationID, id: id)) }
    }
}
