import FrameCodec
import Foundation
import RPC
import ScmAPI
import Testing

@testable import ScmGateway

/// ListCommits beyond one branch and one name.
@Suite(.timeLimit(.minutes(5))) struct WholeHistoryTests {
    /// A page walk; `between` runs after each page.
    private func walk(
        _ gateway: Gateway, _ request: ListCommitsRequest, between: () throws -> Void = {}
    ) async throws -> [String] {
        var request = request
        var seen: [String] = []
        repeat {
            let page = try await gateway.service.listCommits(request, context: gateway.context())
            seen += page.commits.map(\.key)
            request.pageToken = page.nextPageToken
            try between()
        } while !request.pageToken.isEmpty
        return seen
    }

    private func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }

    @Test(arguments: ["sha1", "sha256"])
    func allReferencesAreBranchesAndTags(format: String) async throws {
        let gateway = try await Gateway()
        let repository = try makeStoriedRepository(format: format)
        try repository.git("checkout", "-q", "-b", "lonely", "side")
        try repository.commit("only here", ["lonely": "1"], date: 1_700_000_900)
        try repository.git("tag", "-a", "-m", "tag", "kept")
        try repository.git("checkout", "-q", "main")
        try repository.git("branch", "-q", "-D", "lonely")
        try repository.git("tag", "tree", "main^{tree}")
        try repository.git("tag", "blob", "main:empty")
        try repository.git("update-ref", "refs/notes/hidden", try repository.git(
            "commit-tree", "-m", "hidden", "main^{tree}"))
        let id = try await gateway.add(repository)
        let expected = lines(try repository.git("rev-list", "--branches", "--tags"))
        #expect(expected.count == lines(try repository.git("rev-list", "main")).count + 1)
        #expect(try await walk(gateway, ListCommitsRequest(repositoryID: id, allRefs: true)) == expected)
        // What is pushed in between does not move the pages.
        let paged = try await walk(gateway, ListCommitsRequest(repositoryID: id, pageSize: 2, allRefs: true)) {
            try repository.commit("more", ["more": UUID().uuidString], date: 1_700_001_000)
        }
        #expect(paged == expected)
        let path = try await walk(gateway, ListCommitsRequest(repositoryID: id, path: "lonely", allRefs: true))
        #expect(path == [expected[0]])
        await gateway.service.shutdown()
    }

    @Test func aForgottenStartIsTold() async throws {
        let gateway = try await Gateway { $0.git.resultCacheByteCount = 0 }
        let repository = try makeStoriedRepository()
        let id = try await gateway.add(repository)
        var request = ListCommitsRequest(repositoryID: id, pageSize: 2, allRefs: true)
        request.pageToken = try await gateway.service.listCommits(request, context: gateway.context()).nextPageToken
        try repository.commit("more", ["more": "1"])
        await expectError(.invalidArgument, field: "page_token") {
            try await gateway.service.listCommits(request, context: gateway.context())
        }
        await gateway.service.shutdown()
    }

    @Test func withoutReferencesTheRepositoryIsEmpty() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        let id = try await gateway.add(repository)
        await expectError(.failedPrecondition, "EMPTY_REPOSITORY") {
            try await gateway.service.listCommits(
                ListCommitsRequest(repositoryID: id, allRefs: true), context: gateway.context())
        }
        await gateway.service.shutdown()
    }

    /// More commits than a block has, with two renames among them.
    @Test(arguments: [7, 64, 1000])
    func aFileIsFollowedOverItsNames(size: Int32) async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        var script = ""
        for number in 1...300 {
            let text = (1...30).map { "line \($0)\n" }.joined() + "\(number)\n"
            let (old, name) = number <= 100 ? ("", "a") : number <= 200 ? ("a", "b") : ("b", "c")
            script += "commit refs/heads/main\ncommitter Ada <ada@example.org> \(1_700_000_000 + number) +0000\n"
            script += "data 3\n\(String(format: "%03d", number))\n"
            if number == 101 || number == 201 {
                script += "R \(old) \(name)\n"
            } else if number % 2 == 0 {
                script += "M 100644 inline \(name)\ndata \(text.utf8.count)\n\(text)\n"
            } else {
                script += "M 100644 inline other\ndata 3\n\(String(format: "%03d", number))\n"
                if number == 1 { script += "M 100644 inline a\ndata \(text.utf8.count)\n\(text)\n" }
            }
        }
        try repository.git(["fast-import", "--quiet"], input: script)
        let id = try await gateway.add(repository)
        let expected = lines(try repository.git("log", "--follow", "--format=%H", "main", "--", "c"))
        #expect(expected.count == 153)
        let request = ListCommitsRequest(repositoryID: id, pageSize: size, path: "c", followRenames: true)
        #expect(try await walk(gateway, request) == expected)
        var plain = request
        plain.followRenames = false
        #expect(try await walk(gateway, plain).count == 51)
        var every = request
        every.allRefs = true
        #expect(try await walk(gateway, every) == expected)
        await gateway.service.shutdown()
    }
}
