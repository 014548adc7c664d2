import ArgumentParser
import Foundation
import FrameCodec
import HTTPTransport
import Logging
import NIOPosix
import RPC
import ScmAPI
import ScmGateway
import SiloRPC
import Storage

/// The gateway that is measured: the whole stack with key check, over a database that ``GatewayFixture`` made.
struct GatewayServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway-server", abstract: "Serves the gateway over a database until it is killed."
    )

    @Option(help: "The database's file.")
    var database: String

    @Option(help: "Event loop threads.")
    var threads = 1

    @Option(help: "Memory for results, resultCacheByteCount, in MiB.")
    var cache = 64

    func run() async throws {
        var logger = Logger(label: "gateway-server")
        logger.logLevel = .error
        var configuration = ScmGatewayConfiguration()
        configuration.git.resultCacheByteCount = cache << 20
        let running = try await RunningGateway.start(
            GatewayFixture.open(database), configuration,
            group: MultiThreadedEventLoopGroup(numberOfThreads: threads), logger: logger
        )
        FileHandle.standardOutput.write(Data("ready \(running.http.port)\n".utf8))
        try await Task.sleep(for: .seconds(7200))
    }
}

/// A gateway in this process.
struct RunningGateway {
    let service: ScmGatewayService
    let http: HTTPServer

    static func start(
        _ database: Database, _ configuration: ScmGatewayConfiguration, group: MultiThreadedEventLoopGroup,
        logger: Logger
    ) async throws -> RunningGateway {
        let service = try ScmGatewayService(configuration: configuration, database: database, logger: logger)
        let server = RPCServer(
            services: [service], interceptors: [APIKeyInterceptor(keys: APIKeyStore(database))],
            routes: [MemoryReport.route(service)], logger: logger
        )
        let http = try await HTTPServer.start(HTTPServerConfiguration(), group: group, logger: logger, service: server)
        return RunningGateway(service: service, http: http)
    }

    func channel(_ fixture: GatewayFixture) -> RPCChannel {
        fixture.channel(port: http.port)
    }

    func stop() async {
        await http.shutdown(gracePeriod: .zero)
        await service.shutdown()
    }
}

/// A database with an organization, a key, the measured repository, and copies of a small one.
struct GatewayFixture {
    let folder: URL
    let key: String
    /// Row of the measured repository.
    let repositoryID: Int64
    /// Rows of the copies.
    let smallIDs: [Int64]

    var databasePath: String { folder.appendingPathComponent("benchmark.sqlite").path }

    static func open(_ path: String) throws -> Database {
        try Database.open(path: path, migrations: SiloSchema.migrations + ScmGatewaySchema.migrations)
    }

    static func make(repository: String, smallCount: Int = 0) async throws -> GatewayFixture {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("benchmarks-\(UUID().uuidString)")
        let database = try open(folder.appendingPathComponent("benchmark.sqlite").path)
        let organization = try await OrganizationStore(database).create(slug: "benchmark")
        let key = try await APIKeyStore(database).create(organizationID: organization.id, name: "b", scopes: [.read])
        let store = RepositoryStore(database)
        let id = try await store.add(path: repository, organizationID: organization.id).id
        var smallIDs: [Int64] = []
        if smallCount > 0 {
            let first = folder.appendingPathComponent("small-0").path
            try makeSmall(first)
            for number in 0..<smallCount {
                let path = folder.appendingPathComponent("small-\(number)").path
                if number > 0 { try FileManager.default.copyItem(atPath: first, toPath: path) }
                smallIDs.append(try await store.add(path: path, organizationID: organization.id).id)
            }
        }
        try database.close()
        return GatewayFixture(folder: folder, key: key.text, repositoryID: id, smallIDs: smallIDs)
    }

    /// Ten commits on ten files, packed.
    private static func makeSmall(_ path: String) throws {
        func git(_ arguments: String...) throws {
            let identity = ["-c", "user.name=B", "-c", "user.email=b@example.org", "-c", "gc.auto=0"]
            _ = try ChildProcess.output("git", ["-C", path] + identity + arguments)
        }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try git("init", "-q", "-b", "main")
        for number in 0..<10 {
            for file in 0...number {
                let text = (0..<50).map { "line \($0) of \(file), version \(($0 + number) % 10 == 0 ? number : 0)\n" }
                    .joined()
                try text.write(toFile: "\(path)/file\(file).txt", atomically: true, encoding: .utf8)
            }
            try git("add", "-A")
            try git("commit", "-qm", "commit \(number)")
        }
        try git("gc", "-q")
        for name in ["hooks", "logs", "info"] { try? FileManager.default.removeItem(atPath: "\(path)/.git/\(name)") }
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }

    func channel(port: Int) -> RPCChannel {
        var configuration = RPCChannel.Configuration(host: "127.0.0.1", port: port)
        configuration.metadata.add("x-api-key", key)
        return RPCChannel(configuration, group: MultiThreadedEventLoopGroup.singleton)
    }

    /// The server as a process of its own.
    func startServer(threads: Int = 1, pinned: Bool = true, cacheMiB: Int = 64) throws -> MeasuredServer {
        try MeasuredServer.ours(
            ["gateway-server", "--database", databasePath, "--threads", "\(threads)", "--cache", "\(cacheMiB)"],
            pinned: pinned
        )
    }
}

/// Time on a core of this process, of the processes that it has reaped, and of those that it keeps, such as
/// `git cat-file`.
struct CPUTime {
    private let start = Self.now

    var seconds: Double { Self.now - start }

    private static var now: Double {
        var total = 0.0
        for who in [RUSAGE_SELF.rawValue, RUSAGE_CHILDREN.rawValue] {
            var usage = rusage()
            getrusage(who, &usage)
            for time in [usage.ru_utime, usage.ru_stime] { total += Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        }
        return total + runningChildren
    }

    private static var runningChildren: Double {
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
        let children = threads.flatMap { thread in
            text("/proc/self/task/\(thread)/children").split(separator: " ").map(String.init)
        }
        return children.reduce(0) { total, child in
            total + (text("/proc/\(child)/schedstat").split(separator: " ").first.flatMap { Double($0) } ?? 0) / 1e9
        }
    }

    private static func text(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
}

enum Median {
    static func of(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? .nan : sorted[sorted.count / 2]
    }
}
