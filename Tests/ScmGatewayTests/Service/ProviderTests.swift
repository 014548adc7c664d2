import Foundation
import RPC
import ScmAPI
import Testing

@testable import ScmGateway

/// The same history in git and in memory, behind the same handlers.
@Suite(.timeLimit(.minutes(5))) struct ProviderTests {
    private struct World {
        let gateway: Gateway
        let service: ScmGatewayService
        let repository: TestRepository
        /// Of git, and of memory.
        let ids: [Int64]
    }

    private static let files = [
        ["a": "one\n"], ["a": "one\n", "b": "two\n"], ["a": "three\n", "b": "two\n", "c": "\u{E9}\n"]
    ]

    private func makeWorld() async throws -> World {
        let gateway = try await Gateway()
        let repository = try TestRepository(format: "sha256")
        var ids: [ObjectID] = []
        for (number, files) in Self.files.enumerated() {
            ids.append(try repository.commit("commit \(number)", files, date: 1_700_000_000 + number))
        }
        let gitID = try await gateway.add(repository)
        let row = try #require(try await gateway.service.directory.find(id: gitID, organizationID: gateway.first))
        let commits = try await gateway.service.repository(row).commits(ids)
        let memory = MemoryProvider(["copy": MemoryRepository(commits, files: Self.files)])
        let memoryID = try await MemoryProvider.add("copy", gateway.database, organizationID: gateway.first)
        let service = try ScmGatewayService(
            configuration: ScmGatewayConfiguration(), database: gateway.database,
            providers: [MemoryProvider.slug: memory])
        return World(gateway: gateway, service: service, repository: repository, ids: [gitID, memoryID])
    }

    /// What both answer, without the repository's id.
    private func expectSame<Answer: Equatable>(
        _ world: World, sourceLocation: SourceLocation = #_sourceLocation, _ ask: (Int64) async throws -> Answer
    ) async throws {
        let git = try await ask(world.ids[0])
        let memory = try await ask(world.ids[1])
        #expect(git == memory, sourceLocation: sourceLocation)
    }

    @Test func bothAnswerTheSame() async throws {
        let world = try await makeWorld()
        let (service, context) = (world.service, world.gateway.context())
        try await expectSame(world) { id in
            var commit = try await service.getCommit(.init(repositoryID: id, sha: "main"), context: context)
            commit.repositoryID = 0
            return commit
        }
        try await expectSame(world) { id in
            var request = ListCommitsRequest(repositoryID: id, pageSize: 2)
            var keys: [String] = []
            repeat {
                let page = try await service.listCommits(request, context: context)
                keys += page.commits.map(\.key)
                request.pageToken = page.nextPageToken
            } while !request.pageToken.isEmpty
            return keys
        }
        for path in ["a", "b", "c", "d"] {
            try await expectSame(world) { id in
                try await service.checkFile(.init(repositoryID: id, path: path), context: context)
            }
        }
        try await expectSame(world) { id in
            let parts = Collected<GetFileResponse>()
            try await service.getFile(
                .init(repositoryID: id, path: "c"), responses: ResponseWriter { parts.append($0) }, context: context)
            return parts.values
        }
        for size: Int32 in [0, 2] {
            try await expectSame(world) { id in
                let parts = Collected<GetTreeResponse>()
                try await service.getTree(
                    .init(repositoryID: id, includeSizes: true, maxEntries: size),
                    responses: ResponseWriter { parts.append($0) }, context: context)
                return parts.values.flatMap(\.entries)
            }
        }
        try await expectSame(world) { id in
            try await service.listBranches(.init(repositoryID: id), context: context).branches
        }
        for id in world.ids {
            await expectError(.notFound, "COMMIT_NOT_FOUND") {
                try await service.getCommit(.init(repositoryID: id, sha: "0000000"), context: context)
            }
            await expectError(.notFound, "FILE_NOT_FOUND") {
                try await service.getFile(
                    .init(repositoryID: id, path: "x"), responses: ResponseWriter { _ in }, context: context)
            }
        }
        await service.shutdown()
        await world.gateway.service.shutdown()
    }

    /// What GetCapabilities says is missing answers UNIMPLEMENTED; every capability is in one of the lists.
    @Test func whatIsMissingSaysSo() async throws {
        let world = try await makeWorld()
        let (service, context) = (world.service, world.gateway.context())
        for id in world.ids {
            let answer = try await service.getCapabilities(.init(subject: .repositoryID(id)), context: context)
            let named = Set(answer.capabilities + answer.missing.map(\.capability))
            #expect(named.isSuperset(of: LocalGitCapabilities.present))
            #expect(Set(answer.capabilities).isDisjoint(with: answer.missing.map(\.capability)))
        }
        let id = world.ids[1]
        await expectError(.unimplemented, "CAPABILITY_MISSING") {
            try await service.getCommitContext(.init(repositoryID: id, filepath: "a", lineNumber: 1), context: context)
        }
        await expectError(.unimplemented, "CAPABILITY_MISSING") {
            try await service.searchCode(.init(repositoryID: id, query: "one"), context: context)
        }
        await expectError(.unimplemented, "CAPABILITY_MISSING") {
            try await service.compareCommits(.init(repositoryID: id, head: "main"), context: context)
        }
        // A server without that provider.
        await expectError(.unimplemented, "CAPABILITY_MISSING") {
            try await world.gateway.service.getCommit(.init(repositoryID: id, sha: "main"), context: context)
        }
        await service.shutdown()
        await world.gateway.service.shutdown()
    }
}
