import Foundation
import RPC
import ScmAPI
import SiloRPC
import Storage
import Testing

@testable import ScmGateway

/// What the service makes on the disk for a repository goes with it, and what others put there is not obeyed.
@Suite(.timeLimit(.minutes(5))) struct RemovalTests {
    private func standIns(_ gateway: Gateway) -> Int {
        (try? FileManager.default.contentsOfDirectory(atPath: gateway.folder + "/data/git"))?.count ?? 0
    }

    private func look(_ gateway: Gateway, _ id: Int64, organizationID: Int64? = nil, at sha: String = "HEAD")
        async throws
    {
        _ = try await gateway.service.getCommit(
            GetCommitRequest(repositoryID: id, sha: sha), context: gateway.context(organizationID: organizationID))
    }

    @Test func theStandInOfARepositoryGoesWithItsLastRow() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        try repository.commit("first", ["a": "x\n"])
        let mine = try await gateway.add(repository)
        let theirs = try await gateway.add(repository, organizationID: gateway.second)
        try await look(gateway, mine)
        #expect(standIns(gateway) == 1)
        _ = try await gateway.service.deleteRepository(
            DeleteRepositoryRequest(repositoryID: mine), context: gateway.context())
        #expect(standIns(gateway) == 1)
        try await look(gateway, theirs, organizationID: gateway.second)
        _ = try await gateway.service.deleteRepository(
            DeleteRepositoryRequest(repositoryID: theirs), context: gateway.context(organizationID: gateway.second))
        #expect(standIns(gateway) == 0)
        try await look(gateway, try await gateway.add(repository))
        #expect(standIns(gateway) == 1)
        await gateway.service.shutdown()
    }

    @Test func aStartRemovesStandInsOfRepositoriesThatAreGone() async throws {
        let gateway = try await Gateway()
        let repositories = try (0..<2).map { _ in try TestRepository() }
        var ids: [Int64] = []
        for repository in repositories {
            try repository.commit("first", ["a": "x\n"])
            ids.append(try await gateway.add(repository))
            try await look(gateway, ids[ids.count - 1])
        }
        let strange = gateway.folder + "/data/git/not-ours"
        try FileManager.default.createDirectory(atPath: strange, withIntermediateDirectories: true)
        #expect(standIns(gateway) == 3)
        try await RepositoryStore(gateway.database).remove(id: ids[0])
        try await gateway.service.resume()
        #expect(standIns(gateway) == 2)
        #expect(FileManager.default.fileExists(atPath: strange))
        try await look(gateway, ids[1])
        await gateway.service.shutdown()
    }

    @Test func aFolderThatACallerRegisteredMayNotBorrowLater() async throws {
        let secret = try TestRepository()
        let hidden = try secret.commit("secret", ["s": "secret\n"])
        let mine = try TestRepository()
        let own = try mine.commit("first", ["a": "x\n"])
        let gateway = try await Gateway { $0.repositoryRoots = [mine.path] }
        let id = try await gateway.service.createRepository(
            CreateRepositoryRequest(provider: .localGit, identifier: mine.path), context: gateway.context()
        ).id
        try await look(gateway, id, at: own.hex)
        await expectError(.notFound) { try await look(gateway, id, at: hidden.hex) }
        try "\(secret.path)/.git/objects\n".write(
            toFile: mine.path + "/.git/objects/info/alternates", atomically: true, encoding: .utf8)
        await expectError(.failedPrecondition, "REPOSITORY_UNREADABLE") { try await look(gateway, id, at: hidden.hex) }
        await expectError(.failedPrecondition, "REPOSITORY_UNREADABLE") {
            try await gateway.blame(BlameFileRequest(repositoryID: id, path: "a"))
        }
        // The operator knows what a folder is.
        let free = try await gateway.add(mine, organizationID: gateway.second)
        try await look(gateway, free, organizationID: gateway.second, at: hidden.hex)
        try FileManager.default.removeItem(atPath: mine.path + "/.git/objects/info/alternates")
        #expect(try await gateway.blame(BlameFileRequest(repositoryID: id, path: "a")).count == 1)
        // A link in the place of the objects, or of their packs, is the same.
        for folder in ["objects", "objects/pack"] {
            let (place, aside) = (mine.path + "/.git/" + folder, mine.path + "/.git/aside")
            try FileManager.default.moveItem(atPath: place, toPath: aside)
            try FileManager.default.createSymbolicLink(
                atPath: place, withDestinationPath: "\(secret.path)/.git/\(folder)")
            await expectError(.failedPrecondition, "REPOSITORY_UNREADABLE") {
                try await look(gateway, id, at: hidden.hex)
            }
            try FileManager.default.removeItem(atPath: place)
            try FileManager.default.moveItem(atPath: aside, toPath: place)
        }
        try await look(gateway, id, at: own.hex)
        await gateway.service.shutdown()
    }

    /// A link in the place of one object, of a folder of them, or of a pack.
    @Test(arguments: ["object", "folder", "pack"])
    func oneObjectMayNotBeBorrowedEither(what: String) async throws {
        let secret = try TestRepository()
        let hidden = try secret.commit("secret", ["s": "secret\n"]).hex
        let mine = try TestRepository()
        let own = try mine.commit("first", ["a": "x\n"]).hex
        if what == "pack" { try secret.git("repack", "-adq") }
        let gateway = try await Gateway { $0.repositoryRoots = [mine.path] }
        let request = CreateRepositoryRequest(provider: .localGit, identifier: mine.path)
        let id = try await gateway.service.createRepository(request, context: gateway.context()).id
        try await look(gateway, id, at: own)
        let names =
            switch what {
            case "object": ["\(hidden.prefix(2))/\(hidden.dropFirst(2))"]
            case "folder": ["\(hidden.prefix(2))"]
            default:
                try FileManager.default.contentsOfDirectory(atPath: secret.path + "/.git/objects/pack")
                    .map { "pack/\($0)" }
            }
        #expect(!names.isEmpty)
        func places(_ repository: TestRepository) -> [String] { names.map { "\(repository.path)/.git/objects/\($0)" } }
        for (place, target) in zip(places(mine), places(secret)) {
            try FileManager.default.createDirectory(
                atPath: (place as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try? FileManager.default.removeItem(atPath: place)
            try FileManager.default.createSymbolicLink(atPath: place, withDestinationPath: target)
        }
        for commit in [hidden, String(own.dropLast(4))] {
            await expectError(.failedPrecondition, "REPOSITORY_UNREADABLE") {
                try await look(gateway, id, at: commit)
            }
        }
        // Nor can such a folder be registered.
        _ = try await gateway.service.deleteRepository(.init(repositoryID: id), context: gateway.context())
        await expectError(.failedPrecondition, "NO_REPO_ACCESS") {
            try await gateway.service.createRepository(request, context: gateway.context())
        }
        // The operator knows what a folder is.
        let free = try await gateway.add(mine, organizationID: gateway.second)
        try await look(gateway, free, organizationID: gateway.second, at: hidden)
        for place in places(mine) { try FileManager.default.removeItem(atPath: place) }
        await gateway.service.shutdown()
    }

    @Test func callersThatFindTheLastLookTooOldShareOne() async throws {
        let head = KnownHead()
        let commit = try #require(ObjectID(String(repeating: "a", count: 40)))
        let count = Box(0)
        let gate = AsyncSemaphore(limit: 1, queueLimit: 10, knob: "gate")
        let look: @Sendable () -> Task<ObjectID, any Error> = {
            head.look(notOlderThan: .seconds(3600)) {
                count.withLock { $0 += 1 }
                try await gate.withUnit {}
                return commit
            }
        }
        try await gate.withUnit {
            let looks = (0..<5).map { _ in look() }
            #expect(Set(looks).count == 1)
            #expect(head.look(notOlderThan: .zero) { commit } != looks[0])
        }
        while try await look().value != commit {}
        #expect(try await look().value == commit)
        #expect(count.withLock { $0 } >= 2)
    }
}
