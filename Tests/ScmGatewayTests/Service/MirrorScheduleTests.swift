import FrameCodec
import Foundation
import RPC
import ScmAPI
import SiloRPC
import Storage
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct MirrorScheduleTests {
    @Test("the next fetch: interval, jitter, failures", arguments: [
        (1000, 0, 0.0, 1000), (1000, 0, 1.0, 1100), (1000, 0, -1.0, 900), (1000, 0, 7.0, 1100), (0, 3, 0.0, nil),
        (1000, 1, 0.0, 2000), (1000, 3, 0.0, 8000), (1000, 16, 0.0, 65_536_000), (10_000, 60, 0.0, 86_400_000),
        (100_000_000, 2, 0.0, 100_000_000), (1000, -1, 0.0, 1000),
    ] as [(Int64, Int64, Double, Int64?)])
    func next(interval: Int64, failures: Int64, jitter: Double, expected: Int64?) {
        let found = MirrorSchedule.next(after: 5, interval: interval, failures: failures, jitter: jitter)
        #expect(found == expected.map { $0 + 5 } ?? 0)
    }

    private func gateway(_ source: TestRepository, every interval: Duration) async throws -> Gateway {
        let gateway = try await Gateway {
            $0.repositoryRoots = [source.path]
            $0.mirrors.schemes = ["file"]
            $0.mirrors.fetchInterval = interval
        }
        try await gateway.service.resume()
        return gateway
    }

    private func add(_ gateway: Gateway, _ source: TestRepository) async throws -> Int64 {
        try await gateway.service.createRepository(
            CreateRepositoryRequest(provider: .localGit, identifier: "file://\(source.path)"),
            context: gateway.context()
        ).id
    }

    /// Waits until the mirror is as wanted.
    private func mirror(_ gateway: Gateway, _ id: Int64, until isWanted: (Mirror) -> Bool) async throws -> Mirror {
        for _ in 0..<1500 {
            let found = try await gateway.service.getRepository(
                GetRepositoryRequest(selector: .repositoryID(id)), context: gateway.context())
            if let mirror = found.mirror, isWanted(mirror) { return mirror }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw TimedOut()
    }

    private struct TimedOut: Error {}

    private func update(_ gateway: Gateway, _ id: Int64, _ interval: Protobuf.Duration?) async throws -> Repository {
        try await gateway.service.updateRepository(
            UpdateRepositoryRequest(
                repository: Repository(id: id, mirror: Mirror(fetchInterval: interval)),
                updateMask: Protobuf.FieldMask(paths: ["mirror.fetch_interval"])
            ),
            context: gateway.context()
        )
    }

    @Test("a mirror is fetched by itself, fails, and comes back")
    func fetchesByItself() async throws {
        let source = try TestRepository()
        try source.commit("first", ["a.txt": "one\n"])
        let gateway = try await gateway(source, every: .milliseconds(200))
        let id = try await add(gateway, source)
        let ready = try await mirror(gateway, id) { $0.state == .ready }
        #expect(ready.nextFetchAt != nil && ready.maintainedAt != nil && ready.fetchInterval == nil)
        let head = try source.commit("second", ["a.txt": "two\n"])
        for _ in 0..<1500 {
            let found = try? await gateway.service.getCommit(
                GetCommitRequest(repositoryID: id, sha: head.hex), context: gateway.context())
            if found != nil { break }
            try await Task.sleep(for: .milliseconds(20))
        }
        _ = try await gateway.service.getCommit(
            GetCommitRequest(repositoryID: id, sha: head.hex), context: gateway.context())

        let away = source.path + ".away"
        try FileManager.default.moveItem(atPath: source.path, toPath: away)
        let failed = try await mirror(gateway, id) { $0.failureCount > 1 }
        #expect(failed.error != nil && failed.fetchedAt != nil)
        try FileManager.default.moveItem(atPath: away, toPath: source.path)
        #expect(try await mirror(gateway, id) { $0.state == .ready && $0.failureCount == 0 }.error == nil)
        await gateway.service.shutdown()
    }

    @Test("a mirror's own interval: never, its own, the server's again")
    func override() async throws {
        let source = try TestRepository()
        try source.commit("first", ["a.txt": "one\n"])
        let gateway = try await gateway(source, every: .seconds(3600))
        let id = try await add(gateway, source)
        _ = try await mirror(gateway, id) { $0.state == .ready }
        let never = try await update(gateway, id, Protobuf.Duration(seconds: 0)).mirror
        #expect(never?.nextFetchAt == nil && never?.fetchInterval == Protobuf.Duration(seconds: 0))
        let daily = try #require(try await update(gateway, id, Protobuf.Duration(seconds: 86_400)).mirror)
        let wait = try #require(daily.nextFetchAt).seconds - EpochTime.now / 1000
        #expect((77_000...95_100).contains(wait) && daily.fetchInterval?.seconds == 86_400)
        let back = try await update(gateway, id, nil).mirror
        #expect(back?.fetchInterval == nil && back?.nextFetchAt != nil)
        for bad in [Protobuf.Duration(seconds: 59), Protobuf.Duration(seconds: 31_536_001),
            Protobuf.Duration(seconds: 60, nanos: 1), Protobuf.Duration(seconds: -60)]
        {
            await expectError(.invalidArgument, "BAD_REQUEST") { try await update(gateway, id, bad) }
        }
        await expectError(.invalidArgument, "BAD_REQUEST") {
            try await update(gateway, try await gateway.add(source), Protobuf.Duration(seconds: 60))
        }
        // The command line.
        let store = RepositoryStore(gateway.database)
        try await store.setMirrorInterval(120, of: id, server: .seconds(3600), isDueNow: true)
        let line = try #require(try await store.mirrors().first)
        #expect(line.id == id && line.interval == 120 && line.nextFetchAt <= EpochTime.now && line.state == "ready")
        await #expect(throws: RepositoryStoreError.self) {
            try await store.setMirrorInterval(nil, of: 4711, server: .seconds(3600))
        }
        await gateway.service.shutdown()
    }

    @Test("at start mirrors that follow the server are spread over its interval, or are never due")
    func adopt() async throws {
        let source = try TestRepository()
        try source.commit("first", ["a.txt": "one\n"])
        let gateway = try await gateway(source, every: .zero)
        let id = try await add(gateway, source)
        #expect(try await mirror(gateway, id) { $0.state == .ready }.nextFetchAt == nil)
        try await gateway.database.write { try MirrorRows.adopt(interval: 60_000, $0) }
        let next = try await RepositoryStore(gateway.database).mirrors().first?.nextFetchAt ?? 0
        #expect((EpochTime.now - 10_000...EpochTime.now + 60_000).contains(next))
        #expect(try await gateway.database.read { try MirrorRows.due(EpochTime.now + 61_000, $0) }.map(\.id) == [id])
        try await gateway.database.write { try MirrorRows.adopt(interval: 0, $0) }
        #expect(try await gateway.database.read { try MirrorRows.due(.max, $0) }.isEmpty)
        await gateway.service.shutdown()
    }

    @Test("a copy of many packs is cleaned up beside its readers")
    func maintenance() async throws {
        let source = try TestRepository()
        try source.commit("first", ["a.txt": "one\n"])
        let gateway = try await gateway(source, every: .seconds(3600))
        let id = try await add(gateway, source)
        let first = try await mirror(gateway, id) { $0.state == .ready }
        let row = try #require(try await gateway.database.read {
            try RepositoryRows.find(id: id, organizationID: gateway.first, $0)
        })
        let packs = row.gitFolder + "/objects/pack"
        func count() -> Int {
            ((try? FileManager.default.contentsOfDirectory(atPath: packs)) ?? []).count { $0.hasSuffix(".pack") }
        }
        var head = ""
        while count() <= MirrorMaintenance.maximumPackCount {
            head = try source.commit("next", ["a.txt": UUID().uuidString]).hex
            let responses = ResponseWriter<SyncRepositoriesResponse> { _ in }
            try await gateway.service.syncRepositories(
                SyncRepositoriesRequest(repositoryIDs: [id], fetchMirrors: true), responses: responses,
                context: gateway.context())
        }
        let cleaned = try await mirror(gateway, id) { $0.maintainedAt != first.maintainedAt }
        #expect(count() < 3 && cleaned.size > 0)
        let found = try await gateway.service.getCommit(
            GetCommitRequest(repositoryID: id, sha: head), context: gateway.context())
        #expect(found.key == head)
        await gateway.service.shutdown()
    }
}
