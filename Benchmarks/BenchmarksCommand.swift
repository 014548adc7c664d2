import ArgumentParser
import Operations

/// `swift run -c release Benchmarks`: the codec; `... Benchmarks server`: the server against nghttpd;
/// `... Benchmarks silo`: calls between silos.
@main
struct BenchmarksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "Benchmarks",
        abstract: "Measures the serialisation hot path and the server, each against a peer in the same run.",
        discussion: "Only ratios of one run mean something: machines differ, and are shared.",
        subcommands: [
            CodecCommand.self, ServerCommand.self, ServerPeersCommand.self, IdleCommand.self, BlameCommand.self,
            SearchCommand.self, ScmCommand.self, SoakCommand.self, SiloCommand.self, EchoServerCommand.self,
            GatewayServerCommand.self
        ],
        defaultSubcommand: CodecCommand.self
    )

    static func main() async {
        // As the gateway does.
        ProcessMemory.limitArenas()
        await main(nil)
    }

    /// A debug build is tens of times slower in uneven ways: its figures would mislead.
    static func refuseDebugBuild() throws {
        #if DEBUG
            throw ValidationError("this is a debug build; run: swift run -c release Benchmarks")
        #endif
    }
}

struct CodecCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "codec", abstract: "Frames, text mode and protobuf against memcpy of the same bytes."
    )

    @Flag(help: "Print one JSON object for each line of the table.")
    var json = false

    @Option(help: "Run only benchmarks whose name contains this text.")
    var filter: String?

    func run() async throws {
        try BenchmarksCommand.refuseDebugBuild()
        let results = CodecBenchmarks.run(filter: filter)
        if results.isEmpty { throw ValidationError("no benchmark's name contains \"\(filter ?? "")\"") }
        print(json ? results.map(\.jsonLine).joined(separator: "\n") : BenchmarkTable.text(results))
    }
}
