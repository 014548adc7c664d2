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
        abstract: "Mixed load of many clients over many repositories: latencies, errors, memory of the server."
    )

    @Option(help: "How long, in seconds.")
    var seconds = 30

    @Option(help: "Clients, each with a connection of its own and one call at a time.")
    var clients = 64

    @Option(help: "Repositories.")
    var repositories = 1000

    @Option(help: "Milliseconds that a client rests after a call; 0 keeps all of them at it.")
    var rest = 20

    func run() async throws {
        try BenchmarksCommand.refuseDebugBuild()
        let fixture = try await GatewayFixture.make(repository: ".", smallCount: repositories)
        defer { fixture.remove() }
        let server = try fixture.startServer(threads: 2, pinned: false)
        defer { server.stop() }
        let record = SoakRecord()
        let end = ContinuousClock.now + .seconds(seconds)
        let memory = try await withThrowingTaskGroup(of: [Int].self) { group in
            for number in 0..<clients {
                group.addTask {
                    try await client(number, fixture, server.port, until: end, record)
                    return []
                }
            }
            group.addTask {
                var samples: [Int] = []
                while ContinuousClock.now < end {
                    try await Task.sleep(for: .seconds(max(1, Double(seconds) / 30)))
                    samples.append(server.residentBytes)
                }
                return samples
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        report(record, memory)
    }

    private func client(
        _ number: Int, _ fixture: GatewayFixture, _ port: Int, until end: ContinuousClock.Instant, _ record: SoakRecord
    ) async throws {
        let channel = fixture.channel(port: port)
        let client = ScmServiceClient(channel: channel)
        var dice = SplitMix(state: UInt64(number + 1))
        while ContinuousClock.now < end {
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
            if rest > 0 { try await Task.sleep(for: .milliseconds(rest)) }
        }
        await channel.close()
    }

    private func report(_ record: SoakRecord, _ memory: [Int]) {
        let all = record.times.values.flatMap { $0 }.sorted()
        func milliseconds(_ sorted: [Double], _ share: Double) -> Double {
            sorted.isEmpty ? .nan : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))] * 1e3
        }
        print("\(all.count) calls, \(record.failures.count) failed, \(clients) clients, \(repositories) repositories, \(seconds) s")
        for failure in record.failures.prefix(3) { print("  \(failure)") }
        print("call              p50 ms   p99 ms")
        for (name, times) in record.times.sorted(by: { $0.key < $1.key }) + [("all", all)] {
            let sorted = times.sorted()
            print([name, BenchmarkTable.rounded(milliseconds(sorted, 0.5)), BenchmarkTable.rounded(milliseconds(sorted, 0.99))]
                .map { $0.padding(toLength: 16, withPad: " ", startingAt: 0) }.joined(separator: " "))
        }
        let (middle, last) = (milliseconds(all, 0.5), milliseconds(all, 0.99))
        print("p99 / p50 \(BenchmarkTable.rounded(last / middle)), goal 10")
        // The first third fills caches.
        let tail = memory.dropFirst(memory.count / 3)
        if let first = tail.first, let last = tail.last {
            print("memory after a third \(first >> 20) MiB, at the end \(last >> 20) MiB, "
                + "ratio \(BenchmarkTable.rounded(Double(last) / Double(first)))")
        }
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
    private let state = Mutex<(times: [String: [Double]], failures: [String])>(([:], []))

    func add(_ name: String, _ time: Duration) {
        let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
        state.withLock { $0.times[name, default: []].append(seconds) }
    }

    func fail(_ text: String) { state.withLock { $0.failures.append(text) } }

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
