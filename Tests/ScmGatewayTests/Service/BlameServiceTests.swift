import Foundation
import RPC
import ScmAPI
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct BlameServiceTests {
    @Test func everyLineOfEveryFileIsAnsweredAsGitBlameDoes() async throws {
        let gateway = try await Gateway()
        let repository = try makeStoriedRepository()
        let id = try await gateway.add(repository)
        for path in ["renamed numbers.txt", "image.bin", "sub/é.txt"] {
            let expected = try BlameTests.expected(repository, path, at: "HEAD")
            let hunks = try await gateway.blame(BlameFileRequest(repositoryID: id, path: path))
            var lines: [Int: String] = [:]
            for hunk in hunks {
                for offset in 0..<hunk.lineCount {
                    lines[Int(hunk.firstLine + offset)] =
                        "\(hunk.commitSHA) \(hunk.originalFirstLine + offset) \(hunk.originalPath)"
                }
            }
            #expect(lines == expected)
            for (line, answer) in expected {
                let context = try await gateway.service.getCommitContext(
                    GetCommitContextRequest(repositoryID: id, filepath: path, lineNumber: Int32(line), maxAgeDays: -1),
                    context: gateway.context()
                )
                #expect("\(context.blameCommitID) \(context.originalLine) \(context.originalPath)" == answer)
            }
        }
        await gateway.service.shutdown()
    }

    @Test func contextHoldsTheCommitTheSnippetAndTheAge() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        let now = Int(Date().timeIntervalSince1970)
        let commit = try repository.commit(
            "title\n\nbody", ["a.txt": "one\r\ntwo\nthree\nfour"], date: now - 3 * 86_400)
        let id = try await gateway.add(repository)
        let request = GetCommitContextRequest(
            repositoryID: id, filepath: "/a.txt", lineNumber: 2, includeSnippet: true, snippetRadius: 1
        )
        for _ in 0..<2 {
            let answer = try await gateway.service.getCommitContext(request, context: gateway.context())
            #expect(answer.blameCommitID == commit.hex)
            #expect(answer.commitID == commit.hex)
            #expect(answer.refUsed == commit.hex)
            #expect(answer.blameAuthor?.name == "Ada")
            #expect(answer.commit?.message == "title\n\nbody")
            #expect(answer.commit?.committer?.email == "bob@example.org")
            #expect(answer.committedAt?.seconds == Int64(now - 3 * 86_400))
            #expect(answer.codeSnippet == "one\ntwo\nthree")
            #expect(answer.snippetStartLine == 1)
            #expect(answer.ageDays == 3)
            #expect(answer.rangeStart...answer.rangeEnd ~= 2)
            #expect(answer.boundary)
        }
        await gateway.service.shutdown()
    }

    @Test(arguments: [(364, true), (365, false), (366, false)])
    func maximumAgeIsStrict(days: Int, isAccepted: Bool) async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        let committed = Int(Date().timeIntervalSince1970) - days * 86_400
        let commit = try repository.commit("old", ["a": "x\n"], date: committed)
        let id = try await gateway.add(repository)
        let request = GetCommitContextRequest(repositoryID: id, filepath: "a", lineNumber: 1)
        if isAccepted {
            #expect(
                try await gateway.service.getCommitContext(request, context: gateway.context()).ageDays == Int32(days))
        } else {
            await expectError(.notFound, "COMMIT_TOO_OLD") {
                try await gateway.service.getCommitContext(request, context: gateway.context())
            }
            let error = await #expect(throws: RPCError.self) {
                try await gateway.service.getCommitContext(request, context: gateway.context())
            }
            #expect(error?.detail(GoogleRPC.ErrorInfo.self)?.metadata["sha"] == commit.hex)
        }
        await gateway.service.shutdown()
    }

    @Test func errorsNameTheReason() async throws {
        let gateway = try await Gateway()
        let repository = try makeStoriedRepository()
        let id = try await gateway.add(repository)
        func get(_ change: (inout GetCommitContextRequest) -> Void) async throws -> CommitContext {
            var request = GetCommitContextRequest(
                repositoryID: id, filepath: "renamed numbers.txt", lineNumber: 1, maxAgeDays: -1
            )
            change(&request)
            return try await gateway.service.getCommitContext(request, context: gateway.context())
        }
        _ = try await get { _ in }
        await expectError(.notFound, "FILE_NOT_FOUND") { try await get { $0.filepath = "absent" } }
        await expectError(.notFound, "FILE_NOT_FOUND") { try await get { $0.filepath = "sub" } }
        await expectError(.notFound, "NO_BLAME_RANGE") { try await get { $0.lineNumber = 1000 } }
        await expectError(.notFound, "NO_BLAME_RANGE") { try await get { $0.filepath = "empty" } }
        await expectError(.notFound, "NO_BLAME_RANGE") {
            try await get { $0.lineNumber = 1000; $0.includeSnippet = true }
        }
        await expectError(.notFound, "REVISION_NOT_FOUND") { try await get { $0.commitSHA = "nope" } }
        await expectError(.notFound, "CODE_MAPPING_NOT_FOUND") { try await get { $0.codeMappingID = 1 } }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "line_number") { try await get { $0.lineNumber = 0 } }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "line_number") {
            try await get { $0.lineNumber = -5 }
        }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "snippet_radius") {
            try await get { $0.snippetRadius = 21 }
        }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "filepath") { try await get { $0.filepath = "" } }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "commit_sha") {
            try await get { $0.commitSHA = "--x" }
        }
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") { try await get { $0.repositoryID = id + 100 } }
        await expectError(.invalidArgument, field: "repository_id") { try await get { $0.repositoryID = 0 } }
        await gateway.service.shutdown()
    }

    @Test func partOfAFileAndRepeatedCommitsCanBeLeftOut() async throws {
        let gateway = try await Gateway()
        let repository = try makeStoriedRepository()
        let id = try await gateway.add(repository)
        let path = "renamed numbers.txt"
        let expected = try BlameTests.expected(repository, path, at: "HEAD")
        var request = BlameFileRequest(repositoryID: id, path: path, startLine: 5, endLine: 9)
        let part = try await gateway.blame(request)
        #expect(part.map(\.lineCount).reduce(0, +) == 5)
        #expect(part.allSatisfy { $0.author?.name == "Ada" && !$0.summary.isEmpty })
        request.endLine = 10_000
        #expect(try await gateway.blame(request).map(\.lineCount).reduce(0, +) == Int32(expected.count - 4))
        request = BlameFileRequest(repositoryID: id, path: path)
        request.omitRepeatedCommits = true
        let hunks = try await gateway.blame(request)
        let described = hunks.filter { $0.author != nil }.map(\.commitSHA)
        #expect(Set(described).count == described.count)
        #expect(Set(described) == Set(hunks.map(\.commitSHA)))
        #expect(try await gateway.blame(BlameFileRequest(repositoryID: id, path: "empty")).isEmpty)
        await expectError(.notFound, "NO_BLAME_RANGE") {
            try await gateway.blame(BlameFileRequest(repositoryID: id, path: path, startLine: 1000))
        }
        await expectError(.invalidArgument, field: "end_line") {
            try await gateway.blame(BlameFileRequest(repositoryID: id, path: path, startLine: 5, endLine: 4))
        }
        await gateway.service.shutdown()
    }

    @Test func ignoredRevisionsAreLookedThrough() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        let first = try repository.commit("first", ["a": "one\ntwo\n"], date: 1_700_000_000)
        let noise = try repository.commit("noise", ["a": "one;\ntwo;\n"], date: 1_700_000_100)
        try repository.commit("list", [
            ".git-blame-ignore-revs": "# formatting\n\(noise.hex) # why\n\(String(repeating: "9", count: 40))\n",
        ], date: 1_700_000_200)
        let id = try await gateway.add(repository)
        var request = BlameFileRequest(repositoryID: id, path: "a")
        #expect(Set(try await gateway.blame(request).map(\.commitSHA)) == [noise.hex])
        request.options = BlameOptions(followIgnoreRevs: true)
        #expect(Set(try await gateway.blame(request).map(\.commitSHA)) == [first.hex])
        request.options = BlameOptions(ignoreRevs: [noise.hex])
        #expect(Set(try await gateway.blame(request).map(\.commitSHA)) == [first.hex])
        request.options = BlameOptions(ignoreRevs: ["--output=x"])
        await expectError(.invalidArgument, field: "options.ignore_revs") { try await gateway.blame(request) }
        request.options = BlameOptions(followIgnoreRevs: true, ignoreRevsPath: "../x")
        await expectError(.invalidArgument, field: "options.ignore_revs_path") { try await gateway.blame(request) }
        await gateway.service.shutdown()
    }
}
