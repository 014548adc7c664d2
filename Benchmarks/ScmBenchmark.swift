import ArgumentParser
import Foundation
import FrameCodec
import Logging
import NIOPosix
import RPC
import ScmAPI
import ScmGateway

/// CPU time of the server for each call of the service.
struct ScmCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scm",
        abstract: "Calls of the gateway over HTTP/2 per CPU-second of the server, and a batch of blames against git.",
        discussion: "Needs h2load, taskset and xargs. The server runs on one core, the load on another."
    )

    @Option(help: "Git repository; its 60 longest-lived files are blamed.")
    var repository = "."

    @Option(help: "Calls in each measurement; heavy ones take a hundredth.")
    var calls = 50_000

    @Option(help: "Measurements; the median counts.")
    var rounds = 3

    @Option(help: "Run only workloads whose name contains this text.")
    var filter: String?

    private struct Call {
        let name: String
        let method: String
        let message: [UInt8]
        var costliness = 1
        let goal: Double
    }

    func run() async throws {
        try BenchmarksCommand.refuseDebugBuild()
        let fixture = try await GatewayFixture.make(repository: repository, smallCount: 999)
        defer { fixture.remove() }
        let files = try Self.files(repository)
        guard let file = files.first else { throw ValidationError("the repository has no file at HEAD") }
        let wanted = try calls(fixture, file).filter { call in filter.map { call.name.contains($0) } ?? true }
        if !wanted.isEmpty { try measure(wanted, fixture) }
        if filter.map({ "batch".contains($0) }) ?? true {
            try await BatchBenchmark(fixture, repository, files, rounds).run()
        }
    }

    private func calls(_ fixture: GatewayFixture, _ file: String) throws -> [Call] {
        let id = fixture.repositoryID
        let head = try ChildProcess.output("git", ["-C", repository, "rev-parse", "HEAD"])
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let context = GetCommitContextRequest(
            repositoryID: id, filepath: file, lineNumber: 1, maxAgeDays: -1)
        return [
            Call(name: "context-warm", method: "GetCommitContext", message: context.serializedBytes(), goal: 30_000),
            Call(
                name: "commit", method: "GetCommit",
                message: GetCommitRequest(repositoryID: id, sha: head).serializedBytes(), goal: 10_000
            ),
            Call(
                name: "file", method: "GetFile",
                message: GetFileRequest(repositoryID: fixture.smallIDs.first ?? id, path: "file3.txt")
                    .serializedBytes(),
                goal: 10_000
            ),
            Call(
                name: "list-1000", method: "ListRepositories",
                message: ListRepositoriesRequest(pageSize: 1000).serializedBytes(), costliness: 100, goal: 1_000
            ),
        ]
    }

    private func measure(_ calls: [Call], _ fixture: GatewayFixture) throws {
        let server = try fixture.startServer()
        defer { server.stop() }
        print("call           server us  per CPU-second  goal")
        for call in calls {
            let length = call.message.count
            let prefix = [0] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: length >> $0) }
            let frame = fixture.folder.appendingPathComponent("frame-\(call.name)")
            try Data(prefix + call.message).write(to: frame)
            let arguments = [
                "-d", frame.path, "-H", "content-type: application/grpc", "-H", "te: trailers", "-H",
                "x-api-key: \(fixture.key)"
            ]
            let path = "/sentry.integrations.scm.v1.ScmService/\(call.method)"
            let load = Load(
                requests: max(100, self.calls / call.costliness), connections: 4, streams: 16, isHTTP1: false
            )
            // Warms up, and shows that it works at all.
            let warm = Load(requests: 200, connections: 1, streams: 4, isHTTP1: false)
            _ = try warm.cpuMicroseconds(server, path: path, arguments: arguments)
            let time = Median.of(try (0..<max(1, rounds)).map { _ in
                try load.cpuMicroseconds(server, path: path, arguments: arguments)
            })
            let cells = [
                call.name, BenchmarkTable.rounded(time), BenchmarkTable.rounded(1e6 / time), "\(Int(call.goal))"
            ]
            print(zip(cells, [14, 10, 15, 6]).map { cell, width in
                cell.padding(toLength: width, withPad: " ", startingAt: 0)
            }.joined(separator: " "))
        }
    }

    /// Files at HEAD by the number of commits that touched them, most first.
    static func files(_ repository: String) throws -> [String] {
        let log = try ChildProcess.output(
            "git", ["-C", repository, "log", "-n", "2000", "--format=", "--name-only", "--no-renames", "HEAD"]
        )
        let counts = log.split(separator: "\n").reduce(into: [:]) { counts, name in
            counts[String(name), default: 0] += 1
        }
        let present = Set(try ChildProcess.output("git", ["-C", repository, "ls-tree", "-r", "--name-only", "HEAD"])
            .split(separator: "\n").map(String.init))
        return counts.filter { present.contains($0.key) }.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
    }
}

/// 200 lines of 60 files in two calls against `git blame` of those files side by side.
struct BatchBenchmark {
    private let fixture: GatewayFixture
    private let repository: String
    private let lines: [(file: String, line: Int)]
    private let rounds: Int

    init(_ fixture: GatewayFixture, _ repository: String, _ files: [String], _ rounds: Int) throws {
        (self.fixture, self.repository, self.rounds) = (fixture, repository, rounds)
        var counts: [(String, Int)] = []
        for file in files where counts.count < 60 {
            let text = try ChildProcess.output("git", ["-C", repository, "show", "HEAD:\(file)"])
            let count = text.split(separator: "\n", omittingEmptySubsequences: false).count - 1
            if count >= 8, !text.utf8.prefix(8000).contains(0) { counts.append((file, count)) }
        }
        guard counts.count == 60 else { throw ValidationError("the repository has less than 60 files of 8 lines") }
        lines = (0..<200).map { index in
            let (file, count) = counts[index % 60]
            return (file, 1 + (index / 60) * (count / 4))
        }
    }

    func run() async throws {
        var git: [(wall: Double, cpu: Double)] = []
        var ours: [(wall: Double, cpu: Double)] = []
        for _ in 0..<max(1, rounds) {
            git.append(try await measure { try runGit() })
            ours.append(try await runOurs())
        }
        let wall = (Median.of(git.map(\.wall)), Median.of(ours.map(\.wall)))
        let cpu = (Median.of(git.map(\.cpu)), Median.of(ours.map(\.cpu)))
        print("batch of 200 lines over 60 files, cold, against git blame of each file with as many at a time as cores:")
        print(
            "  wall  git \(BenchmarkTable.rounded(wall.0 * 1e3)) ms, ours \(BenchmarkTable.rounded(wall.1 * 1e3)) ms, "
            + "ratio \(BenchmarkTable.rounded(wall.1 / wall.0)), goal 1.3")
        print("  CPU   git \(BenchmarkTable.rounded(cpu.0 * 1e3)) ms, ours \(BenchmarkTable.rounded(cpu.1 * 1e3)) ms, "
            + "ratio \(BenchmarkTable.rounded(cpu.1 / cpu.0))")
    }

    private func measure(_ body: () async throws -> Void) async throws -> (wall: Double, cpu: Double) {
        let cpu = CPUTime()
        let start = ContinuousClock.now
        try await body()
        let wall = ContinuousClock.now - start
        return (Double(wall.components.seconds) + Double(wall.components.attoseconds) / 1e18, cpu.seconds)
    }

    private func runGit() throws {
        let byFile = Dictionary(grouping: lines, by: \.file)
        let commands = byFile.map { file, lines in
            lines.map { "-L\($0.line),\($0.line)" }.joined(separator: " ") + " HEAD -- '\(file)'"
        }
        let list = fixture.folder.appendingPathComponent("commands")
        try commands.joined(separator: "\n").write(to: list, atomically: true, encoding: .utf8)
        let script = "xargs -P \(ProcessInfo.processInfo.activeProcessorCount) -L 1 git -C '\(repository)' "
            + "blame --incremental < '\(list.path)' > /dev/null"
        _ = try ChildProcess.output("sh", ["-c", script])
    }

    /// A server of its own each time, that knows nothing; its start does not count.
    private func runOurs() async throws -> (wall: Double, cpu: Double) {
        var configuration = ScmGatewayConfiguration()
        configuration.blameCacheByteCount = 0
        let running = try await RunningGateway.start(
            GatewayFixture.open(fixture.databasePath), configuration, group: .singleton, logger: Logger(label: "batch")
        )
        let channel = running.channel(fixture)
        let client = ScmServiceClient(channel: channel)
        _ = try await client.getRepository(GetRepositoryRequest(selector: .repositoryID(fixture.repositoryID)))
        // Lines of one file stay together, as a stack trace's would.
        let wanted = lines.sorted { ($0.file, $0.line) < ($1.file, $1.line) }.map {
            BlameLine(path: $0.file, line: Int32($0.line))
        }
        let measured = try await measure {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for half in [wanted.prefix(100), wanted.suffix(100)] {
                    group.addTask {
                        let answer = try await client.batchGetCommitContext(BatchGetCommitContextRequest(
                            repositoryID: fixture.repositoryID, lines: Array(half), maxAgeDays: -1
                        ))
                        guard answer.results.allSatisfy({ $0.status?.code == 0 }) else {
                            let first = answer.results.first { $0.status?.code != 0 }
                            throw ValidationError("a line has no blame: \(first.map { "\($0)" } ?? "")")
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        await channel.close()
        await running.stop()
        return measured
    }
}
