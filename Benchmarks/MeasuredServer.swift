import ArgumentParser
import Foundation

/// A server process pinned to core 0.
struct MeasuredServer {
    let process: Process
    let port: Int
    /// A server that starts others to do its work.
    var hasWorkers = false

    static func nghttpd(folder: String) throws -> MeasuredServer {
        let port = try ChildProcess.freePort()
        let process = try ChildProcess.start(["taskset", "-c", "0", "nghttpd", "--no-tls", "-d", folder, "\(port)"])
        for _ in 0..<100 where !ChildProcess.accepts(port: port) { Thread.sleep(forTimeInterval: 0.05) }
        return MeasuredServer(process: process, port: port)
    }

    static func nginx(folder: String) throws -> MeasuredServer {
        let port = try ChildProcess.freePort()
        let configuration = """
            daemon off; master_process off; pid \(folder)/nginx.pid; error_log stderr crit;
            events { worker_connections 1024; }
            http {
              access_log off; keepalive_requests 100000000; sendfile on; tcp_nodelay on;
              server { listen 127.0.0.1:\(port); root \(folder); }
            }
            """
        try configuration.write(toFile: folder + "/nginx.conf", atomically: true, encoding: .utf8)
        let process = try ChildProcess.start(
            ["taskset", "-c", "0", "/usr/sbin/nginx", "-p", folder, "-c", folder + "/nginx.conf"]
        )
        for _ in 0..<100 where !ChildProcess.accepts(port: port) { Thread.sleep(forTimeInterval: 0.05) }
        return MeasuredServer(process: process, port: port)
    }

    static func echo(_ arguments: [String] = [], environment: [String: String] = [:]) throws -> MeasuredServer {
        try ours(["echo-server"] + arguments, environment: environment)
    }

    /// A subcommand of this program that prints `ready PORT`.
    static func ours(
        _ arguments: [String], pinned: Bool = true, environment: [String: String] = [:]
    ) throws -> MeasuredServer {
        try start([ProcessInfo.processInfo.arguments[0]] + arguments, pinned: pinned, environment: environment)
    }

    /// A program that prints `ready PORT`.
    static func start(
        _ command: [String], pinned: Bool = true, hasWorkers: Bool = false, environment: [String: String] = [:]
    ) throws -> MeasuredServer {
        let pipe = Pipe()
        let pinning = pinned ? ["taskset", "-c", "0"] : []
        let process = try ChildProcess.start(pinning + command, standardOutput: pipe, environment: environment)
        let line = String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
        guard let port = Int(line.trimmingCharacters(in: .whitespacesAndNewlines).dropFirst("ready ".count)) else {
            process.terminate()
            throw ValidationError("\(command[0]) did not start: \(line)")
        }
        return MeasuredServer(process: process, port: port, hasWorkers: hasWorkers)
    }

    static func isInstalled(_ path: String) -> Bool { FileManager.default.isExecutableFile(atPath: path) }

    func stop() {
        for identifier in processIdentifiers { kill(identifier, SIGKILL) }
        ChildProcess.wait(for: process)
    }

    private var processIdentifiers: [pid_t] {
        guard hasWorkers else { return [process.processIdentifier] }
        let path = "/proc/\(process.processIdentifier)/task/\(process.processIdentifier)/children"
        let children = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return [process.processIdentifier] + children.split(separator: " ").compactMap { pid_t($0) }
    }

    /// Time on a core so far, of all threads, ended ones too.
    var cpuSeconds: Double {
        processIdentifiers.reduce(0) { total, identifier in
            // The CPU-time clock of a process, as clock_getcpuclockid(3) would name it.
            var time = timespec()
            guard clock_gettime(clockid_t((~identifier << 3) | 2), &time) == 0 else { return total }
            return total + Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
    }

    /// Areas of the server's address space: the kernel allows 65,530 (vm.max_map_count).
    var mappingCount: Int {
        let maps = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/maps", encoding: .utf8)
        return maps?.split(separator: "\n").count ?? 0
    }

    var residentBytes: Int {
        let statm = (try? String(contentsOfFile: "/proc/\(process.processIdentifier)/statm", encoding: .utf8)) ?? ""
        let pages = statm.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}

enum ChildProcess {
    /// - Parameter environment: in addition to this process's own.
    static func start(
        _ command: [String], standardOutput: Pipe? = nil, environment: [String: String] = [:]
    ) throws -> Process {
        let process = Process()
        if !environment.isEmpty {
            process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        }
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = standardOutput ?? FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    static func output(_ name: String, _ arguments: [String]) throws -> String {
        String(decoding: try data(name, arguments), as: UTF8.self)
    }

    static func data(_ name: String, _ arguments: [String]) throws -> Data {
        let pipe = Pipe()
        let process = try start([name] + arguments, standardOutput: pipe)
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        wait(for: process)
        guard process.terminationStatus == 0 else {
            throw ValidationError("\(name) \(arguments.joined(separator: " ")) failed; is it installed?")
        }
        return data
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
