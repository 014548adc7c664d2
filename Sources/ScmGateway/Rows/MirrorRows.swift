import FrameCodec
import RPC
import ScmAPI
import SiloRPC
import Storage

/// What is stored about the copy of a remote repository.
struct StoredMirror: Sendable, Hashable {
    let state: State
    /// Milliseconds since 1970 UTC; 0 before the first clone was whole.
    let fetchedAt: Int64
    /// `google.rpc.Status` of the last failure; empty for none.
    let error: [UInt8]
    /// On disk.
    let byteCount: Int64
    /// Seconds between fetches when it has its own; 0 for never, nil to follow the server.
    let interval: Int64?
    /// When it is fetched next by itself, as ``fetchedAt``; 0 for never.
    let nextFetchAt: Int64
    /// Since the last success.
    let failureCount: Int64
    /// When it was last packed, as ``fetchedAt``.
    let maintainedAt: Int64

    /// The numbers of `MirrorState`.
    enum State: Int64, Sendable { case cloning = 1, ready = 2, fetching = 3, failed = 4 }

    /// nil for a state of a later version.
    init?(_ record: MirrorRecord) {
        guard let state = State(rawValue: record.state) else { return nil }
        self.state = state
        (fetchedAt, error, byteCount) = (record.fetchedAt, record.error, record.byteCount)
        interval = record.interval
        (nextFetchAt, failureCount, maintainedAt) = (record.nextFetchAt, record.failureCount, record.maintainedAt)
    }

    /// nil for a repository that is no mirror.
    init?(_ row: SQLRow) throws(StorageError) {
        guard let state = State(rawValue: try row.integer("mirror_state")) else { return nil }
        self.state = state
        fetchedAt = try row.integer("mirror_fetched_at")
        error = try row.blob("mirror_error")
        byteCount = try row.integer("mirror_size")
        let interval = try row.integer("mirror_interval")
        self.interval = interval < 0 ? nil : interval
        nextFetchAt = try row.integer("mirror_next_at")
        failureCount = try row.integer("mirror_failures")
        maintainedAt = try row.integer("mirror_maintained_at")
    }

    /// There is something to read.
    var isReadable: Bool { fetchedAt > 0 }
}

extension Mirror {
    init(_ mirror: StoredMirror) {
        self.init(
            state: MirrorState(rawValue: Int32(clamping: mirror.state.rawValue)),
            fetchedAt: mirror.fetchedAt > 0 ? .init(millisecondsSinceEpoch: mirror.fetchedAt) : nil,
            error: mirror.error.isEmpty ? nil : try? GoogleRPC.Status(serializedBytes: mirror.error),
            size: mirror.byteCount, fetchInterval: mirror.interval.map { .init(seconds: $0) },
            nextFetchAt: mirror.nextFetchAt > 0 ? .init(millisecondsSinceEpoch: mirror.nextFetchAt) : nil,
            failureCount: Int32(clamping: mirror.failureCount),
            maintainedAt: mirror.maintainedAt > 0 ? .init(millisecondsSinceEpoch: mirror.maintainedAt) : nil
        )
    }
}

/// The statements on the mirrors' columns of the repositories table. Each answers whether the row is still there.
enum MirrorRows {
    static func insert(
        _ remote: RemoteAddress, name: String, gitFolder: String, defaultBranch: String, config: [String: String],
        organizationID: Int64, _ transaction: WriteTransaction
    ) throws -> StoredRepository {
        let now = EpochTime.now
        let row = try transaction.row(
            """
            INSERT INTO repositories (organization_id, provider, external_id, name, url, git_folder, default_branch,
                status, config, created_at, updated_at, mirror_state)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *
            """,
            [
                .integer(organizationID), .text(StoredRepository.localGit), .text(remote.text), .text(name),
                .text(remote.text), .text(gitFolder), .text(defaultBranch),
                .integer(StoredRepository.Status.active.rawValue), .text(ConfigText.encode(config)),
                .integer(now), .integer(now), .integer(StoredMirror.State.cloning.rawValue),
            ]
        )
        guard let row else { throw RepositoryStoreError("the repository was not stored") }
        return try StoredRepository(row)
    }

    /// Brings a hidden mirror back under its id.
    static func reactivate(
        _ old: StoredRepository, name: String, config: [String: String], _ transaction: WriteTransaction
    ) throws -> StoredRepository {
        let row = try transaction.row(
            "UPDATE repositories SET status = ?, name = ?, config = ?, updated_at = ? WHERE id = ? RETURNING *",
            [
                .integer(StoredRepository.Status.active.rawValue), .text(name),
                .text(ConfigText.encode(old.config.merging(config) { _, new in new })), .integer(EpochTime.now),
                .integer(old.id),
            ]
        )
        guard let row else { throw RepositoryStoreError("the repository was not stored") }
        return try StoredRepository(row)
    }

    static func begin(_ id: Int64, _ state: StoredMirror.State, _ transaction: WriteTransaction) throws -> Bool {
        try set("mirror_state = ?", [.integer(state.rawValue)], id, transaction)
    }

    static func finish(
        _ id: Int64, defaultBranch: String, byteCount: Int, server: Int64, _ transaction: WriteTransaction
    ) throws -> Bool {
        let now = EpochTime.now
        return try set(
            """
            mirror_state = ?, mirror_fetched_at = ?, mirror_error = x'', mirror_size = ?, default_branch = ?,
            updated_at = ?, mirror_failures = 0, mirror_next_at = ?
            """,
            [
                .integer(StoredMirror.State.ready.rawValue), .integer(now), .integer(Int64(byteCount)),
                .text(defaultBranch), .integer(now),
                .integer(MirrorSchedule.next(
                    after: now, interval: try interval(of: id, server: server, transaction.reading), failures: 0
                )),
            ],
            id, transaction
        )
    }

    static func fail(
        _ id: Int64, _ error: GoogleRPC.Status, server: Int64, _ transaction: WriteTransaction
    ) throws -> Bool {
        let now = EpochTime.now
        let row = try transaction.row("SELECT mirror_failures FROM repositories WHERE id = ?", [.integer(id)])
        let failures = (try row?.integer("mirror_failures") ?? 0) + 1
        let interval = try interval(of: id, server: server, transaction.reading)
        return try set(
            "mirror_state = ?, mirror_error = ?, updated_at = ?, mirror_failures = ?, mirror_next_at = ?",
            [
                .integer(StoredMirror.State.failed.rawValue), .blob(error.serializedBytes()), .integer(now),
                .integer(failures), .integer(MirrorSchedule.next(after: now, interval: interval, failures: failures)),
            ],
            id, transaction
        )
    }

    /// A mirror's own interval or the server's, in milliseconds.
    private static func interval(of id: Int64, server: Int64, _ transaction: ReadTransaction) throws -> Int64 {
        let row = try transaction.row("SELECT mirror_interval FROM repositories WHERE id = ?", [.integer(id)])
        let own = try row?.integer("mirror_interval") ?? -1
        return own < 0 ? server : own * 1000
    }

    /// Mirrors whose clone or fetch was broken off by the end of the process.
    static func unfinished(_ transaction: ReadTransaction) throws -> [StoredRepository] {
        try transaction.rows(
            "SELECT * FROM repositories WHERE mirror_state IN (1, 3) AND deleted_at IS NULL ORDER BY id LIMIT 10000"
        ).map(StoredRepository.init)
    }

    /// Folders of all copies.
    static func folders(_ transaction: ReadTransaction) throws -> [String] {
        try transaction.rows("SELECT git_folder FROM repositories WHERE mirror_state > 0").map {
            try $0.text("git_folder")
        }
    }

    private static func set(
        _ assignments: String, _ values: [SQLValue], _ id: Int64, _ transaction: WriteTransaction
    ) throws -> Bool {
        try transaction.execute(
            "UPDATE repositories SET \(assignments) WHERE id = ? AND deleted_at IS NULL", values + [.integer(id)]
        ) > 0
    }
}
