import ArgumentParser
import Foundation
import HTTPTransport
import Logging
import NIOPosix
import RPC
import ScmAPI
import ScmGateway
import SiloRPC
import Storage

/// GetCommitContext through client, socket, key check and git, against the git command itself.
struct BlameCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "blame",
        abstract: "Blame of one line over HTTP/2: cold and repeated, against `git blame -L n,n --porcelain`."
    )

    @Option(help: "Git repository.")
    var repository = "."

    @Option(help: "File in it, with at least as many lines as --lines.")
    var file = "Package.swift"

    @Option(help: "Lines to blame, each once cold.")
    var lines = 40

    @Flag(help: "Print JSON.")
    var json = false

    func run() async throws {
        try BenchmarksCommand.refuseDebugBuild()
        guard lines >= 2 else { throw ValidationError("--lines must be at least 2") }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("benchmarks-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try Database.open(
            path: folder.appendingPathComponent("benchmark.sqlite").path,
            migrations: SiloSchema.migrations + ScmGatewaySchema.migrations
        )
        let organization = try await OrganizationStore(database).create(slug: "benchmark")
        let key = try await APIKeyStore(database).create(organizationID: organization.id, name: "b", scopes: [.read])
        let stored = try await RepositoryStore(database).add(path: repository, organizationID: organization.id)
        let logger = Logger(label: "benchmark")
        let service = try ScmGatewayService(
            configuration: ScmGatewayConfiguration(), database: database, logger: logger)
        let server = RPCServer(
            services: [service], interceptors: [APIKeyInterceptor(keys: APIKeyStore(database))], logger: logger
        )
        let http = try await HTTPServer.start(
            HTTPServerConfiguration(), group: MultiThreadedEventLoopGroup.singleton, logger: logger,
            service: server
        )
        var configuration = RPCChannel.Configuration(host: "127.0.0.1", port: http.port)
        configuration.metadata.add("x-api-key", key.text)
        let channel = RPCChannel(configuration, group: MultiThreadedEventLoopGroup.singleton)
        try await measure(ScmServiceClient(channel: channel), repositoryID: stored.id)
        await channel.close()
        await http.shutdown(gracePeriod: .zero)
        await service.shutdown()
    }

    private func measure(_ client: ScmServiceClient, repositoryID: Int64) async throws {
        var git: [Double] = []
        var cold: [Double] = []
        var repeated: [Double] = []
        for line in 1...lines {
            let request = GetCommitContextRequest(
                repositoryID: repositoryID, filepath: file, lineNumber: Int32(clamping: line), maxAgeDays: -1
            )
            let gitTime = try microseconds { try runGit(line: line) }
            let coldTime = try await microseconds { _ = try await client.getCommitContext(request) }
            // The first call of all also starts the server's git processes: it warms up and does not count.
            guard line > 1 else { continue }
            git.append(gitTime)
            cold.append(coldTime)
            for _ in 0..<20 {
                repeated.append(try await microseconds { _ = try await client.getCommitContext(request) })
            }
        }
        report(git: Self.median(git), cold: Self.median(cold), repeated: Self.median(repeated))
    }

    private func runGit(line: Int) throws {
        let arguments = ["-C", repository, "blame", "-L", "\(line),\(line)", "--porcelain", "HEAD", "--", file]
        _ = try ChildProcess.output("git", arguments)
    }

    private func report(git: Double, cold: Double, repeated: Double) {
        if json {
            print("{\"gitMicroseconds\":\(git),\"coldMicroseconds\":\(cold),\"repeatedMicroseconds\":\(repeated)}")
            return
        }
        print("blame of one line of \(file), medians of \(lines - 1) lines, wall time:")
        print("  git blame -L n,n --porcelain   \(BenchmarkTable.rounded(git)) us")
        print(
            "  GetCommitContext, cold         \(BenchmarkTable.rounded(cold)) us, "
                + "\(BenchmarkTable.rounded(cold / git)) x git"
        )
        print(
            "  GetCommitContext, repeated     \(BenchmarkTable.rounded(repeated)) us, git takes "
                + "\(BenchmarkTable.rounded(git / repeated)) x as long"
        )
    }

    private func microseconds(_ body: () throws -> Void) throws -> Double {
        let start = ContinuousClock.now
        try body()
        return Self.microseconds(since: start)
    }

    private func microseconds(_ body: () async throws -> Void) async throws -> Double {
        let start = ContinuousClock.now
        try await body()
        return Self.microseconds(since: start)
    }

    private static func microseconds(since start: ContinuousClock.Instant) -> Double {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return Double(seconds) * 1e6 + Double(attoseconds) / 1e12
    }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? .nan : sorted[sorted.count / 2]
    }
}
