import FrameCodec
import Foundation
import RPC
import ScmAPI
import SiloRPC
import Storage
import Testing

@testable import ScmGateway

/// `x-scm-cache: no-store`: what was kept is not used, and nothing is kept.
@Suite(.timeLimit(.minutes(5))) struct FreshCallTests {
    private func fresh(_ gateway: Gateway, _ wish: String = "no-store") -> CallContext {
        var metadata = Metadata()
        metadata.add("x-scm-cache", wish)
        return gateway.context(metadata: metadata)
    }

    @Test func resultsAreFoundAnewAndNotKept() async throws {
        let git = try CountingGit()
        let gateway = try await Gateway { git.use(in: &$0.git) }
        let repository = try TestRepository()
        try repository.commit("first", ["a.txt": "one\ntwo\n"])
        let id = try await gateway.add(repository)
        let request = BlameFileRequest(repositoryID: id, path: "a.txt")
        #expect(try await gateway.blame(request, context: fresh(gateway)).count == 1)
        #expect(git.count("blame") == 1)
        // Not kept by the call before, but by this one.
        _ = try await gateway.blame(request)
        _ = try await gateway.blame(request)
        #expect(git.count("blame") == 2)
        _ = try await gateway.blame(request, context: fresh(gateway, "max-age=1, No-Store"))
        #expect(git.count("blame") == 3)
        _ = try await gateway.blame(request, context: fresh(gateway, "no-cache"))
        #expect(git.count("blame") == 3)
        // A batch uses what it has found itself: the lines of a file are one process.
        let lines = [1, 2].map { BlameLine(path: "a.txt", line: $0) }
        let batch = BatchGetCommitContextRequest(repositoryID: id, lines: lines, maxAgeDays: -1)
        let answer = try await gateway.service.batchGetCommitContext(batch, context: fresh(gateway))
        #expect(answer.results.map(\.status?.code) == [0, 0])
        #expect(git.count("blame") == 4)
        await gateway.service.shutdown()
    }

    @Test func rowsAndHeadAreLookedUpAnew() async throws {
        let gateway = try await Gateway {
            $0.repositoryCacheLifetime = .seconds(3600)
            $0.git.headFreshness = .seconds(3600)
        }
        let repository = try TestRepository()
        let first = try repository.commit("first", ["a.txt": "one\n"])
        let id = try await gateway.add(repository)
        func head(_ context: CallContext) async throws -> String {
            try await gateway.service.resolveRevision(.init(repositoryID: id), context: context).objectID
        }
        #expect(try await head(gateway.context()) == first.hex)
        let second = try repository.commit("second", ["a.txt": "two\n"])
        #expect(try await head(gateway.context()) == first.hex)
        #expect(try await head(fresh(gateway)) == second.hex)
        #expect(try await head(gateway.context()) == first.hex, "what a fresh call found is not kept")
        // Another process switches the repository off.
        try await gateway.database.write { _ = try $0.execute("UPDATE repositories SET status = 2") }
        #expect(try await head(gateway.context()) == first.hex)
        await expectError(.failedPrecondition, "REPOSITORY_INACTIVE") { try await head(fresh(gateway)) }
        let get = GetRepositoryRequest(selector: .repositoryID(id))
        #expect(try await gateway.service.getRepository(get, context: gateway.context()).status == .active)
        #expect(try await gateway.service.getRepository(get, context: fresh(gateway)).status == .disabled)
        let list = try await gateway.service.listRepositories(.init(), context: fresh(gateway))
        #expect(list.repositories.map(\.status) == [.disabled])
        await gateway.service.shutdown()
    }
}
