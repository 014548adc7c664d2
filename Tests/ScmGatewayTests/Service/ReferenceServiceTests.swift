import FrameCodec
import Foundation
import RPC
import ScmAPI
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct ReferenceServiceTests {
    static func makeRepository() throws -> TestRepository {
        let repository = try TestRepository()
        for (index, name) in ["b", "a", "feature/é", "Z"].enumerated() {
            try repository.commit(name, ["file": name], date: 1_700_000_000 + index * 100)
            try repository.git("branch", name)
        }
        try repository.git("tag", "light", "a")
        try repository.git(["tag", "-a", "-m", "title\n\nbody", "annotated", "b"], date: 1_800_000_000)
        try repository.git(["tag", "-a", "-m", "nested", "nested", "annotated"], date: 1_600_000_000)
        try repository.git("tag", "blob", "HEAD:file")
        try repository.git("pack-refs", "--all")
        try repository.git("branch", "loose")
        return repository
    }

    @Test(arguments: [RefOrder.unspecified, .name, .newest], [1, 2, 100])
    func branchesAreWhatGitLists(order: RefOrder, size: Int32) async throws {
        let gateway = try await Gateway()
        let repository = try Self.makeRepository()
        let id = try await gateway.add(repository)
        let sort = order == .newest ? ["--sort=refname", "--sort=-creatordate"] : ["--sort=refname"]
        let expected = try repository.git(
            ["for-each-ref", "--format=%(refname:lstrip=2) %(objectname)"] + sort + ["refs/heads"]
        ).split(separator: "\n").map(String.init)
        var request = ListBranchesRequest(repositoryID: id, pageSize: size, order: order, includeCommits: true)
        var walked: [String] = []
        var defaults: [String] = []
        for _ in 0..<20 {
            let answer = try await gateway.service.listBranches(request, context: gateway.context())
            walked += answer.branches.map { "\($0.name) \($0.commitSHA)" }
            defaults += answer.branches.filter(\.isDefault).map(\.name)
            #expect(answer.branches.allSatisfy { $0.commit?.key == $0.commitSHA })
            request.pageToken = answer.nextPageToken
            if request.pageToken.isEmpty { break }
        }
        #expect(walked == expected)
        #expect(defaults == ["main"])
        await gateway.service.shutdown()
    }

    @Test func tagsOfEveryKind() async throws {
        let gateway = try await Gateway()
        let repository = try Self.makeRepository()
        let id = try await gateway.add(repository)
        let request = ListTagsRequest(repositoryID: id, includeCommits: true)
        let tags = try await gateway.service.listTags(request, context: gateway.context()).tags
        #expect(tags.map(\.name) == ["annotated", "blob", "light", "nested"])
        for tag in tags {
            #expect(tag.objectID == (try repository.git("rev-parse", "refs/tags/\(tag.name)")))
        }
        let b = try repository.git("rev-parse", "b")
        #expect(tags.map(\.commitSHA) == [b, "", try repository.git("rev-parse", "a"), b])
        #expect(tags.map(\.annotated) == [true, false, false, true])
        #expect(tags.map(\.message) == ["title\n\nbody", "", "", "nested"])
        #expect(tags[0].tagger?.name == "Bob")
        #expect(tags[0].tagger?.date?.seconds == 1_800_000_000)
        #expect(tags.map { $0.commit?.key ?? "" } == tags.map(\.commitSHA))
        var newest = request
        newest.order = .newest
        let order = try await gateway.service.listTags(newest, context: gateway.context()).tags.map(\.name)
        let expected = try repository.git(
            "for-each-ref", "--format=%(refname:lstrip=2)", "--sort=refname", "--sort=-creatordate", "refs/tags"
        )
        #expect(order.joined(separator: "\n") == expected)
        await gateway.service.shutdown()
    }

    @Test func signaturesAreNoMessages() {
        let text =
            "object x\ntype commit\ntag v\ntagger A <a@b> 1 +0000\n\nv1\n\n-----BEGIN PGP SIGNATURE-----\n\nabc\n"
        let tag = TagObject(content: Array(text.utf8))
        #expect(tag.message == "v1")
        #expect(tag.tagger?.email == "a@b")
        #expect(TagObject(content: []).message == "")
    }

    @Test func revisionsAreResolvedAsGitDoes() async throws {
        let gateway = try await Gateway()
        let repository = try Self.makeRepository()
        try repository.git("tag", "a", "b")
        let id = try await gateway.add(repository)
        func resolve(_ revision: String) async throws -> ResolveRevisionResponse {
            try await gateway.service.resolveRevision(
                ResolveRevisionRequest(repositoryID: id, revision: revision), context: gateway.context()
            )
        }
        let head = try repository.head().hex
        let expected: [(String, String, String)] = [
            ("", "HEAD", "refs/heads/main"), ("main", "main", "refs/heads/main"), (head, head, ""),
            ("feature/é", "refs/heads/feature/é", "refs/heads/feature/é"),
            ("annotated", "annotated^{commit}", "refs/tags/annotated"), ("a", "refs/tags/a", "refs/tags/a"),
            ("heads/a", "refs/heads/a", "refs/heads/a"), ("refs/heads/a", "refs/heads/a", "refs/heads/a"),
            (String(head.prefix(10)), head, ""), ("nested", "nested^{commit}", "refs/tags/nested"),
        ]
        for (revision, id, reference) in expected {
            let answer = try await resolve(revision)
            #expect(answer.objectID == (try repository.git("rev-parse", id)), "\(revision)")
            #expect(answer.type == .commit)
            #expect(answer.fullRef == reference, "\(revision)")
        }
        let blob = try await resolve("blob")
        #expect(blob.type == .blob && blob.fullRef == "refs/tags/blob")
        #expect(try await resolve(try repository.git("rev-parse", "HEAD^{tree}")).type == .tree)
        await expectError(.notFound, "REVISION_NOT_FOUND") { try await resolve("absent") }
        await expectError(.notFound, "REVISION_NOT_FOUND") { try await resolve(String(repeating: "9", count: 40)) }
        for revision in ["--all", "a..b", "a@{1}", "main^", "main:file", "a b"] {
            await expectError(.invalidArgument, "BAD_REQUEST", field: "revision") { try await resolve(revision) }
        }
        await gateway.service.shutdown()
    }

    @Test func pagesGoOnWhereTheyEndedWhileBranchesComeAndGo() async throws {
        let gateway = try await Gateway()
        let repository = try Self.makeRepository()
        let id = try await gateway.add(repository)
        var request = ListBranchesRequest(repositoryID: id, pageSize: 2)
        let first = try await gateway.service.listBranches(request, context: gateway.context())
        #expect(first.branches.map(\.name) == ["Z", "a"])
        try repository.git("branch", "-D", "a")
        try repository.git("branch", "A")
        request.pageToken = first.nextPageToken
        let second = try await gateway.service.listBranches(request, context: gateway.context())
        #expect(second.branches.map(\.name) == ["b", "feature/é"])
        request.query = "x"
        await expectError(.invalidArgument, field: "page_token") {
            try await gateway.service.listBranches(request, context: gateway.context())
        }
        request = ListBranchesRequest(repositoryID: id, query: "A")
        #expect(
            try await gateway.service.listBranches(request, context: gateway.context()).branches.map(\.name) == ["A"])
        request.pageSize = -1
        await expectError(.invalidArgument, field: "page_size") {
            try await gateway.service.listBranches(request, context: gateway.context())
        }
        await gateway.service.shutdown()
    }

    @Test func othersRepositoriesAndEmptyOnes() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        let id = try await gateway.add(repository)
        let other = try await gateway.add(repository, organizationID: gateway.second)
        let context = gateway.context()
        #expect(
            try await gateway.service.listBranches(ListBranchesRequest(repositoryID: id), context: context).branches
                .isEmpty)
        #expect(try await gateway.service.listTags(ListTagsRequest(repositoryID: id), context: context).tags.isEmpty)
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await gateway.service.listBranches(ListBranchesRequest(repositoryID: other), context: context)
        }
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await gateway.service.listTags(ListTagsRequest(repositoryID: other), context: context)
        }
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await gateway.service.resolveRevision(ResolveRevisionRequest(repositoryID: other), context: context)
        }
        await expectError(.failedPrecondition, "EMPTY_REPOSITORY") {
            try await gateway.service.resolveRevision(ResolveRevisionRequest(repositoryID: id), context: context)
        }
        await gateway.service.shutdown()
    }
}
