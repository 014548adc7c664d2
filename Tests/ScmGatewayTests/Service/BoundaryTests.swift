import FrameCodec
import Foundation
import RPC
import ScmAPI
import Testing

@testable import ScmGateway

/// What a request, a page token or a repository's own files may hold without harm.
@Suite(.timeLimit(.minutes(5))) struct BoundaryTests {
    @Test func listsRefuseMoreThanAnyCallerNeeds() async throws {
        let gateway = try await Gateway()
        let many = ListRepositoriesRequest(statuses: Array(repeating: .active, count: 100_000))
        await expectError(.invalidArgument, "BAD_REQUEST", field: "statuses") {
            try await gateway.service.listRepositories(many, context: gateway.context())
        }
        let long = ListRepositoriesRequest(query: String(repeating: "x", count: 100_000))
        await expectError(.invalidArgument, "BAD_REQUEST", field: "query") {
            try await gateway.service.listRepositories(long, context: gateway.context())
        }
        // What would be hashed on an event loop, whatever field it is in.
        let text = String(repeating: "x", count: PageFilter.maximumFilterByteCount)
        await expectError(.invalidArgument, "BAD_REQUEST") {
            try await gateway.service.listRepositories(
                ListRepositoriesRequest(externalIDs: ["a", text]), context: gateway.context())
        }
        await expectError(.invalidArgument, "BAD_REQUEST") {
            try await gateway.service.listCommits(
                ListCommitsRequest(repositoryID: 1, message: text), context: gateway.context())
        }
        await gateway.service.shutdown()
    }

    @Test(arguments: ["%", "_", "%\u{301}", "\\", "_\u{20DD}"])
    func wildcardsInAQueryAreText(query: String) async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        try repository.commit("first", ["a": "x\n"])
        _ = try await gateway.add(repository)
        let found = try await gateway.service.listRepositories(
            ListRepositoriesRequest(query: query), context: gateway.context())
        #expect(found.repositories.isEmpty)
    }

    @Test func aChangedPageTokenIsRefused() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        let commit = try repository.commit("first", ["a": "x\n"])
        let id = try await gateway.add(repository)
        let request = ListCommitsRequest(repositoryID: id)
        let blob = try repository.git("rev-parse", "HEAD:a").trimmingCharacters(in: .whitespacesAndNewlines)
        for anchor in [String(repeating: "0", count: 40), String(repeating: "a", count: 40), blob, "main", ""] {
            var changed = request
            changed.pageToken = PageToken(
                filter: try CommitListRequest.pageFilter(request), position: 0, anchor: anchor
            ).text
            await expectError(.invalidArgument, "BAD_REQUEST", field: "page_token") {
                try await gateway.service.listCommits(changed, context: gateway.context())
            }
        }
        var good = request
        good.pageToken =
            PageToken(filter: try CommitListRequest.pageFilter(request), position: 0, anchor: commit.hex).text
        #expect(try await gateway.service.listCommits(good, context: gateway.context()).commits.count == 1)
    }

    @Test func aPipeInAFilesPlaceHoldsNobody() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        try repository.commit("first", ["a": "x\n"])
        let folder = try RepositoryLocation.find(repository.path).gitFolder
        try FileManager.default.removeItem(atPath: folder + "/HEAD")
        #expect(mkfifo(folder + "/HEAD", 0o600) == 0)
        #expect(SmallFile.firstLine(folder + "/HEAD") == nil)
        // It is no repository any more, or one without a branch; either way the answer comes.
        _ = try? await gateway.add(repository)
    }

    @Test func headCannotNameAFileOutsideOfTheRepository() async throws {
        let repository = try TestRepository()
        try repository.commit("first", ["a": "x\n"])
        let location = try RepositoryLocation.find(repository.path)
        try "ref: refs/heads/../../../outside\n".write(
            toFile: location.gitFolder + "/HEAD", atomically: true, encoding: .utf8)
        #expect(HeadFiles(location) == nil)
        #expect(LocalFolder.defaultBranch(location) == "")
    }

    @Test(arguments: ["objects", "refs"])
    func linksOutOfTheAllowedFoldersAreRefused(name: String) async throws {
        let outside = try TestRepository()
        try outside.commit("secret", ["a": "x\n"])
        let inside = try TestRepository()
        try inside.commit("first", ["a": "x\n"])
        let gateway = try await Gateway { $0.repositoryRoots = [inside.path] }
        let folder = try RepositoryLocation.find(inside.path).gitFolder
        let target = try RepositoryLocation.find(outside.path).gitFolder
        try FileManager.default.removeItem(atPath: "\(folder)/\(name)")
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder)/\(name)", withDestinationPath: "\(target)/\(name)")
        await expectError(.failedPrecondition, "NO_REPO_ACCESS") {
            try await gateway.service.createRepository(
                CreateRepositoryRequest(provider: .localGit, identifier: inside.path), context: gateway.context())
        }
    }

    @Test func whatIsCachedBelongsToOneRepositoryObject() throws {
        let repository = try TestRepository()
        try repository.commit("first", ["a": "x\n"])
        let location = try RepositoryLocation.find(repository.path)
        // Freed at once, so that the next one may have the same address.
        let ids = (0..<100).map { _ in GitRepository(location: location, configuration: GitConfiguration()).id }
        #expect(Set(ids).count == 100)
    }
}
