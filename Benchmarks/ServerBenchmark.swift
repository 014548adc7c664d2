import ArgumentParser
import Foundation

/// CPU time for each request of our server and of nghttpd, under the same load in the same run.
struct ServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "server",
        abstract: "Unary echo over HTTP/2: CPU per request against nghttpd serving a 16-byte file.",
        discussion: """
            Needs h2load and nghttpd (Debian: nghttp2-client, nghttp2-server) and taskset. Both servers run on one \
            core, the load on another; CPU time is the server's own, from /proc.
            """
    )

    @Option(help: "Requests in each measurement.")
    var requests = 200_000

    @Option(help: "Connections.")
    var connections = 8

    @Option(help: "Concurrent streams on each connection.")
    var streams = 32

    @Option(help: "Measurements of each server; the median counts.")
    var rounds = 5

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        try BenchmarksCommand.refuseDebugBuild()
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("benchmarks-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("file")
        let frame = folder.appendingPathComponent("frame")
        try Data(repeating: 0x78, count: 16).write(to: file)
        // One frame: flags, length 18, BytesValue { value: 16 bytes }.
        try Data([0, 0, 0, 0, 18, 0x0A, 16] + [UInt8](repeating: 0x78, count: 16)).write(to: frame)

        let nghttpd = try MeasuredServer.nghttpd(folder: folder.path)
        defer { nghttpd.stop() }
        let ours = try MeasuredServer.echo()
        defer { ours.stop() }
        let load = Load(requests: requests, connections: connections, streams: streams)
        var peerMicroseconds: [Double] = []
        var ourMicroseconds: [Double] = []
        for round in 1...max(1, rounds) {
            peerMicroseconds.append(try load.cpuMicroseconds(nghttpd, path: "/file", arguments: []))
            ourMicroseconds.append(
                try load.cpuMicroseconds(ours, path: "/benchmark.Echo/Unary", arguments: Load.grpcArguments(frame.path))
            )
            FileHandle.standardError.write(Data("round \(round) of \(max(1, rounds))\n".utf8))
        }
        report(peer: Self.median(peerMicroseconds), ours: Self.median(ourMicroseconds), memory: ours.residentBytes)
    }

    private func report(peer: Double, ours: Double, memory: Int) {
        let ratio = ours / peer
        if json {
            print(
                "{\"nghttpdMicroseconds\":\(peer),\"echoMicroseconds\":\(ours),\"ratio\":\(ratio),\"residentBytes\":\(memory)}"
            )
            return
        }
        print("unary echo, HTTP/2, \(connections) connections x \(streams) streams, CPU per request:")
        print("  nghttpd, 16-byte file   \(BenchmarkTable.rounded(peer)) us")
        print("  echo-server             \(BenchmarkTable.rounded(ours)) us")
        print("  ratio                   \(BenchmarkTable.rounded(ratio))")
        print("  echo-server's memory after the load: \(memory / 1024 / 1024) MiB resident")
    }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? .nan : sorted[sorted.count / 2]
    }
}

/// One run of h2load.
struct Load {
    let requests: Int
    let connections: Int
    let streams: Int

    static func grpcArguments(_ bodyPath: String) -> [String] {
        ["-d", bodyPath, "-H", "content-type: application/grpc", "-H", "te: trailers"]
    }

    /// The server's CPU time for each request, in microseconds.
    func cpuMicroseconds(_ server: MeasuredServer, path: String, arguments: [String]) throws -> Double {
        let before = server.cpuSeconds
        let h2load = [
            "-c", "1", "h2load", "-n", "\(requests)", "-c", "\(connections)", "-m", "\(streams)", "-t", "1",
        ]
        let output = try ChildProcess.output(
            "taskset", h2load + arguments + ["http://127.0.0.1:\(server.port)\(path)"]
        )
        guard output.contains("\(requests) succeeded, 0 failed") else {
            throw ValidationError("h2load had failures:\n\(output)")
        }
        return (server.cpuSeconds - before) * 1_000_000 / Double(requests)
    }
}

/// A server process pinned to core 0.
struct MeasuredServer {
    let process: Process
    let port: Int

    static func nghttpd(folder: String) throws -> MeasuredServer {
        let port = try ChildProcess.freePort()
        let process = try ChildProcess.start("taskset", ["-c", "0", "nghttpd", "--no-tls", "-d", folder, "\(port)"])
        for _ in 0..<100 where !ChildProcess.accepts(port: port) { Thread.sleep(forTimeInterval: 0.05) }
        return MeasuredServer(process: process, port: port)
    }

    static func echo() throws -> MeasuredServer {
        let pipe = Pipe()
        let process = try ChildProcess.start(
            "taskset", ["-c", "0", ProcessInfo.processInfo.arguments[0], "echo-server"], standardOutput: pipe
        )
        let line = String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
        guard let port = Int(line.trimmingCharacters(in: .whitespacesAndNewlines).dropFirst("ready ".count)) else {
            process.terminate()
            throw ValidationError("the echo server did not start: \(line)")
        }
        return MeasuredServer(process: process, port: port)
    }

    func stop() {
        kill(process.processIdentifier, SIGKILL)
        ChildProcess.wait(for: process)
    }

    /// User and system time so far, from fields 14 and 15 of /proc/PID/stat.
    var cpuSeconds: Double {
        guard let stat = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8),
            let name = stat.lastIndex(of: ")")
        else { return 0 }
        let fields = stat[name...].split(separator: " ")
        guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    var residentBytes: Int {
        let statm = (try? String(contentsOfFile: "/proc/\(process.processIdentifier)/statm", encoding: .utf8)) ?? ""
        let pages = statm.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}

enum ChildProcess {
    static func start(_ name: String, _ arguments: [String], standardOutput: Pipe? = nil) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [name] + arguments
        process.standardOutput = standardOutput ?? FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    static func output(_ name: String, _ arguments: [String]) throws -> String {
        let pipe = Pipe()
        let process = try start(name, arguments, standardOutput: pipe)
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        wait(for: process)
        guard process.terminationStatus == 0 else {
            throw ValidationError("\(name) \(arguments.joined(separator: " ")) failed; is it installed?")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// `waitUntilExit` needs a run loop, which the threads of Swift tasks do not have.
    static func wait(for process: Process) {
        while process.isRunning { Thread.sleep(forTimeInterval: 0.0001) }
    }

    /// A TCP port that was free a moment ago.
    static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 && getsockname(descriptor, generic, &length) == 0
            }
        }
        guard bound else { throw ValidationError("no free TCP port on 127.0.0.1") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    static func accepts(port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = loopback(port: UInt16(truncatingIfNeeded: port))
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    private static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
