import ArgumentParser
import Foundation

/// CPU time for each request of our server and of its peers, under the same load in the same run.
struct ServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "server",
        abstract: "CPU time and allocations of each request over HTTP, against servers of static files in one run.",
        discussion: """
            Needs h2load, nghttpd and taskset, and nginx for one workload (Debian: nghttp2-client, \
            nghttp2-server, nginx-light). All servers run on one core, the load on another; CPU time is the \
            server's own, from /proc. Allocations are counted in a run of their own, for each request or, of a \
            stream, for each message; they need a C compiler. \
            Workloads: \(Workload.all.map(\.name).joined(separator: ", ")).
            """
    )

    @Option(help: "Requests in each measurement.")
    var requests = 200_000

    @Option(help: "Connections, where the workload does not say.")
    var connections = 8

    @Option(help: "Concurrent streams on each connection, where the workload does not say.")
    var streams = 32

    @Option(help: "Measurements of each server; the median counts.")
    var rounds = 5

    @Option(help: "Run only workloads whose name contains this text.")
    var filter: String?

    @Flag(help: "Print one JSON object for each line of the table.")
    var json = false

    func run() async throws {
        try BenchmarksCommand.refuseDebugBuild()
        let workloads = Workload.all.filter { workload in filter.map { workload.name.contains($0) } ?? true }
        if workloads.isEmpty { throw ValidationError("no workload's name contains \"\(filter ?? "")\"") }
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("benchmarks-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data(repeating: 0x78, count: 16).write(to: folder.appendingPathComponent("file"))
        let frame = folder.appendingPathComponent("frame")
        try EchoRequest.frame.write(to: frame)

        let counter = AllocationCounter(folder: folder.path)
        if counter == nil { Progress.note("there is no C compiler: allocations are not counted") }

        if !json { print(Self.row(["workload", "peer", "peer us", "our us", "ratio", "allocations", "goal"])) }
        for workload in workloads {
            if workload.isTLS { try EchoServerCommand.makeCertificate(folder: folder.path) }
            guard let peer = try workload.startPeer(folder: folder.path) else {
                Progress.note("\(workload.name): \(workload.peer.rawValue) is not installed; skipped")
                continue
            }
            defer { peer.stop() }
            let ours = try MeasuredServer.echo(workload.serverArguments(folder: folder.path))
            defer { ours.stop() }
            let allocations = try counter.map { try count(workload, $0, folder: folder.path, frame.path) }
            try measure(workload, ours, peer, allocations, frame.path)
        }
    }

    private func load(_ workload: Workload) -> Load {
        Load(
            requests: max(workload.connections ?? connections, requests / workload.costliness),
            connections: workload.connections ?? connections, streams: workload.streams ?? streams,
            isHTTP1: workload.isWeb
        )
    }

    /// Allocations for each message of the answers, of a server that is warm; connecting is a part of them.
    private func count(
        _ workload: Workload, _ counter: AllocationCounter, folder: String, _ frame: String
    ) throws -> Double {
        let server = try MeasuredServer.echo(
            workload.serverArguments(folder: folder), environment: counter.environment)
        defer { server.stop() }
        let load = load(workload)
        let arguments = workload.loadArguments(frame)
        try load.run(server, path: workload.path, arguments: arguments, isTLS: workload.isTLS)
        let before = counter.count
        try load.run(server, path: workload.path, arguments: arguments, isTLS: workload.isTLS)
        return Double(counter.count - before) / Double(load.requests * workload.messages)
    }

    private func measure(
        _ workload: Workload, _ ours: MeasuredServer, _ peer: MeasuredServer, _ allocations: Double?, _ frame: String
    ) throws {
        let load = load(workload)
        var peerTimes: [Double] = []
        var ourTimes: [Double] = []
        for _ in 1...max(1, rounds) {
            let arguments = workload.loadArguments(frame)
            peerTimes.append(
                workload.peer == .clearText
                    ? try load.cpuMicroseconds(peer, path: workload.path, arguments: arguments)
                    : try load.cpuMicroseconds(peer, path: "/file", arguments: []))
            ourTimes.append(
                try load.cpuMicroseconds(ours, path: workload.path, arguments: arguments, isTLS: workload.isTLS))
        }
        let (theirs, mine) = (BenchmarkTable.median(peerTimes), BenchmarkTable.median(ourTimes))
        if json {
            print(
                "{\"workload\":\"\(workload.name)\",\"peer\":\"\(workload.peer.rawValue)\","
                    + "\"peerMicroseconds\":\(theirs),\"microseconds\":\(mine),"
                    + "\"ratio\":\(mine / theirs),\"residentBytes\":\(ours.residentBytes),"
                    + "\"allocations\":\(allocations.map { "\($0)" } ?? "null")}"
            )
        } else {
            let cells =
                [theirs, mine, mine / theirs].map { BenchmarkTable.rounded($0) }
                + [allocations.map { BenchmarkTable.rounded($0) } ?? "-"]
            print(Self.row([workload.name, workload.peer.rawValue] + cells + [workload.goal]))
        }
    }

    private static func row(_ cells: [String]) -> String {
        cells.enumerated().map { index, cell in
            let width = index == 0 ? 14 : index == 5 ? 11 : index == 6 ? 0 : 9
            return cell + String(repeating: " ", count: max(0, width - cell.count))
        }.joined(separator: " ")
    }
}

/// What every workload sends.
enum EchoRequest {
    /// One frame: flags, length 18, BytesValue { value: 16 bytes }.
    static let frame = Data([0, 0, 0, 0, 18, 0x0A, 16] + [UInt8](repeating: 0x78, count: 16))
}

/// What is asked of the echo server, and whom it is compared with.
struct Workload {
    /// `clearText` is our own server without TLS.
    enum Peer: String {
        case nghttpd, nginx
        case clearText = "ours"
    }

    let name: String
    var method = "Unary"
    var peer = Peer.nghttpd
    var connections: Int?
    var streams: Int?
    var isSecured = false
    var isWeb = false
    var isTLS = false
    /// A request is worth that many echoes.
    var costliness = 1
    /// Of one answer.
    var messages = 1
    let goal: String

    static let all = [
        Workload(name: "echo", goal: "ratio 1.3"),
        Workload(name: "echo-async", method: "UnaryAsync", goal: "near echo"),
        Workload(name: "interceptors", isSecured: true, goal: "ratio 1.7"),
        Workload(name: "one-stream", connections: 1, streams: 1, costliness: 10, goal: "ratio 1.4"),
        Workload(name: "web", peer: .nginx, streams: 1, isWeb: true, costliness: 4, goal: "ratio 1.0"),
        Workload(name: "tls", peer: .clearText, isTLS: true, goal: "to clear text"),
        Workload(name: "list", method: "List", costliness: 20, goal: "under 28 us"),
        Workload(
            name: "stream", method: "Stream", connections: 1, streams: 4, costliness: 200, messages: 1000,
            goal: "under 1,000 us; 0 allocations"
        ),
    ]

    var path: String { "/benchmark.Echo/\(method)" }

    func serverArguments(folder: String) -> [String] {
        (isSecured ? ["--secured"] : [])
            + (isTLS ? EchoServerCommand.certificateArguments(folder: folder) : [])
    }

    func loadArguments(_ frame: String) -> [String] {
        let form = isWeb ? "application/grpc-web" : "application/grpc"
        let key = isSecured ? ["-H", "x-api-key: \(EchoServerCommand.key)"] : []
        return ["-d", frame, "-H", "content-type: \(form)", "-H", "te: trailers"] + key
    }

    /// nil when the peer is not installed.
    func startPeer(folder: String) throws -> MeasuredServer? {
        switch peer {
        case .nghttpd: try MeasuredServer.nghttpd(folder: folder)
        case .clearText: try MeasuredServer.echo()
        case .nginx: MeasuredServer.isInstalled("/usr/sbin/nginx") ? try .nginx(folder: folder) : nil
        }
    }
}

/// One run of h2load.
struct Load {
    let requests: Int
    let connections: Int
    let streams: Int
    let isHTTP1: Bool

    /// The server's CPU time for each request, in microseconds.
    func cpuMicroseconds(
        _ server: MeasuredServer, path: String, arguments: [String], isTLS: Bool = false
    ) throws -> Double {
        let before = server.cpuSeconds
        try run(server, path: path, arguments: arguments, isTLS: isTLS)
        return (server.cpuSeconds - before) * 1_000_000 / Double(requests)
    }

    func run(_ server: MeasuredServer, path: String, arguments: [String], isTLS: Bool = false) throws {
        let h2load = [
            "-c", "1", "h2load", "-n", "\(requests)", "-c", "\(connections)", "-m", "\(streams)", "-t", "1",
        ]
        let output = try ChildProcess.output(
            "taskset",
            h2load + (isHTTP1 ? ["--h1"] : []) + arguments
                + ["http\(isTLS ? "s" : "")://127.0.0.1:\(server.port)\(path)"]
        )
        guard !isTLS || output.contains("TLS Protocol: TLSv1.3") else {
            throw ValidationError("h2load did not speak TLS 1.3:\n\(output)")
        }
        guard output.contains("\(requests) succeeded, 0 failed") else {
            throw ValidationError("h2load had failures:\n\(output)")
        }
    }
}
