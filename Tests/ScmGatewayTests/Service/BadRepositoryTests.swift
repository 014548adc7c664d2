import Foundation
import FrameCodec
import RPC
import ScmAPI
import SiloRPC
import Storage
import Testing

@testable import ScmGateway

/// Repositories in every bad state: each call ends with a status that says what is wrong, and the server goes on.
@Suite(.timeLimit(.minutes(5))) struct BadRepositoryTests {
    /// Every method that reads a repository, by name.
    static let calls: [(name: String, run: @Sendable (Gateway, Int64) async throws -> Void)] = [
        (
            "GetCommit",
            { _ = try await $0.service.getCommit(.init(repositoryID: $1, sha: "main"), context: $0.context()) }
        ),
        ("ListCommits", { _ = try await $0.service.listCommits(.init(repositoryID: $1), context: $0.context()) }),
        ("ListCommitFileChanges", {
            _ = try await $0.service.listCommitFileChanges(.init(repositoryID: $1, sha: "main"), context: $0.context())
        }),
        ("CompareCommits", {
            _ = try await $0.service.compareCommits(.init(repositoryID: $1, head: "main"), context: $0.context())
        }),
        ("GetCommitContext", {
            _ = try await $0.service.getCommitContext(
                .init(repositoryID: $1, filepath: "a.txt", lineNumber: 1, maxAgeDays: -1, includeSnippet: true),
                context: $0.context())
        }),
        ("BlameFile", { _ = try await $0.blame(.init(repositoryID: $1, path: "a.txt")) }),
        (
            "CheckFile",
            { _ = try await $0.service.checkFile(.init(repositoryID: $1, path: "a.txt"), context: $0.context()) }
        ),
        ("GetFile", {
            try await $0.service.getFile(
                .init(repositoryID: $1, path: "a.txt"), responses: ResponseWriter { _ in }, context: $0.context())
        }),
        ("GetTree", {
            try await $0.service.getTree(
                .init(repositoryID: $1, recursive: true), responses: ResponseWriter { _ in }, context: $0.context())
        }),
        ("ResolveRevision", {
            _ = try await $0.service.resolveRevision(.init(repositoryID: $1, revision: "main"), context: $0.context())
        }),
        ("SearchCode", {
            _ = try await $0.service.searchCode(.init(repositoryID: $1, query: "one"), context: $0.context())
        }),
        ("GetCodeOwnersFile", {
            _ = try await $0.service.getCodeOwnersFile(.init(repositoryID: $1), context: $0.context())
        }),
    ]

    /// Runs every call; an error must be one of the expected.
    private func expectAll(
        _ gateway: Gateway, _ id: Int64, _ codes: Set<StatusCode>, _ what: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        for call in Self.calls {
            do {
                try await call.run(gateway, id)
                if !codes.contains(.ok) {
                    Issue.record("\(call.name) of \(what) answered", sourceLocation: sourceLocation)
                }
            } catch let error as RPCError {
                #expect(codes.contains(error.code), "\(call.name) of \(what): \(error)", sourceLocation: sourceLocation)
                #expect(
                    !error.message.contains("/tmp") && !error.message.contains("fatal:"),
                    "\(call.name) of \(what): \(error)",
                    sourceLocation: sourceLocation)
            } catch {
                Issue.record("\(call.name) of \(what): \(error)", sourceLocation: sourceLocation)
            }
        }
    }

    private func makeRepository() throws -> TestRepository {
        let repository = try TestRepository()
        try repository.commit("first", ["a.txt": "one\n", "CODEOWNERS": "* @a\n"])
        try repository.commit("second", ["a.txt": "one\ntwo\n"])
        return repository
    }

    private var healthy: Set<StatusCode> { [.ok] }

    @Test func deletedBetweenTwoCalls() async throws {
        let gateway = try await Gateway()
        let repository = try makeRepository()
        let id = try await gateway.add(repository)
        await expectAll(gateway, id, healthy, "a good repository")
        let aside = repository.path + ".aside"
        try FileManager.default.moveItem(atPath: repository.path, toPath: aside)
        // What depends on a known commit only may still come from memory.
        await expectAll(gateway, id, [.ok, .failedPrecondition], "a deleted repository")
        await expectError(.failedPrecondition, "REPOSITORY_UNREADABLE") {
            try await gateway.service.getCommit(.init(repositoryID: id, sha: "main"), context: gateway.context())
        }
        try FileManager.default.moveItem(atPath: aside, toPath: repository.path)
        await expectAll(gateway, id, healthy, "a repository that came back")
        await gateway.service.shutdown()
    }

    /// Each object but the commit at HEAD cut short, or gone.
    @Test(arguments: ["truncated", "removed", "garbage", "HEAD"])
    func corruptedBetweenTwoCalls(how: String) async throws {
        let gateway = try await Gateway()
        let repository = try makeRepository()
        let id = try await gateway.add(repository)
        _ = try await gateway.service.getCommit(.init(repositoryID: id, sha: "main"), context: gateway.context())
        let objects = repository.path + "/.git/objects"
        let names = (FileManager.default.enumerator(atPath: objects)?.allObjects as? [String] ?? [])
            .filter { $0.utf8.count == 41 }
        for name in names {
            let path = "\(objects)/\(name)"
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
            switch how {
            case "truncated": truncate(path, 5)
            case "removed": try FileManager.default.removeItem(atPath: path)
            case "garbage": try Data(repeating: 0x41, count: 100).write(to: URL(fileURLWithPath: path))
            default: break
            }
        }
        if how == "HEAD" { try Data([0xFF, 0, 10]).write(to: URL(fileURLWithPath: repository.path + "/.git/HEAD")) }
        await expectAll(gateway, id, [.ok, .failedPrecondition, .notFound], "a repository with \(how) objects")
        let other = try makeRepository()
        await expectAll(gateway, try await gateway.add(other), healthy, "another repository")
        await gateway.service.shutdown()
    }

    @Test func forcePushedBetweenTwoCalls() async throws {
        let gateway = try await Gateway()
        let repository = try makeRepository()
        let id = try await gateway.add(repository)
        var pages = ListCommitsRequest(repositoryID: id, pageSize: 1)
        pages.pageToken = try await gateway.service.listCommits(pages, context: gateway.context()).nextPageToken
        let old = try repository.head()
        try repository.git("reset", "-q", "--hard", "HEAD~1")
        let new = try repository.commit("other", ["a.txt": "other\n"])
        let commit = try await gateway.service.getCommit(
            .init(repositoryID: id, sha: "main"), context: gateway.context())
        #expect(commit.key == new.hex)
        // The walk that began before goes on in the old history.
        let rest = try await gateway.service.listCommits(pages, context: gateway.context())
        #expect(rest.commits.map(\.message) == ["first"])
        // Once the old commits are gone for good, asking for them says so.
        try repository.git("reflog", "expire", "--expire=now", "--all")
        try repository.git("gc", "-q", "--prune=now")
        await gateway.service.shutdown()
        let fresh = try ScmGatewayService(configuration: ScmGatewayConfiguration(), database: gateway.database)
        await expectError(.notFound, "COMMIT_NOT_FOUND") {
            try await fresh.getCommit(.init(repositoryID: id, sha: old.hex), context: gateway.context())
        }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "page_token") {
            try await fresh.listCommits(pages, context: gateway.context())
        }
        await fresh.shutdown()
    }

    @Test func emptyAndUnborn() async throws {
        let gateway = try await Gateway()
        let empty = try TestRepository()
        let unborn = try makeRepository()
        try unborn.git("symbolic-ref", "HEAD", "refs/heads/unborn")
        let id = try await gateway.add(empty)
        await expectAll(gateway, id, [.failedPrecondition, .notFound], "an empty repository")
        let unbornID = try await gateway.add(unborn)
        await expectError(.failedPrecondition, "EMPTY_REPOSITORY") {
            try await gateway.service.searchCode(
                .init(repositoryID: unbornID, query: "one"), context: gateway.context())
        }
        #expect(try await gateway.service.searchCode(
            .init(repositoryID: unbornID, query: "one", ref: "main"), context: gateway.context()).matches.count == 1)
        await gateway.service.shutdown()
    }

    /// A blob of 1 GiB, in a file with a hole, and limits that name themselves.
    @Test func aHugeFile() async throws {
        let gateway = try await Gateway { $0.git.maximumFileByteCount = 1 << 20 }
        let repository = try makeRepository()
        let path = repository.path + "/huge.bin"
        #expect(FileManager.default.createFile(atPath: path, contents: nil))
        #expect(truncate(path, 1 << 30) == 0)
        try repository.git(
            "-c", "core.compression=1", "-c", "core.bigFileThreshold=1m", "-c", "gc.auto=0", "add", "huge.bin")
        try repository.git("-c", "gc.auto=0", "commit", "-qm", "huge")
        try FileManager.default.removeItem(atPath: path)
        let id = try await gateway.add(repository)
        let parts = Collected<GetFileResponse>()
        try await gateway.service.getFile(
            .init(repositoryID: id, path: "huge.bin", offset: 4096, length: 10),
            responses: ResponseWriter { parts.append($0) }, context: gateway.context())
        guard case .metadata(let metadata)? = parts.values.first?.part else {
            Issue.record("no metadata")
            return
        }
        #expect(metadata.entry?.size == 1 << 30 && metadata.binary)
        #expect(parts.values.count == 2)
        await expectError(.resourceExhausted, "LIMIT_REACHED") {
            try await gateway.service.getFile(
                .init(repositoryID: id, path: "huge.bin"), responses: ResponseWriter { _ in },
                context: gateway.context())
        }
        await expectError(.resourceExhausted, "LIMIT_REACHED") {
            try await gateway.service.getCommitContext(
                .init(repositoryID: id, filepath: "huge.bin", lineNumber: 1, maxAgeDays: -1, includeSnippet: true),
                context: gateway.context())
        }
        let found = try await gateway.service.searchCode(
            .init(repositoryID: id, query: "two"), context: gateway.context())
        #expect(found.matches.map(\.path) == ["a.txt"])
        await expectAll(gateway, id, healthy, "a repository with a huge file")
        await gateway.service.shutdown()
    }

    @Test func aFileOf200000Lines() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        try repository.commit("long", ["long.txt": (1...200_000).map { "line \($0)\n" }.joined()])
        let id = try await gateway.add(repository)
        #expect(try await gateway.blame(.init(repositoryID: id, path: "long.txt")).map(\.lineCount) == [200_000])
        let last = try await gateway.service.getCommitContext(
            .init(repositoryID: id, filepath: "long.txt", lineNumber: 200_000, maxAgeDays: -1, includeSnippet: true),
            context: gateway.context())
        #expect(last.codeSnippet == "line 200000")
        await expectError(.notFound, "NO_BLAME_RANGE") {
            try await gateway.service.getCommitContext(
                .init(repositoryID: id, filepath: "long.txt", lineNumber: 200_001), context: gateway.context())
        }
        let found = try await gateway.service.searchCode(
            .init(repositoryID: id, query: "line", maxMatchesPerFile: 1000), context: gateway.context())
        #expect(found.matches.first?.truncated == true)
        #expect(found.matches.first?.fragments.first?.text.split(separator: "\n").count == 1000)
        await gateway.service.shutdown()
    }

    @Test func tenThousandReferences() async throws {
        let gateway = try await Gateway()
        let repository = try makeRepository()
        let head = try repository.head().hex
        let orders = (0..<10_000).map { "create refs/heads/b\($0) \(head)\n" }.joined()
        try repository.git(["update-ref", "--stdin"], input: orders)
        try repository.git("pack-refs", "--all")
        let id = try await gateway.add(repository)
        var request = ListBranchesRequest(repositoryID: id, pageSize: 1000)
        var names: Set<String> = []
        repeat {
            let page = try await gateway.service.listBranches(request, context: gateway.context())
            names.formUnion(page.branches.map(\.name))
            request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        #expect(names.count == 10_001)
        await expectAll(gateway, id, healthy, "a repository with many references")
        await gateway.service.shutdown()
    }

    /// No room for the database: what is refused is not stored, what was stored stays, and later it works again.
    @Test func aFullDisk() async throws {
        let gateway = try await Gateway()
        let repository = try makeRepository()
        let id = try await gateway.add(repository)
        func create(_ number: Int) async throws -> CodeMapping {
            let root = "\(number)" + String(repeating: "x", count: 900)
            return try await gateway.service.createCodeMapping(
                CreateCodeMappingRequest(projectID: 1, repositoryID: id, stackRoot: root, defaultBranch: "main"),
                context: gateway.context())
        }
        let limit = try await gateway.database.write { transaction in
            let pages = try transaction.row("PRAGMA page_count")?.integer("page_count") ?? 0
            return try transaction.row("PRAGMA max_page_count = \(pages + 20)")?.integer("max_page_count") ?? 0
        }
        #expect(limit > 0)
        var stored = 0
        await expectError(.resourceExhausted, "LIMIT_REACHED") {
            while stored < 10_000 {
                _ = try await create(stored)
                stored += 1
            }
        }
        func count() async throws -> Int64 {
            try await gateway.database.read {
                try $0.row("SELECT COUNT(*) AS n FROM code_mappings")?.integer("n") ?? -1
            }
        }
        #expect(try await count() == Int64(stored))
        await expectAll(gateway, id, healthy, "a repository beside a full database")
        _ = try await gateway.database.write { try $0.row("PRAGMA max_page_count = 1000000") }
        _ = try await create(stored)
        #expect(try await count() == Int64(stored + 1))
        await gateway.service.shutdown()
    }

    /// Another process holds the database's lock: writes say "try again", reads go on, nothing is lost.
    @Test func aLockedDatabase() async throws {
        let gateway = try await Gateway()
        let repository = try makeRepository()
        let id = try await gateway.add(repository)
        let impatient = try Database.open(
            path: gateway.database.path, migrations: SiloSchema.migrations + ScmGatewaySchema.migrations,
            busyTimeout: 0.1)
        let service = try ScmGatewayService(configuration: ScmGatewayConfiguration(), database: impatient)
        let isHeld = Box(false)
        let mayGo = Box(false)
        let holder = Task {
            try await gateway.database.write { transaction in
                try transaction.execute("UPDATE repositories SET updated_at = updated_at")
                isHeld.withLock { $0 = true }
                for _ in 0..<60_000 where !mayGo.withLock({ $0 }) { usleep(1000) }
            }
        }
        while !isHeld.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
        let request = CreateCodeMappingRequest(projectID: 1, repositoryID: id, stackRoot: "x", defaultBranch: "main")
        do {
            _ = try await service.createCodeMapping(request, context: gateway.context())
            Issue.record("a write got through")
        } catch let error as RPCError {
            #expect(error.code == .unavailable)
            #expect(error.detail(GoogleRPC.RetryInfo.self)?.retryDelay != nil)
        }
        #expect(try await service.listRepositories(.init(), context: gateway.context()).repositories.count == 1)
        mayGo.withLock { $0 = true }
        try await holder.value
        _ = try await service.createCodeMapping(request, context: gateway.context())
        await service.shutdown()
        await gateway.service.shutdown()
    }
}
