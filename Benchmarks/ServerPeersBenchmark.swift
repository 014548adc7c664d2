import ArgumentParser
import Foundation

/// CPU time for each call of other RPC servers and of ours, under the same load in the same run.
struct ServerPeersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "server-peers",
        abstract: "CPU time for each call, against gRPC servers in C++, Go and Swift and a gRPC-Web one in Python.",
        discussion: """
            scripts/benchmark-server-peers builds the peers and starts this. Servers run on core 0, h2load on core 1. \
            Workloads: \(PeerWorkload.all.map(\.name).joined(separator: ", ")).
            """
    )

    @Argument(
        help: "The built peers: cpp, cpp-synchronous, go, grpc-swift, sonora. One that is missing is left out.")
    var folder: String

    @Option(help: "Measurements of each server and workload, in turns; the median counts.")
    var rounds = 5

    @Option(help: "CPU time that a measurement takes of the server.")
    var seconds = 0.5

    @Option(help: "Run only workloads whose name contains this text.")
    var filter: String?

    @Flag(help: "Print one JSON object for each line of the table and each goal.")
    var json = false

    @Flag(help: "Fail when a goal is missed twice.")
    var check = false

    func run() async throws {
        try BenchmarksCommand.refuseDebugBuild()
        let workloads = PeerWorkload.all.filter { workload in filter.map { workload.name.contains($0) } ?? true }
        if workloads.isEmpty { throw ValidationError("no workload's name contains \"\(filter ?? "")\"") }
        let comparison = try PeerComparison(folder: folder)
        defer { comparison.stop() }
        if !json { print(PeerRow.heading) }
        var missed: [String] = []
        for workload in workloads {
            var row = try measure(workload, comparison)
            if check, row.goals.contains(where: { !$0.isMet }) { row = try measure(workload, comparison) }
            Progress.clear()
            print(json ? row.json : row.text)
            missed += row.goals.filter { !$0.isMet }.map(\.text)
        }
        if check, !missed.isEmpty { throw ValidationError("missed: " + missed.joined(separator: "; ")) }
    }

    /// Rounds of all servers in turn, so that what else the machine does hits all of them alike.
    private func measure(_ workload: PeerWorkload, _ comparison: PeerComparison) throws -> PeerRow {
        let servers = comparison.servers(of: workload)
        var requests: [String: Int] = [:]
        for server in servers {
            Progress.show("\(workload.name): \(server.name), warming up")
            try comparison.check(server, workload)
            let time = try comparison.microseconds(server, workload, requests: workload.warmup)
            let wanted = seconds * 1_000_000 / max(time, 0.5)
            requests[server.name] = max(workload.warmup, min(Int(wanted), 2_000_000))
        }
        var times: [String: [Double]] = [:]
        for round in 1...max(1, rounds) {
            for server in servers {
                Progress.show("\(workload.name): round \(round) of \(rounds), \(server.name)")
                let count = requests[server.name] ?? workload.warmup
                times[server.name, default: []].append(try comparison.microseconds(server, workload, requests: count))
            }
        }
        return PeerRow(workload: workload, microseconds: times.mapValues(BenchmarkTable.median))
    }
}

/// A call that all servers answer alike.
struct PeerWorkload {
    let name: String
    let method: String
    var connections = 8
    var streams = 32
    var isWeb = false
    let warmup: Int

    static let all = [
        PeerWorkload(name: "echo", method: "Unary", warmup: 5000),
        PeerWorkload(name: "list", method: "List", warmup: 1000),
        PeerWorkload(name: "stream", method: "Stream", connections: 1, streams: 4, warmup: 20),
        PeerWorkload(name: "web", method: "Unary", streams: 1, isWeb: true, warmup: 1000),
    ]

    var path: String { "/benchmark.Echo/\(method)" }
    var headers: [String] {
        ["-H", "content-type: application/grpc\(isWeb ? "-web+proto" : "")", "-H", "te: trailers"]
    }
}

/// The servers, started once.
final class PeerComparison {
    struct Server {
        let name: String
        let process: MeasuredServer
        let isWeb: Bool
    }

    static let ours = "ours"
    private static let peers = [
        ("C++ gRPC", "cpp"), ("C++ synchronous", "cpp-synchronous"), ("grpc-go", "go"), ("grpc-swift-2", "grpc-swift"),
        ("sonora", "sonora"),
    ]

    private var started: [Server] = []
    private let folder: URL
    private var frame: String { folder.appendingPathComponent("frame").path }

    /// Starts ours, asks it for the list that all others answer too, and starts them.
    init(folder peers: String) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("benchmarks-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try EchoRequest.frame.write(to: URL(fileURLWithPath: frame))
        do {
            let ours = try MeasuredServer.echo()
            started.append(Server(name: Self.ours, process: ours, isWeb: false))
            let list = folder.appendingPathComponent("list")
            try answer(started[0], PeerWorkload.all[1]).dropFirst(5).write(to: list)
            for (name, program) in Self.peers {
                let path = "\(peers)/\(program)"
                guard MeasuredServer.isInstalled(path) else {
                    Progress.note("\(name) is not built (\(path)); left out")
                    continue
                }
                let isWeb = program == "sonora"
                let process = try MeasuredServer.start([path, list.path], hasWorkers: isWeb)
                started.append(Server(name: name, process: process, isWeb: isWeb))
            }
        } catch {
            stop()
            throw error
        }
    }

    func stop() {
        for server in started { server.process.stop() }
        try? FileManager.default.removeItem(at: folder)
    }

    /// sonora speaks gRPC-Web only, the others do not.
    func servers(of workload: PeerWorkload) -> [Server] {
        started.filter { $0.name == Self.ours || $0.isWeb == workload.isWeb }
    }

    /// One call must answer what ours does: a server that fails quickly is no peer.
    func check(_ server: Server, _ workload: PeerWorkload) throws {
        let expected = try answer(started[0], workload)
        let found = try answer(server, workload)
        // gRPC-Web has the status in the body, and each server its own words for it.
        let length = workload.isWeb ? EchoRequest.frame.count : expected.count
        guard found.prefix(length) == expected.prefix(length), workload.isWeb || found.count == length else {
            throw ValidationError(
                "\(server.name) answers \(workload.name) with other bytes: \(found.count), not \(length)")
        }
    }

    func microseconds(_ server: Server, _ workload: PeerWorkload, requests: Int) throws -> Double {
        let load = Load(
            requests: requests, connections: workload.connections, streams: workload.streams, isHTTP1: workload.isWeb
        )
        return try load.cpuMicroseconds(
            server.process, path: workload.path, arguments: ["-d", frame] + workload.headers)
    }

    private func answer(_ server: Server, _ workload: PeerWorkload) throws -> Data {
        try ChildProcess.data(
            "curl",
            ["--silent", "--fail", "--max-time", "30", workload.isWeb ? "--http1.1" : "--http2-prior-knowledge"]
                + workload.headers
                + ["--data-binary", "@\(frame)", "http://127.0.0.1:\(server.process.port)\(workload.path)"]
        )
    }
}
