import FrameCodec
import Foundation
import RPC
import ScmAPI
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct CommitServiceTests {
    @Test func aCommitIsShownAsItIsStored() async throws {
        let gateway = try await Gateway()
        let repository = try makeStoriedRepository()
        let id = try await gateway.add(repository)
        let merge = try repository.git("rev-list", "--merges", "HEAD")
        let commit = try await gateway.service.getCommit(
            GetCommitRequest(repositoryID: id, sha: merge, includeFileChanges: true, includeStats: true),
            context: gateway.context())
        #expect(commit.key == merge)
        #expect(commit.message == "merge side")
        #expect(commit.repositoryID == id)
        #expect(
            commit.parentSHAs
                == (try repository.git("rev-parse", "\(merge)^1", "\(merge)^2")).split(separator: "\n").map(String.init)
        )
        #expect(commit.author?.email == "ada@example.org")
        #expect(commit.dateAdded?.seconds == 1_700_000_400)
        #expect(!commit.stored && commit.id.isEmpty)
        #expect(commit.fileChanges.map(\.path) == ["numbers.txt"])
        #expect(commit.fileChanges.first?.additions == 1)
        for name in [String(merge.prefix(7)), merge.uppercased(), "side", "refs/heads/main"] {
            let found = try await gateway.service.getCommit(
                GetCommitRequest(repositoryID: id, sha: name), context: gateway.context())
            #expect(found.key == (try repository.git("rev-parse", "\(name)^{commit}")))
        }
        let all = try await gateway.service.listCommits(
            ListCommitsRequest(repositoryID: id, includeFileChanges: true), context: gateway.context())
        let rename = all.commits.first { $0.message == "rename" }?.fileChanges.first
        #expect(rename?.type == .renamed)
        #expect(rename?.path == "renamed numbers.txt")
        #expect(rename?.previousPath == "numbers.txt")
        #expect(rename?.similarity == 100)
        let root = all.commits.last
        #expect(root?.parentSHAs.isEmpty == true)
        #expect(root?.fileChanges.map(\.path) == ["a \"b\".txt", "empty", "numbers.txt"])
        #expect(root?.fileChanges.map(\.type) == [.added, .added, .added])
        let binary = all.commits.first { $0.message.hasPrefix("second") }?.fileChanges.first
        #expect(binary?.path == "image.bin")
        #expect(binary?.binary == true)
        await gateway.service.shutdown()
    }

    @Test func missingAndAmbiguousCommitsHaveReasons() async throws {
        let gateway = try await Gateway()
        let repository = try makeStoriedRepository()
        let id = try await gateway.add(repository)
        func get(_ sha: String, _ change: (inout GetCommitRequest) -> Void = { _ in }) async throws -> Commit {
            var request = GetCommitRequest(repositoryID: id, sha: sha)
            change(&request)
            return try await gateway.service.getCommit(request, context: gateway.context())
        }
        await expectError(.notFound, "COMMIT_NOT_FOUND") { try await get(String(repeating: "0", count: 40)) }
        await expectError(.notFound, "COMMIT_NOT_FOUND") { try await get(String(repeating: "a", count: 64)) }
        await expectError(.notFound, "COMMIT_NOT_FOUND") { try await get("main") { $0.source = .storedOnly } }
        await expectError(.notFound, "COMMIT_NOT_FOUND") {
            try await get(try repository.git("rev-parse", "HEAD:empty"))
        }
        await expectError(.invalidArgument, field: "sha") { try await get(String(try repository.head().hex.prefix(6))) }
        // Two commits whose ids begin alike; the history is always the same one.
        let long = try TestRepository()
        try long.importLinearHistory(count: 1500)
        let longID = try await gateway.add(long)
        var prefixes: Set<Substring> = []
        let ids = try long.git("rev-list", "main").split(separator: "\n")
        let shared = try #require(ids.map { $0.prefix(4) }.first { !prefixes.insert($0).inserted })
        await expectError(.failedPrecondition, "AMBIGUOUS") {
            try await get(String(shared)) { $0.repositoryID = longID }
        }
        await gateway.service.shutdown()
    }

    @Test(arguments: [1, 2, 5, 6, 99])
    func aPageWalkIsTheWholeHistory(size: Int32) async throws {
        let gateway = try await Gateway()
        let repository = try makeStoriedRepository()
        let id = try await gateway.add(repository)
        let expected = try repository.git("rev-list", "HEAD").split(separator: "\n").map(String.init)
        var request = ListCommitsRequest(repositoryID: id, pageSize: size)
        var seen: [String] = []
        repeat {
            let page = try await gateway.service.listCommits(request, context: gateway.context())
            seen += page.commits.map(\.key)
            request.pageToken = page.nextPageToken
            // A commit that is added in between does not move the pages.
            try repository.commit("more", ["more": "\(seen.count)"], date: 1_700_001_000)
        } while !request.pageToken.isEmpty
        #expect(seen == expected)
        await gateway.service.shutdown()
    }

    @Test func aLongHistoryIsWalkedOverSeveralBlocks() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        try repository.importLinearHistory(count: 700)
        let id = try await gateway.add(repository)
        let expected = try repository.git("rev-list", "main").split(separator: "\n").map(String.init)
        var request = ListCommitsRequest(repositoryID: id, pageSize: 90)
        var seen: [String] = []
        repeat {
            let page = try await gateway.service.listCommits(request, context: gateway.context())
            seen += page.commits.map(\.key)
            request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        #expect(seen == expected)
        #expect(seen.count == 700)
        await gateway.service.shutdown()
    }

    @Test func filtersChooseCommits() async throws {
        let gateway = try await Gateway()
        let repository = try makeStoriedRepository()
        let id = try await gateway.add(repository)
        func list(_ change: (inout ListCommitsRequest) -> Void) async throws -> [String] {
            var request = ListCommitsRequest(repositoryID: id)
            change(&request)
            return try await gateway.service.listCommits(request, context: gateway.context()).commits.map(\.message)
        }
        let log = try repository.git("log", "--format=%s", "--", "numbers.txt").split(separator: "\n").map(String.init)
        #expect(try await list { $0.path = "numbers.txt" }.map { $0.prefix { $0 != "\n" } }.map(String.init) == log)
        #expect(try await list { $0.path = "sub" } == ["append"])
        #expect(try await list { $0.path = "absent" }.isEmpty)
        #expect(try await list { $0.firstParent = true }.contains("on the side") == false)
        #expect(try await list { $0.skipMerges = true }.contains("merge side") == false)
        #expect(try await list { $0.since = Protobuf.Timestamp(seconds: 1_700_000_500) } == ["append", "rename"])
        #expect(try await list { $0.until = Protobuf.Timestamp(seconds: 1_700_000_000) } == ["first"])
        #expect(try await list { $0.authorEmail = "ADA@example.org" }.count == 7)
        #expect(try await list { $0.authorEmail = "da@example.org" }.isEmpty)
        #expect(try await list { $0.author = "ada <ADA" }.count == 7)
        #expect(try await list { $0.message = "WITH A BODY" } == ["second\n\nwith a body"])
        #expect(try await list { $0.message = ".*" }.isEmpty)
        func matching(_ expression: String, author: String = "") async throws -> [String] {
            try await list { ($0.message, $0.messageSyntax, $0.author) = (expression, .regex, author) }
        }
        #expect(try await matching("^(RENAME|first)$") == ["rename", "first"])
        #expect(try await matching("^app", author: "Ada <ada@example.org>") == ["append"])
        #expect(try await matching("^app", author: ".da").isEmpty)
        for bad in ["(", "(a{200}){200}", "\\1"] {
            await expectError(.invalidArgument, field: "message") { try await matching(bad) }
        }
        #expect(try await list { $0.source = .storedOnly }.isEmpty)
        await expectError(.invalidArgument, field: "follow_renames") { try await list { $0.followRenames = true } }
        await expectError(.invalidArgument, field: "all_refs") {
            try await list { ($0.allRefs, $0.ref) = (true, "main") }
        }
        await expectError(.invalidArgument, field: "message") { try await list { $0.message = "a\nb" } }
        await expectError(.invalidArgument, field: "author") {
            try await list {
                $0.author = "a"; $0.authorEmail = "b"
            }
        }
        await expectError(.invalidArgument, field: "path") { try await list { $0.path = "../x" } }
        await expectError(.invalidArgument, field: "since") {
            try await list { $0.since = Protobuf.Timestamp(seconds: 0, nanos: -1) }
        }
        await gateway.service.shutdown()
    }

    @Test func rangesLeaveOutTheirStart() async throws {
        let gateway = try await Gateway()
        let repository = try makeStoriedRepository()
        let id = try await gateway.add(repository)
        let ids = try repository.git("rev-list", "--first-parent", "HEAD").split(separator: "\n").map(String.init)
        func list(_ start: String, _ end: String) async throws -> [String] {
            try await gateway.service.listCommits(
                ListCommitsRequest(repositoryID: id, startSHA: start, endSHA: end), context: gateway.context()
            ).commits.map(\.key)
        }
        #expect(try await list(ids[2], ids[0]) == [ids[0], ids[1]])
        #expect(try await list(ids[0], ids[0]).isEmpty)
        #expect(try await list("", ids[0]).count == 7)
        #expect(try await list(String(repeating: "0", count: 40), ids[0]).count == 7)
        for start in ["", String(repeating: "0", count: 40), String(repeating: "0", count: 64)] {
            #expect(try CommitListRequest.pageSize(.init(startSHA: start, endSHA: "main")) == 20)
        }
        #expect(try CommitListRequest.pageSize(.init(startSHA: ids[0], endSHA: "main")) == 50)
        await expectError(.notFound, "COMMIT_NOT_FOUND") { try await list(String(repeating: "1", count: 40), ids[0]) }
        await expectError(.notFound, "COMMIT_NOT_FOUND") { try await list("", String(repeating: "1", count: 40)) }
        await expectError(.invalidArgument, field: "end_sha") { try await list(ids[0], "") }
        await expectError(.invalidArgument, field: "start_sha") { try await list("--x", ids[0]) }
        await gateway.service.shutdown()
    }

    @Test func oddRepositoriesAreExplained() async throws {
        let gateway = try await Gateway()
        let empty = try TestRepository()
        let emptyID = try await gateway.add(empty)
        await expectError(.failedPrecondition, "EMPTY_REPOSITORY") {
            try await gateway.service.listCommits(ListCommitsRequest(repositoryID: emptyID), context: gateway.context())
        }
        await expectError(.failedPrecondition, "EMPTY_REPOSITORY") {
            try await gateway.blame(BlameFileRequest(repositoryID: emptyID, path: "a"))
        }
        let gone = try makeStoriedRepository()
        let goneID = try await gateway.add(gone)
        _ = try await gateway.service.listCommits(ListCommitsRequest(repositoryID: goneID), context: gateway.context())
        try FileManager.default.removeItem(atPath: gone.path)
        await expectError(.failedPrecondition, "REPOSITORY_UNREADABLE") {
            try await gateway.service.getCommit(
                GetCommitRequest(repositoryID: goneID, sha: "main"), context: gateway.context())
        }
        await expectError(.failedPrecondition, "REPOSITORY_UNREADABLE") {
            try await gateway.blame(BlameFileRequest(repositoryID: goneID, path: "empty"))
        }
        // HEAD moves between two calls, loose and packed.
        let moving = try TestRepository()
        try moving.commit("one", ["a": "1\n"])
        let movingID = try await gateway.add(moving)
        for round in 2...5 {
            let head = try moving.commit("\(round)", ["a": "\(round)\n"])
            if round == 4 { try moving.git("pack-refs", "--all") }
            let found = try await gateway.service.listCommits(
                ListCommitsRequest(repositoryID: movingID, pageSize: 1), context: gateway.context())
            #expect(found.commits.first?.key == head.hex)
        }
        await gateway.service.shutdown()
    }

    @Test func submodulesAndLinksAreNotFollowed() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        let first = try repository.commit("first", ["a": "one\n"])
        try FileManager.default.createSymbolicLink(
            atPath: repository.path + "/link", withDestinationPath: "/etc/passwd")
        try repository.git("add", "link")
        try repository.git("update-index", "--add", "--cacheinfo", "160000,\(first.hex),module")
        try repository.git("commit", "-q", "-m", "second")
        let id = try await gateway.add(repository)
        await expectError(.notFound, "FILE_NOT_FOUND") {
            try await gateway.blame(BlameFileRequest(repositoryID: id, path: "module"))
        }
        let line = try await gateway.service.getCommitContext(
            GetCommitContextRequest(
                repositoryID: id, filepath: "link", lineNumber: 1, maxAgeDays: -1, includeSnippet: true),
            context: gateway.context())
        #expect(line.codeSnippet == "/etc/passwd")
        await gateway.service.shutdown()
    }

    @Test func linkedWorkTreesShallowClonesAndSHA256Work() async throws {
        let gateway = try await Gateway()
        let repository = try makeStoriedRepository(format: "sha256")
        let tree = TestRepository.temporaryFolder()
        try repository.git("worktree", "add", "-q", tree, "side")
        defer { try? FileManager.default.removeItem(atPath: tree) }
        let treeID = try await RepositoryStore(gateway.database).add(path: tree, organizationID: gateway.first).id
        let side = try await gateway.service.listCommits(
            ListCommitsRequest(repositoryID: treeID, pageSize: 1), context: gateway.context())
        #expect(side.commits.first?.message == "on the side")
        #expect(side.commits.first?.key.count == 64)
        let clone = TestRepository.temporaryFolder()
        try repository.git("clone", "-q", "--bare", "--depth", "1", "file://\(repository.path)", clone)
        defer { try? FileManager.default.removeItem(atPath: clone) }
        let cloneID = try await RepositoryStore(gateway.database).add(path: clone, organizationID: gateway.first).id
        let hunks = try await gateway.blame(BlameFileRequest(repositoryID: cloneID, path: "renamed numbers.txt"))
        #expect(hunks.count == 1)
        #expect(hunks.first?.boundary == true)
        let list = try await gateway.service.listCommits(
            ListCommitsRequest(repositoryID: cloneID, includeFileChanges: true), context: gateway.context())
        #expect(list.commits.count == 1)
        #expect(list.commits.first?.parentSHAs.count == 1)
        await gateway.service.shutdown()
    }
}

extension TestRepository {
    func importLinearHistory(count: Int) throws {
        var stream = ""
        for index in 1...count {
            let message = "commit \(index)"
            stream += "commit refs/heads/main\nmark :\(index)\n"
            stream += "committer Bob <bob@example.org> \(1_700_000_000 + index) +0000\n"
            stream += "data \(message.utf8.count)\n\(message)\n"
            if index > 1 { stream += "from :\(index - 1)\n" }
            stream += "M 100644 inline file.txt\ndata \("\(index)\n".utf8.count)\n\(index)\n\n"
        }
        try git(["fast-import", "--quiet"], input: stream)
    }
}
