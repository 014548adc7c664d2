import Foundation
import Logging
import ScmAPI
import SiloRPC
import Storage
import Synchronization

/// Blame results on disk, kept over restarts: what depends on a commit's id, a path and options never changes.
///
/// A file of its own, since losing it costs time only: it is synchronised loosely, made anew when it cannot be used,
/// and bounded by size, the least recently used going first. Results are written some time after they were found, many
/// in one transaction; no caller waits for that. Thread-safe; nothing runs on the caller's executor.
final class BlameStore: Sendable {
    private struct Entry {
        let key: [UInt8]
        let value: [UInt8]
    }

    private struct State {
        var new: [Entry] = []
        var newByteCount = 0
        var used: Set<[UInt8]> = []
        var writer: Task<Void, Never>?
    }

    /// Results that wait to be written; what does not fit is not kept.
    private static let maximumWaitingByteCount = 8 * 1024 * 1024
    private static let delay = Duration.milliseconds(200)

    private let database: Database
    private let limit: Int
    private let logger: Logger
    private let state = Mutex(State())

    /// Opens the file, or makes it anew. Blocks: call it at start-up.
    ///
    /// - Parameter limit: of all results, in bytes; the file is somewhat larger.
    /// - Returns: nil when there can be no such file: blame works without.
    init?(path: String, limit: Int, logger: Logger) {
        guard limit > 0 else { return nil }
        do {
            database = try Self.open(path)
        } catch {
            for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
            guard let fresh = try? Self.open(path) else {
                logger.error("no blame cache", metadata: ["file": "\(path)", "error": "\(error)"])
                return nil
            }
            database = fresh
        }
        self.limit = limit
        self.logger = logger
    }

    private static func open(_ path: String) throws(StorageError) -> Database {
        try Database.open(path: path, migrations: migrations, durability: .cache)
    }

    private static let migrations = [
        Migration("blame-1", sql: """
            CREATE TABLE blames (
                key BLOB PRIMARY KEY NOT NULL,
                value BLOB NOT NULL,
                byte_count INTEGER NOT NULL,
                used_at INTEGER NOT NULL
            );
            CREATE INDEX blames_by_use ON blames (used_at, byte_count);
            """)
    ]

    // MARK: Reading

    /// The first of some results that is known, with its place among the queries.
    func find(_ queries: [BlameQuery], gitFolder: String) async -> (index: Int, hunks: [GitBlameHunk])? {
        let keys = queries.map { Self.key($0, gitFolder) }
        let found = try? await database.read { transaction in
            for (index, key) in keys.enumerated() {
                guard let row = try transaction.row("SELECT value, used_at FROM blames WHERE key = ?", [.blob(key)])
                else {
                    continue
                }
                let hunks = StoredHunks.decode(try row.blob("value"))
                return hunks.map { (index, $0, try? row.integer("used_at")) }
            }
            return nil
        }
        guard let (index, hunks, usedAt) = found else { return nil }
        // Once an hour is enough to tell what is in use.
        if EpochTime.now - (usedAt ?? 0) > 3_600_000 { state.withLock { _ = $0.used.insert(keys[index]) } }
        return (index, hunks)
    }

    /// Everything that the answer depends on. The folder is part of it although the commit alone would do: a caller
    /// must not learn, from an answer that comes too fast, that another tenant's repository holds the same file.
    private static func key(_ query: BlameQuery, _ gitFolder: String) -> [UInt8] {
        var bytes: [UInt8] = []
        func add(_ part: some Collection<UInt8>) {
            bytes += Array("\(part.count):".utf8)
            bytes += part
        }
        add(gitFolder.utf8)
        add(query.commit.hex.utf8)
        add(query.path.bytes)
        add("\(query.lines.map { "\($0.lowerBound)-\($0.upperBound)" } ?? "")".utf8)
        let options = [query.ignoreWhitespace, query.detectMoves, query.detectCopies, query.firstParent]
        add(options.map { UInt8($0 ? 1 : 0) })
        for id in query.ignoredCommits { add(id.hex.utf8) }
        return SHA256.digest(bytes)
    }

    // MARK: Writing

    /// Keeps a result, soon.
    func insert(_ hunks: [GitBlameHunk], for query: BlameQuery, gitFolder: String) {
        let entry = Entry(key: Self.key(query, gitFolder), value: StoredHunks.encode(hunks))
        state.withLock { state in
            guard state.newByteCount + entry.value.count <= Self.maximumWaitingByteCount else { return }
            state.new.append(entry)
            state.newByteCount += entry.value.count
            guard state.writer == nil else { return }
            state.writer = Task { [weak self] in
                try? await Task.sleep(for: Self.delay)
                await self?.write()
            }
        }
    }

    /// Writes what waits. (A writer is waited for, not cancelled: it may be in the middle of it.)
    func flush() async {
        await state.withLock { $0.writer }?.value
        await write()
    }

    private func write() async {
        let (new, used) = state.withLock { state in
            defer { (state.new, state.newByteCount, state.used, state.writer) = ([], 0, [], nil) }
            return (state.new, state.used)
        }
        guard !new.isEmpty || !used.isEmpty else { return }
        let limit = limit
        do {
            try await database.write { transaction in
                let now = EpochTime.now
                for key in used {
                    try transaction.execute("UPDATE blames SET used_at = ? WHERE key = ?", [.integer(now), .blob(key)])
                }
                for entry in new {
                    try transaction.execute(
                        "INSERT OR REPLACE INTO blames (key, value, byte_count, used_at) VALUES (?, ?, ?, ?)",
                        [
                            .blob(entry.key), .blob(entry.value), .integer(Int64(entry.value.count + 100)),
                            .integer(now)
                        ]
                    )
                }
                try Self.trim(to: limit, transaction)
            }
        } catch {
            logger.warning("blame cache not written", metadata: ["error": "\(error)"])
        }
    }

    private static func trim(to limit: Int, _ transaction: WriteTransaction) throws {
        let row = try transaction.row("SELECT COALESCE(SUM(byte_count), 0) AS total FROM blames")
        var surplus = try (row?.integer("total") ?? 0) - Int64(limit)
        while surplus > 0 {
            let gone = try transaction.rows(
                """
                DELETE FROM blames WHERE key IN (SELECT key FROM blames ORDER BY used_at LIMIT 16) RETURNING byte_count
                """
            )
            guard !gone.isEmpty else { return }
            for row in gone { surplus -= try row.integer("byte_count") }
        }
    }

    /// Bytes of all results.
    var byteCount: Int64 {
        get async throws {
            try await database.read {
                try $0.row("SELECT COALESCE(SUM(byte_count), 0) AS total FROM blames")?.integer("total") ?? 0
            }
        }
    }

    func close() async {
        await flush()
        try? database.close()
    }
}

/// Hunks as bytes: a version, then messages of the contract, each behind its length (four bytes, big endian). A commit
/// is described once.
enum StoredHunks {
    private static let version: UInt8 = 1

    static func encode(_ hunks: [GitBlameHunk]) -> [UInt8] {
        var bytes = [version]
        var described: Set<ObjectID> = []
        for hunk in hunks {
            let message = BlameHunk(hunk, withCommit: described.insert(hunk.commit).inserted).serializedBytes()
            for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: message.count >> shift)) }
            bytes += message
        }
        return bytes
    }

    /// nil for bytes of another version, or damaged ones.
    static func decode(_ bytes: [UInt8]) -> [GitBlameHunk]? {
        guard bytes.first == version else { return nil }
        var rest = bytes.dropFirst()
        var known: [ObjectID: GitBlameCommit] = [:]
        var hunks: [GitBlameHunk] = []
        while !rest.isEmpty {
            guard rest.count >= 4 else { return nil }
            let count = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            guard rest.count >= count, let message = try? BlameHunk(serializedBytes: Array(rest.prefix(count))),
                let hunk = GitBlameHunk(message, &known)
            else { return nil }
            hunks.append(hunk)
            rest = rest.dropFirst(count)
        }
        return hunks
    }
}

extension GitBlameHunk {
    fileprivate init?(_ message: BlameHunk, _ known: inout [ObjectID: GitBlameCommit]) {
        guard let commit = ObjectID(message.commitSHA) else { return nil }
        if known[commit] == nil {
            known[commit] = GitBlameCommit(
                author: GitIdentity(message.author), committer: GitIdentity(message.committer), summary: message.summary
            )
        }
        self.init(
            commit: commit, line: Int(message.firstLine), lineCount: Int(message.lineCount),
            originalLine: Int(message.originalFirstLine),
            originalPath: Self.bytes(message.originalPath, message.rawOriginalPath),
            previous: ObjectID(message.previousSHA).map {
                Previous(commit: $0, path: Self.bytes(message.previousPath, message.rawPreviousPath))
            },
            isBoundary: message.boundary, details: known[commit] ?? GitBlameCommit()
        )
    }

    private static func bytes(_ text: String, _ raw: [UInt8]) -> [UInt8] { raw.isEmpty ? Array(text.utf8) : raw }
}

extension GitIdentity {
    fileprivate init(_ author: CommitAuthor?) {
        self.init(name: author?.name ?? "", email: author?.email ?? "", seconds: author?.date?.seconds)
    }
}
