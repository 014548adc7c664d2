import Foundation
import Synchronization
import Testing

@testable import Storage

@Suite struct DatabaseTests {
    static let migrations = [
        Migration("test-1", sql: """
            CREATE TABLE parents (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
            CREATE TABLE children (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL REFERENCES parents (id));
            """)
    ]

    static func folder() -> String { NSTemporaryDirectory() + "/storage-\(UUID().uuidString)" }

    static func withDatabase(_ body: (Database) async throws -> Void) async throws {
        let folder = folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let database = try Database.open(path: folder + "/a/b/data.sqlite", migrations: migrations)
        try await body(database)
        try database.close()
    }

    static func mode(_ path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    @Test func filesAndFoldersAreTheOwnersOnly() async throws {
        try await Self.withDatabase { database in
            _ = try await database.write { try $0.execute("INSERT INTO parents (id) VALUES (1)") }
            for suffix in ["", "-wal", "-shm"] { #expect(try Self.mode(database.path + suffix) == 0o600) }
            #expect(try Self.mode((database.path as NSString).deletingLastPathComponent) == 0o700)
        }
    }

    @Test func valuesComeBackAsTheyWent() async throws {
        try await Self.withDatabase { database in
            let row = try await database.read { transaction in
                try transaction.row(
                    "SELECT ? AS i, ? AS t, ? AS b, ? AS n, ? AS r, ? AS yes",
                    [.integer(.min), "é x", .blob([0, 255]), nil, .real(0.5), .boolean(true)])
            }
            let values = try #require(row)
            #expect(try values.integer("i") == .min)
            #expect(try values.text("t") == "é x")
            #expect(try values.blob("b") == [0, 255])
            #expect(try values.integerOrNil("n") == nil)
            #expect(try values.value("r") == .real(0.5))
            #expect(try values.boolean("yes"))
            await #expect(throws: StorageError.self) {
                try await database.read { try $0.row("SELECT ? AS t", [.text("a\0b")]) }
            }
            #expect(throws: StorageError.self) { try values.integer("n") }
            #expect(throws: StorageError.self) { try values.text("i") }
            #expect(throws: StorageError.self) { try values.value("absent") }
        }
    }

    @Test func aFailedTransactionLeavesNothingAndRunsNoAction() async throws {
        struct Stop: Error {}
        try await Self.withDatabase { database in
            let count = RunCount()
            await #expect(throws: Stop.self) {
                try await database.write { transaction in
                    try transaction.execute("INSERT INTO parents (id) VALUES (1)")
                    transaction.afterCommit { count.add() }
                    throw Stop()
                }
            }
            #expect(try await database.read { try $0.rows("SELECT * FROM parents") }.isEmpty)
            try await database.write { transaction in
                try transaction.execute("INSERT INTO parents (id) VALUES (1)")
                transaction.afterCommit { count.add() }
                transaction.afterCommit { count.add() }
            }
            #expect(count.value == 2)
        }
    }

    @Test func constraintsHaveTheirOwnErrors() async throws {
        try await Self.withDatabase { database in
            _ = try await database.write { try $0.execute("INSERT INTO parents (id, name) VALUES (1, 'a')") }
            let unique = await #expect(throws: StorageError.self) {
                _ = try await database.write { try $0.execute("INSERT INTO parents (name) VALUES ('a')") }
            }
            #expect(unique?.isUniqueViolation == true)
            let foreign = await #expect(throws: StorageError.self) {
                _ = try await database.write { try $0.execute("INSERT INTO children (parent_id) VALUES (7)") }
            }
            #expect(foreign?.isConstraintViolation == true)
        }
    }

    @Test func aNewerSchemaAndABadPathAreExplained() throws {
        let folder = Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/data.sqlite"
        let newer = Self.migrations + [Migration("test-2", sql: "CREATE TABLE more (id INTEGER)")]
        try Database.open(path: path, migrations: newer).close()
        let tooNew = #expect(throws: StorageError.self) { try Database.open(path: path, migrations: Self.migrations) }
        #expect(tooNew?.isSchemaTooNew == true)
        #expect(tooNew?.description.contains(path) == true)
        try Database.open(path: path, migrations: newer).close()
        try "this is no database, and long enough to be looked at".write(
            toFile: folder + "/text", atomically: true, encoding: .utf8)
        for bad in [folder + "/text", folder + "/text/below", "/proc/none/data.sqlite"] {
            let error = #expect(throws: StorageError.self) { try Database.open(path: bad, migrations: Self.migrations) }
            #expect(error?.isCannotOpen == true, "\(bad): \(String(describing: error))")
            let parent = ((bad as NSString).deletingLastPathComponent as NSString).lastPathComponent
            #expect(error?.description.contains(parent) == true)
        }
    }

    @Test func readersSeeWhatIsCommittedWhileAWriterWorks() async throws {
        try await Self.withDatabase { database in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<50 {
                    group.addTask {
                        _ = try await database.write {
                            try $0.execute("INSERT INTO parents (name) VALUES (?)", [.text("\(index)")])
                        }
                    }
                    group.addTask { _ = try await database.read { try $0.rows("SELECT * FROM parents") } }
                }
                try await group.waitForAll()
            }
            #expect(try await database.read { try $0.rows("SELECT * FROM parents") }.count == 50)
        }
    }
}

final class RunCount: Sendable {
    private let count = Mutex(0)
    func add() { count.withLock { $0 += 1 } }
    var value: Int { count.withLock { $0 } }
}
