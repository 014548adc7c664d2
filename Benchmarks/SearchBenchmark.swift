import ArgumentParser
import Foundation
import Logging
import NIOPosix
import RPC
import ScmAPI
import ScmGateway

/// StreamSearchCode through client, socket and key check against the git command itself.
struct SearchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search", abstract: "StreamSearchCode over HTTP/2 against `git grep` of the same text at HEAD."
    )

    @Option(help: "Git repository.")
    var repository = "."

    @Option(help: "Texts to look for; a text with letters only is also tried as an expression.")
    var queries = "func,import,Copyright,nowhere-to-be-found"

    @Option(help: "Measurements of each; the median counts.")
    var rounds = 7

    func run() async throws {
        try BenchmarksCommand.refuseDebugBuild()
        let fixture = try await GatewayFixture.make(repository: repository)
        defer { fixture.remove() }
        let running = try await RunningGateway.start(
            GatewayFixture.open(fixture.databasePath), ScmGatewayConfiguration(), group: .singleton,
            logger: Logger(label: "search")
        )
        let channel = running.channel(fixture)
        let client = ScmServiceClient(channel: channel)
        print("query                          files   git ms  our ms  ratio  CPU ratio  (goal 1.2)")
        for query in queries.split(separator: ",").map(String.init) {
            for isExpression in [false, true] { try await measure(client, fixture, query, isExpression) }
        }
        await channel.close()
        await running.stop()
    }

    private func measure(
        _ client: ScmServiceClient, _ fixture: GatewayFixture, _ query: String, _ isExpression: Bool
    ) async throws {
        let text = isExpression ? "\(query)[a-z(]*" : query
        let syntax = isExpression ? "-E" : "-F"
        var git: [(Double, Double)] = []
        var ours: [(Double, Double)] = []
        var files = 0
        for _ in 0..<max(1, rounds) {
            git.append(try await time {
                // No match is exit status 1.
                    let command =
                        "LC_ALL=C.UTF-8 git -C '\(repository)' grep -n -I -i \(syntax) -e '\(text)' HEAD; [ $? -le 1 ]"
                _ = try ChildProcess.output("sh", ["-c", command])
            })
            files = 0
            ours.append(try await time {
                let search = SearchCodeRequest(
                    repositoryID: fixture.repositoryID, query: text, syntax: isExpression ? .regex : .literal,
                    maxMatchesPerFile: 1000
                )
                    let answers = try await client.streamSearchCode(
                        StreamSearchCodeRequest(search: search, maxFiles: 100_000))
                for try await answer in answers { files += answer.matches.count }
            })
        }
        let (theirs, mine) = (Median.of(git.map(\.0)), Median.of(ours.map(\.0)))
        let cpu = Median.of(ours.map(\.1)) / Median.of(git.map(\.1))
        let cells = [
            text, "\(files)", BenchmarkTable.rounded(theirs * 1e3), BenchmarkTable.rounded(mine * 1e3),
            BenchmarkTable.rounded(mine / theirs), BenchmarkTable.rounded(cpu),
        ]
        print(zip(cells, [30, 7, 7, 7, 6, 6]).map { cell, width in
            cell.padding(toLength: width, withPad: " ", startingAt: 0)
        }.joined(separator: " "))
    }

    private func time(_ body: () async throws -> Void) async throws -> (wall: Double, cpu: Double) {
        let cpu = CPUTime()
        let start = ContinuousClock.now
        try await body()
        let wall = ContinuousClock.now - start
        return (Double(wall.components.seconds) + Double(wall.components.attoseconds) / 1e18, cpu.seconds)
    }
}
