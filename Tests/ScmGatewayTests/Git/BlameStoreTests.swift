import Foundation
import Logging
import RPC
import ScmAPI
import Storage
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct BlameStoreTests {
    private let logger = Logger(label: "test")

    private func query(_ path: String, lines: ClosedRange<Int>? = nil) throws -> BlameQuery {
        let commit = try #require(ObjectID(String(repeating: "a", count: 40)))
        return BlameQuery(commit: commit, path: try RepositoryPath(path), lines: lines)
    }

    private func hunks(_ count: Int) throws -> [GitBlameHunk] {
        let commit = try #require(ObjectID(String(repeating: "b", count: 64)))
        return (0..<count).map { index in
            GitBlameHunk(
                commit: commit, line: index * 2 + 1, lineCount: 2, originalLine: 7, originalPath: [0xFF, 0x41],
                previous: index == 0 ? nil : .init(commit: commit, path: Array("é".utf8)), isBoundary: index == 1,
                details: GitBlameCommit(
                    author: GitIdentity(name: "Ada", email: "ada@example.org", seconds: -5),
                    committer: GitIdentity(name: "Bob", email: "", seconds: nil), summary: "why"
                )
            )
        }
    }

    private func withFile(_ body: (String) async throws -> Void) async throws {
        let folder = TestRepository.temporaryFolder()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder + "/cache.sqlite")
    }

    @Test func resultsOutliveTheProcess() async throws {
        try await withFile { path in
            let first = try #require(BlameStore(path: path, limit: 1 << 20, logger: logger))
            first.insert(try hunks(3), for: try query("a"), gitFolder: "/x")
            await first.close()
            let second = try #require(BlameStore(path: path, limit: 1 << 20, logger: logger))
            let found = await second.find([try query("b"), try query("a")], gitFolder: "/x")
            #expect(found?.index == 1)
            #expect(found?.hunks == (try hunks(3)))
            // Everything that the answer depends on, and whose it is.
            var other = try query("a")
            other.ignoreWhitespace = true
            for query in [other, try query("a", lines: 1...1), try query("aa")] {
                #expect(await second.find([query], gitFolder: "/x") == nil)
            }
            #expect(await second.find([try query("a")], gitFolder: "/y") == nil)
            await second.close()
        }
    }

    @Test func theSizeIsBounded() async throws {
        try await withFile { path in
            let store = try #require(BlameStore(path: path, limit: 20_000, logger: logger))
            for index in 0..<500 { store.insert(try hunks(2), for: try query("f\(index)"), gitFolder: "/x") }
            await store.flush()
            let byteCount = try await store.byteCount
            #expect(byteCount <= 20_000 && byteCount > 0)
            await store.close()
        }
        #expect(BlameStore(path: "/nonexistent/x", limit: 0, logger: logger) == nil)
    }

    @Test func aDamagedFileIsMadeAnew() async throws {
        try await withFile { path in
            try Data(repeating: 0x41, count: 10_000).write(to: URL(fileURLWithPath: path))
            let store = try #require(BlameStore(path: path, limit: 1 << 20, logger: logger))
            store.insert(try hunks(1), for: try query("a"), gitFolder: "/x")
            await store.flush()
            #expect(await store.find([try query("a")], gitFolder: "/x") != nil)
            await store.close()
        }
    }

    @Test func damagedResultsAreNone() throws {
        let good = StoredHunks.encode(try hunks(2))
        #expect(StoredHunks.decode(good) == (try hunks(2)))
        for count in 1..<good.count where count != 1 {
            #expect(StoredHunks.decode(Array(good.prefix(count))).map { $0.count < 2 } ?? true)
        }
        #expect(StoredHunks.decode([]) == nil)
        #expect(StoredHunks.decode([9]) == nil)
        #expect(StoredHunks.decode([1, 0xFF, 0xFF, 0xFF, 0xFF]) == nil)
    }

    /// After a restart no blame runs: a git that refuses to blame shows it.
    @Test func aRestartedServerNeedsNoBlame() async throws {
        let repository = try makeStoriedRepository()
        let git = try CountingGit(refusing: "blame")
        let gateway = try await Gateway()
        let id = try await gateway.add(repository)
        let line = GetCommitContextRequest(
            repositoryID: id, filepath: "renamed numbers.txt", lineNumber: 6, maxAgeDays: -1)
        let before = try await gateway.service.getCommitContext(line, context: gateway.context())
        let file = BlameFileRequest(repositoryID: id, path: "renamed numbers.txt")
        let whole = try await gateway.blame(file)
        await gateway.service.shutdown()
        var configuration = ScmGatewayConfiguration()
        git.use(in: &configuration.git)
        let again = try ScmGatewayService(configuration: configuration, database: gateway.database)
        #expect(try await again.getCommitContext(line, context: gateway.context()) == before)
        let collected = Collected<BlameHunk>()
        try await again.blameFile(file, responses: ResponseWriter { collected.append($0) }, context: gateway.context())
        #expect(collected.values == whole)
        await again.shutdown()
    }
}
