import ScmAPI
import Synchronization

/// Rows of repositories by id, and pages of lists of them, from memory for a moment, so that most calls need no database
/// read. Rows come from the silo service of repositories, which in a cell refuses other cells' organizations.
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
    private let repositories: any RepositoryDirectoryService
    private let lifetime: Duration
    private let entries = Mutex<[Key: Entry]>([:])
    private let pages = Mutex(Pages())

    /// Answers to ListRepositories.
    private struct Pages {
        var answers: [PageKey: (answer: ListRepositoriesResponse, expiry: ContinuousClock.Instant)] = [:]
        /// Counts changes: an answer that was read before one is not kept after it.
        var generation = 0
    }

    private struct PageKey: Hashable {
        let organizationID: Int64
        let request: [UInt8]
    }

    /// Of up to a thousand rows each.
    private static let maximumPageCount = 32
    /// A list is expected to show at once what the command line changed; the moments between many callers are enough.
    private static let longestPageLifetime = Duration.milliseconds(100)

    init(_ repositories: any RepositoryDirectoryService, lifetime: Duration) {
        self.repositories = repositories
        self.lifetime = lifetime
    }

    /// The organization's repository; nil when there is none, or it belongs to somebody else.
    func find(id: Int64, organizationID: Int64) async throws -> StoredRepository? {
        let key = Key(organizationID: organizationID, id: id)
        let now = ContinuousClock.now
        if let entry = entries.withLock({ $0[key] }), entry.expiry > now { return entry.repository }
        let found = try await repositories.get(organizationID: organizationID, repositoryID: id)
            .map(StoredRepository.init(_:))
        entries.withLock { entries in
            if entries.count >= Self.maximumCount { entries.removeAll(keepingCapacity: true) }
            entries[key] = found.map { Entry(repository: $0, expiry: now + lifetime) }
        }
        return found
    }

    /// The answer to a list, kept for a tenth of a second.
    ///
    /// - Parameter request: everything that the answer depends on, besides the organization.
    func page(
        _ request: [UInt8], organizationID: Int64, read: () async throws -> ListRepositoriesResponse
    ) async throws -> ListRepositoriesResponse {
        guard lifetime > .zero else { return try await read() }
        let key = PageKey(organizationID: organizationID, request: request)
        let now = ContinuousClock.now
        let (known, generation) = pages.withLock { ($0.answers[key], $0.generation) }
        if let known, known.expiry > now { return known.answer }
        let answer = try await read()
        pages.withLock { pages in
            guard pages.generation == generation else { return }
            if pages.answers.count >= Self.maximumPageCount { pages.answers.removeAll() }
            pages.answers[key] = (answer, now + min(lifetime, Self.longestPageLifetime))
        }
        return answer
    }

    /// For changes made by this process, which take effect at once.
    func forget(id: Int64, organizationID: Int64) {
        pages.withLock { pages in
            pages.generation += 1
            pages.answers.removeAll()
        }
        _ = entries.withLock { $0.removeValue(forKey: Key(organizationID: organizationID, id: id)) }
    }
}
