import Foundation
import GRDB
import Synchronization

/// Rows in an embedded SQLite database: one writer, many concurrent readers (write-ahead log).
///
/// Reads and writes run on the database's own threads, never on the caller's executor, so they may be awaited
/// from an event loop. Several processes may share the file (the command line beside a running server): a writer
/// waits up to the busy timeout for another process's lock.
public final class Database: Sendable {
    private let pool: DatabasePool
    /// Where the file is.
    public let path: String

    /// Whether the code that asks runs inside the body of a ``write(_:)``, or in a task that such a body started.
    public static var isInTransaction: Bool { isWriting }
    @TaskLocal private static var isWriting = false

    private let commits = Atomic(0)

    /// How many write transactions this object has committed. Grows before ``write(_:)`` returns: while it is the same,
    /// no write through this object has come to an end.
    public var commitCount: Int { commits.load(ordering: .acquiring) }

    private init(pool: DatabasePool, path: String) {
        self.pool = pool
        self.path = path
    }

    /// Opens the file, creating it (mode 0600) and its folder (mode 0700) where absent, and brings the schema up to
    /// date. Blocks; call it at start-up, not on an event loop.
    ///
    /// - Parameters:
    ///   - migrations: Every step of every module that uses this file, in dependency order.
    ///   - durability: What a power cut may cost.
    ///   - busyTimeout: How long a statement waits for another process's lock, in seconds.
    /// - Throws: ``StorageError``: the path cannot be used, or the schema is newer than `migrations`.
    public static func open(
        path: String,
        migrations: [Migration],
        durability: Durability = .full,
        busyTimeout: Double = 5
    ) throws(StorageError) -> Database {
        do {
            try prepareFile(path)
            let database = Database(pool: try makePool(path: path, durability, busyTimeout: busyTimeout), path: path)
            try database.migrate(migrations)
            return database
        } catch let error as StorageError {
            throw error
        } catch let error as DatabaseError {
            throw StorageError(error, path: path)
        } catch {
            throw StorageError(.cannotOpen, "cannot open the database \(path): \(error)")
        }
    }

    /// Reads a consistent snapshot; writers are not blocked.
    ///
    /// - Throws: ``StorageError``, whatever `body` throws, `CancellationError`.
    public func read<T: Sendable>(_ body: @escaping @Sendable (ReadTransaction) throws -> T) async throws -> T {
        try await mapping { try await self.pool.read { try body(ReadTransaction(connection: $0)) } }
    }

    /// Runs `body` in the only write transaction at that time, commits, then runs its after-commit actions.
    ///
    /// - Throws: ``StorageError``, whatever `body` throws (everything is rolled back then), `CancellationError`.
    public func write<T: Sendable>(_ body: @escaping @Sendable (WriteTransaction) throws -> T) async throws -> T {
        let (result, actions) = try await mapping {
            try await self.pool.write { connection in
                let actions = AfterCommitActions()
                let transaction = WriteTransaction(connection: connection, actions: actions)
                let result = try Self.$isWriting.withValue(true) { try body(transaction) }
                return (result, actions.list)
            }
        }
        commits.wrappingAdd(1, ordering: .releasing)
        for action in actions { action() }
        return result
    }

    /// Ends all connections; later calls throw. Waits for the running ones.
    public func close() throws {
        try pool.close()
    }

    private func mapping<T: Sendable>(_ body: @Sendable () async throws -> T) async throws -> T {
        do { return try await body() } catch let error as DatabaseError { throw StorageError(error, path: path) }
    }
}

extension Database {
    /// SQLite would create the file with the process's umask; a database of key hashes is nobody else's business.
    /// (SQLite gives the `-wal` and `-shm` files the mode of the main file.)
    private static func prepareFile(_ path: String) throws(StorageError) {
        let folder = (path as NSString).deletingLastPathComponent
        let files = FileManager.default
        if !folder.isEmpty, !files.fileExists(atPath: folder) {
            do {
                try files.createDirectory(
                    atPath: folder,
                    withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700]
                )
            } catch {
                throw StorageError(.cannotOpen, "cannot create the data folder \(folder): \(reason(error))")
            }
        }
        guard !files.fileExists(atPath: path) else { return }
        guard files.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]) else {
            throw StorageError(
                .cannotOpen,
                "cannot create the database \(path): check that the folder exists and may be written"
            )
        }
    }

    private static func reason(_ error: any Error) -> String {
        (error as NSError).localizedFailureReason ?? error.localizedDescription
    }

    /// What a power cut may cost.
    public enum Durability: Sendable {
        /// Nothing that was written.
        case full
        /// The last transactions, never the file: for what can be found out again.
        case cache
    }

    private static func makePool(
        path: String, _ durability: Durability, busyTimeout: Double
    ) throws -> DatabasePool {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(busyTimeout)
        configuration.prepareDatabase { connection in
            // The write-ahead log survives a crash of the process with NORMAL; FULL pays a sync per commit to also
            // survive a power cut, which rows that a person has just been told about deserve.
            try connection.execute(sql: "PRAGMA synchronous = \(durability == .full ? "FULL" : "NORMAL")")
        }
        return try DatabasePool(path: path, configuration: configuration)
    }

    private func migrate(_ migrations: [Migration]) throws {
        var migrator = DatabaseMigrator()
        for migration in migrations {
            migrator.registerMigration(migration.name) { try $0.execute(sql: migration.sql) }
        }
        guard try !pool.read(migrator.hasBeenSuperseded) else {
            throw StorageError(
                .schemaTooNew,
                "the database \(path) was written by a newer version of this program; use that version or another file"
            )
        }
        try migrator.migrate(pool)
    }
}
