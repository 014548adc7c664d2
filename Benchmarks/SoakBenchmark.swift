import ArgumentParser
import Foundation
import FrameCodec
import RPC
import ScmAPI
import Synchronization

/// Many clients, many repositories, all kinds of calls, for a while.
struct SoakCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "soak",
        abstract: "Mixed load of many clients over many repositories: latencies, errors, memory of the server.",
        discussion: "Needs curl. Clients go at it without a rest until the server's cache of results is full; "
            + "then the time begins."
    )

    @Option(help: "How long, in seconds, once the server's caches are full.")
    var seconds = 30

    @Option(help: "Clients, each with a connection of its own and one call at a time.")
    var clients = 64

    @Option(help: "Repositories.")
    var repositories = 1000

    @Option(help: "Milliseconds that a client rests after a call; 0 keeps all of them at it.")
    var rest = 20

    @Option(help: "Memory of the server for results, in MiB.")
    var cache = 64

    @Option(help: "Longest time for filling the server's caches, in seconds.")
    var warmUp = 300

    func run() async throws {
        try BenchmarksCommand.refuseDebugBuild()
        let fixture = try await GatewayFixture.make(repository: ".", smallCount: repositories)
        defer { fixture.remove() }
        let server = try fixture.startServer(threads: 2, pinned: false, cacheMiB: cache)
        defer { server.stop() }
        let record = SoakRecord()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<clients {
                group.addTask { try await client(number, fixture, server.port, record) }
            }
            group.addTask {
                try await fill(server)
                record.start()
                try await watch(server)
                record.stop()
            }
            try await group.waitForAll()
        }
        report(record)
    }

    /// Waits until the cache of results is full.
    private func fill(_ server: MeasuredServer) async throws {
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(warmUp) {
            try await Task.sleep(for: .seconds(5))
            let memory = try MemoryReport.of(server)
            print("filling  \(memory.text)")
            if memory.isFull { return }
        }
        print("the cache of results is not full after \(warmUp) s: memory will still grow")
    }

    private func watch(_ server: MeasuredServer) async throws {
        var samples: [MemoryReport] = []
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            try await Task.sleep(for: .seconds(max(1, Double(seconds) / 30)))
            samples.append(try MemoryReport.of(server))
            if samples.count % 3 == 0 { print("running  \(samples[samples.count - 1].text)") }
        }
        guard let first = samples.first, let last = samples.last else { return }
        // A sample may catch a list of 50 rows more or less: thirds are steadier than ends.
        let third = max(1, samples.count / 3)
        let (early, late) = (mean(samples.prefix(third)), mean(samples.suffix(third)))
        print("memory: \(first.resident >> 20) MiB at the beginning, \(last.resident >> 20) at the end; "
            + "last third to first third \(BenchmarkTable.rounded(late / early))")
    }

    private func mean(_ samples: ArraySlice<MemoryReport>) -> Double {
        samples.reduce(0) { $0 + Double($1.resident) } / Double(max(1, samples.count))
    }

    private func client(
        _ number: Int, _ fixture: GatewayFixture, _ port: Int, _ record: SoakRecord
    ) async throws {
        let channel = fixture.channel(port: port)
        let client = ScmServiceClient(channel: channel)
        var dice = SplitMix(state: UInt64(number + 1))
        while record.phase != .over, !Task.isCancelled {
            let id = fixture.smallIDs.randomElement(using: &dice) ?? fixture.repositoryID
            let kind = SoakCall.all[Int(dice.next() % UInt64(SoakCall.all.count))]
            let line = Int32(dice.next() % 50 + 1)
            let file = "file\(dice.next() % 10).txt"
            let start = ContinuousClock.now
            do {
                try await kind.run(client, id, file, line)
                record.add(kind.name, ContinuousClock.now - start)
            } catch {
                record.fail("\(kind.name): \(error)")
            }
            if rest > 0, record.phase == .counting { try await Task.sleep(for: .milliseconds(rest)) }
        }
        await channel.close()
    }

    private func report(_ record: SoakRecord) {
        let all = record.times.values.flatMap { $0 }.sorted()
        func milliseconds(_ sorted: [Double], _ share: Double) -> Double {
            sorted.isEmpty ? .nan : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))] * 1e3
        }
        print(
            "\(all.count) calls, \(record.failures.count) failed, \(clients) clients, \(repositories) repositories, "
                + "\(seconds) s"
        )
        for failure in record.failures.prefix(3) { print("  \(failure)") }
        print("call              p50 ms   p99 ms")
        for (name, times) in record.times.sorted(by: { $0.key < $1.key }) + [("all", all)] {
            let sorted = times.sorted()
            print(
                [
                    name, BenchmarkTable.rounded(milliseconds(sorted, 0.5)),
                    BenchmarkTable.rounded(milliseconds(sorted, 0.99))
                ]
                .map { $0.padding(toLength: 16, withPad: " ", startingAt: 0) }.joined(separator: " "))
        }
        let (middle, last) = (milliseconds(all, 0.5), milliseconds(all, 0.99))
        print("p99 / p50 \(BenchmarkTable.rounded(last / middle)), goal 10")
    }
}

/// A kind of call of the mixed load.
private struct SoakCall: Sendable {
    let name: String
    let run: @Sendable (ScmServiceClient, Int64, String, Int32) async throws -> Void

    /// A commit that lacks a file, or a line, is an answer like any other.
    static let all = [
        SoakCall(name: "context") { client, id, file, line in
            _ = try await client.getCommitContext(
                GetCommitContextRequest(repositoryID: id, filepath: file, lineNumber: line, maxAgeDays: -1))
        },
        SoakCall(name: "commit") { client, id, _, _ in
            _ = try await client.getCommit(GetCommitRequest(repositoryID: id, sha: "HEAD"))
        },
        SoakCall(name: "file") { client, id, file, _ in
            for try await _ in try await client.getFile(GetFileRequest(repositoryID: id, path: file)) {}
        },
        SoakCall(name: "tree") { client, id, _, _ in
            for try await _ in try await client.getTree(GetTreeRequest(repositoryID: id, recursive: true)) {}
        },
        SoakCall(name: "commits") { client, id, _, _ in
            _ = try await client.listCommits(ListCommitsRequest(repositoryID: id, pageSize: 10))
        },
        SoakCall(name: "repositories") { client, id, _, _ in
            _ = try await client.listRepositories(ListRepositoriesRequest(pageSize: 50))
        },
        SoakCall(name: "blame") { client, id, file, _ in
            for try await _ in try await client.blameFile(BlameFileRequest(repositoryID: id, path: file)) {}
        },
        SoakCall(name: "search") { client, id, _, line in
            _ = try await client.searchCode(SearchCodeRequest(repositoryID: id, query: "line \(line)"))
        },
    ]
}

private final class SoakRecord: Sendable {
    enum Phase { case filling, counting, over }

    private let state = Mutex<(phase: Phase, times: [String: [Double]], failures: [String])>((.filling, [:], []))

    /// Calls of the first phase do not count, their failures do.
    func add(_ name: String, _ time: Duration) {
        let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
        state.withLock { state in
            if state.phase == .counting { state.times[name, default: []].append(seconds) }
        }
    }

    func fail(_ text: String) { state.withLock { $0.failures.append(text) } }
    func start() { state.withLock { $0.phase = .counting } }
    func stop() { state.withLock { $0.phase = .over } }

    var phase: Phase { state.withLock { $0.phase } }
    var times: [String: [Double]] { state.withLock { $0.times } }
    var failures: [String] { state.withLock { $0.failures } }
}

/// The same numbers each time.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
