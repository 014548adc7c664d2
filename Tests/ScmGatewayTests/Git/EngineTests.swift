import Foundation
import Testing

@testable import ScmGateway

/// Processes and descriptors are counted, so these run alone.
@Suite(.serialized, .timeLimit(.minutes(5))) struct EngineTests {
    @Test func aHundredBlamesAtOnceAreAllRight() async throws {
        let repository = try makeStoriedRepository()
        let engine = try GitEngine()
        let opened = try await repository.open(engine)
        let head = try repository.head()
        let expected = try BlameTests.expected(repository, "renamed numbers.txt", at: head.hex)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<100 {
                group.addTask {
                    let line = index % expected.count + 1
                    let query = BlameQuery(
                        commit: head, path: try RepositoryPath("renamed numbers.txt"),
                        ignoreWhitespace: index.isMultiple(of: 2), detectMoves: index.isMultiple(of: 3))
                    let hunk = try await engine.blameLine(line, query, in: opened)
                    #expect(BlameTests.lines([hunk])[line] == expected[line])
                    _ = try await engine.commits([hunk.commit], in: opened)
                }
            }
            try await group.waitForAll()
        }
        #expect(engine.readers.count <= engine.configuration.maximumObjectReadersPerRepository)
        #expect(engine.runner.commands.isIdle)
        await engine.shutDown()
        #expect(engine.readers.count == 0)
    }

    @Test func cancellationKillsTheProcessGroup() async throws {
        let slow = try SlowGit()
        var configuration = GitConfiguration()
        configuration.gitPath = slow.path
        configuration.maximumWrittenFileByteCount = 1 << 20
        let engine = try GitEngine(configuration: configuration)
        let repository = try makeStoriedRepository()
        let opened = try await repository.open(engine)
        let query = BlameQuery(commit: try repository.head(), path: try RepositoryPath("empty"))
        let task = Task { try await engine.blame(query, in: opened) { _ in } }
        let children = try await slow.waitForProcesses()
        #expect(children.count == 2)
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        for child in children { #expect(await SlowGit.isGone(child)) }
        await engine.shutDown()
    }

    @Test func aReaderThatHangsIsKilledWithItsCaller() async throws {
        let slow = try SlowGit()
        var configuration = GitConfiguration()
        configuration.gitPath = slow.path
        configuration.maximumWrittenFileByteCount = 1 << 20
        let engine = try GitEngine(configuration: configuration)
        let repository = try makeStoriedRepository()
        let opened = try await repository.open(engine)
        let task = Task { try await engine.resolve(try Revision("main"), in: opened) }
        let children = try await slow.waitForProcesses()
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        for child in children { #expect(await SlowGit.isGone(child)) }
        #expect(engine.readers.count == 0)
        await engine.shutDown()
    }

    @Test func commandsAndReadersHaveATimeLimit() async throws {
        let slow = try SlowGit()
        var configuration = GitConfiguration()
        configuration.gitPath = slow.path
        configuration.maximumWrittenFileByteCount = 1 << 20
        configuration.commandTimeout = .milliseconds(300)
        let engine = try GitEngine(configuration: configuration)
        let repository = try makeStoriedRepository()
        let opened = try await repository.open(engine)
        let query = BlameQuery(commit: try repository.head(), path: try RepositoryPath("empty"))
        let expected = GitError.timedOut(limit: .milliseconds(300), knob: "commandTimeout")
        await #expect(throws: expected) { try await engine.blame(query, in: opened) { _ in } }
        await #expect(throws: expected) { try await engine.resolve(try Revision("main"), in: opened) }
        for child in try await slow.waitForProcesses() { #expect(await SlowGit.isGone(child)) }
        await engine.shutDown()
    }

    @Test func outputObjectsAndQueuesAreLimited() async throws {
        var configuration = GitConfiguration()
        configuration.maximumOutputByteCount = 100
        configuration.maximumObjectByteCount = 10
        let engine = try GitEngine(configuration: configuration)
        let repository = try makeStoriedRepository()
        let opened = try await repository.open(engine)
        let head = try repository.head()
        let path = try RepositoryPath("renamed numbers.txt")
        await #expect(throws: GitError.tooLarge(what: "the output of git", limit: 100, knob: "maximumOutputByteCount"))
        {
            try await engine.blame(BlameQuery(commit: head, path: path), in: opened) { _ in }
        }
        await #expect(throws: GitError.tooLarge(what: "the file", limit: 10, knob: "maximumObjectByteCount")) {
            try await engine.snippet(path, line: 1, at: head, in: opened)
        }
        // A commit over the limit breaks the reader, not the engine.
        await #expect(throws: GitError.self) { try await engine.commits([head], in: opened) }
        #expect(try await engine.resolve(.head, in: opened) == head)
        await engine.shutDown()
    }

    @Test func aReceiverThatFailsEndsTheCommand() async throws {
        struct Enough: Error {}
        let repository = try makeStoriedRepository()
        let engine = try GitEngine()
        let opened = try await repository.open(engine)
        let query = BlameQuery(commit: try repository.head(), path: try RepositoryPath("renamed numbers.txt"))
        await #expect(throws: Enough.self) { try await engine.blame(query, in: opened) { _ in throw Enough() } }
        var count = 0
        try await engine.blame(query, in: opened) { count += $0.count }
        #expect(count > 0)
        await engine.shutDown()
    }

    @Test func idleReadersEndAndTheTotalIsKept() async throws {
        var configuration = GitConfiguration()
        configuration.maximumObjectReaders = 2
        configuration.objectReaderIdleTimeout = .milliseconds(50)
        let engine = try GitEngine(configuration: configuration)
        var repositories: [TestRepository] = []
        for _ in 0..<4 { repositories.append(try makeStoriedRepository()) }
        for repository in repositories {
            let opened = try await repository.open(engine)
            #expect(try await engine.resolve(try Revision("main"), in: opened) == repository.head())
            #expect(engine.readers.count <= 2)
        }
        while engine.readers.count > 0 { try await Task.sleep(for: .milliseconds(20)) }
        await engine.shutDown()
        let opened = try await repositories[0].open(engine)
        await #expect(throws: GitError.shutDown) { try await engine.resolve(try Revision("main"), in: opened) }
    }

    @Test func nothingLeaks() async throws {
        let repository = try makeStoriedRepository()
        let head = try repository.head()
        func round() async throws {
            let engine = try GitEngine()
            let opened = try await repository.open(engine)
            for index in 0..<10 {
                let query = BlameQuery(
                    commit: head, path: try RepositoryPath(index.isMultiple(of: 2) ? "empty" : "absent"))
                try? await engine.blame(query, in: opened) { _ in }
                _ = try? await engine.commits([head], in: opened)
                let task = Task { try? await engine.resolve(try Revision("side"), in: opened) }
                if index.isMultiple(of: 3) { task.cancel() }
                _ = await task.value
            }
            await engine.shutDown()
        }
        try await round()
        let (children, descriptors) = (Self.children(), Self.descriptors())
        for _ in 0..<5 { try await round() }
        // Other suites run at the same time and use processes of their own, which end; a leak of fifty would stay.
        func isLeaking() -> Bool { Self.children() > children + 10 || Self.descriptors() > descriptors + 20 }
        for _ in 0..<600 where isLeaking() { try await Task.sleep(for: .milliseconds(100)) }
        #expect(!isLeaking())
    }

    static func children() -> Int {
        let own = getpid()
        let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return all.filter { name in
            guard Int(name) != nil, let status = try? String(contentsOfFile: "/proc/\(name)/stat", encoding: .utf8),
                let end = status.lastIndex(of: ")")
            else { return false }
            return status[end...].split(separator: " ").dropFirst(2).first.flatMap { Int32($0) } == own
        }.count
    }

    static func descriptors() -> Int {
        ((try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []).count
    }
}

/// A program in git's place that starts a child of its own and then hangs.
final class SlowGit: Sendable {
    let path = TestRepository.temporaryFolder()
    private var log: String { path + ".pids" }

    init() throws {
        try "#!/bin/sh\nsleep 1000 &\necho $! >> '\(log)'\necho $$ >> '\(log)'\nwait\n"
            .write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
        try? FileManager.default.removeItem(atPath: log)
    }

    /// The numbers of the program and its child, once both are there.
    func waitForProcesses() async throws -> [Int32] {
        while true {
            let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
            let numbers = text.split(separator: "\n").compactMap { Int32($0) }
            if numbers.count >= 2 { return numbers }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Waits until the process is gone, or is a zombie that init has yet to reap.
    static func isGone(_ process: Int32) async -> Bool {
        for _ in 0..<500 {
            guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else {
                return true
            }
            if status.contains(") Z ") { return true }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return false
    }
}
