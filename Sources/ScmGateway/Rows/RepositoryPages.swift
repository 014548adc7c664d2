import ScmAPI
import Storage
import Synchronization

/// Answers to ListRepositories, kept until a row of the organization changes.
///
/// The database counts the changes of each organization's rows, whoever makes them (`repository_versions`). An answer
/// is kept with the count that it was read at, and is given again while the count is the same. The count itself is
/// read anew when this process has written anything since, or a millisecond has passed: so an answer may be that much
/// behind another process's change, and never behind one of this process.
///
/// ```
/// count known, nothing written since, < 1 ms old --+--> answer of that count kept ----> given
///        | no                                      |           | no
///        v                                         |           v
///     read it ------------------------------------+      read count and rows at once, keep them
/// ```
final class RepositoryPages: Sendable {
    struct Key: Hashable {
        let organizationID: Int64
        /// Everything else that the answer depends on.
        let request: [UInt8]
    }

    struct Answer: Sendable {
        let version: Int64
        let response: ListRepositoriesResponse
    }

    private struct KnownVersion {
        let number: Int64
        let commitCount: Int
        let readAt: ContinuousClock.Instant
    }

    private struct Reading {
        let version: Int64
        let task: Task<Answer, any Error>
    }

    private struct State {
        var versions: [Int64: KnownVersion] = [:]
        var readings: [Key: Reading] = [:]
    }

    /// By our own estimate, in bytes: twenty pages of a thousand rows.
    private static let maximumByteCount = 32 * 1024 * 1024
    private static let maximumVersionCount = 10_000
    private static let versionFreshness = Duration.milliseconds(1)

    private let database: Database
    private let answers = ByteBoundedCache<Key, Answer>(limit: RepositoryPages.maximumByteCount)
    private let state = Mutex(State())

    init(database: Database) {
        self.database = database
    }

    /// - Parameter read: the answer, read inside a transaction.
    func page(
        _ key: Key, read: @escaping @Sendable (ReadTransaction) throws -> ListRepositoriesResponse
    ) async throws -> ListRepositoriesResponse {
        guard !FreshCall.isRunning else { return try await database.read(read) }
        let version = try await version(of: key.organizationID)
        if let known = answers[key], known.version == version { return known.response }
        return try await reading(key, version, read).value.response
    }

    /// Many callers that miss the same answer at the same time wait for one reading. It began after somebody had found
    /// this version, so it cannot be older.
    private func reading(
        _ key: Key, _ version: Int64, _ read: @escaping @Sendable (ReadTransaction) throws -> ListRepositoriesResponse
    ) -> Task<Answer, any Error> {
        state.withLock { state in
            if let running = state.readings[key], running.version == version { return running.task }
            let task = Task {
                defer { self.end(key, version) }
                let answer = try await self.database.read { transaction in
                    Answer(
                        version: try Self.version(of: key.organizationID, transaction), response: try read(transaction)
                    )
                }
                self.answers.insert(answer, for: key, byteCount: Self.byteCount(answer, key))
                return answer
            }
            state.readings[key] = Reading(version: version, task: task)
            return task
        }
    }

    private func end(_ key: Key, _ version: Int64) {
        state.withLock { state in
            if state.readings[key]?.version == version { state.readings[key] = nil }
        }
    }

    private func version(of organizationID: Int64) async throws -> Int64 {
        let (commitCount, now) = (database.commitCount, ContinuousClock.now)
        let known = state.withLock { $0.versions[organizationID] }
        if let known, known.commitCount == commitCount, now - known.readAt < Self.versionFreshness {
            return known.number
        }
        let number = try await database.read { try Self.version(of: organizationID, $0) }
        state.withLock { state in
            if state.versions.count >= Self.maximumVersionCount { state.versions.removeAll(keepingCapacity: true) }
            // As it was before the reading began: a write that ended since then is not in it for sure.
            state.versions[organizationID] = KnownVersion(number: number, commitCount: commitCount, readAt: now)
        }
        return number
    }

    /// 0 for an organization that never had a repository.
    private static func version(of organizationID: Int64, _ transaction: ReadTransaction) throws -> Int64 {
        try transaction.row(
            "SELECT version FROM repository_versions WHERE organization_id = ?", [.integer(organizationID)]
        )?.integer("version") ?? 0
    }

    /// A message in memory takes about four times its encoded bytes.
    private static func byteCount(_ answer: Answer, _ key: Key) -> Int {
        500 + key.request.count + answer.response.encodedByteCount * 4 + answer.response.repositories.count * 400
    }
}
