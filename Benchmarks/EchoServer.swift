import ArgumentParser
import Foundation
import FrameCodec
import HTTPTransport
import Logging
import NIOPosix
import RPC

/// The server that is measured: one event loop, one unary method that answers with its request.
struct EchoServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo-server",
        abstract: "Serves /benchmark.Echo/Unary (google.protobuf.BytesValue) on one event loop until it is killed."
    )

    @Option(help: "TCP port; 0 takes a free one.")
    var port = 0

    @Option(help: "Event loop threads.")
    var threads = 1

    func run() async throws {
        let logger = Logger(label: "echo-server")
        let server = RPCServer(services: [EchoService()], logger: logger)
        var configuration = HTTPServerConfiguration()
        configuration.host = "127.0.0.1"
        configuration.port = port
        let http = try await HTTPServer.start(
            configuration, group: MultiThreadedEventLoopGroup(numberOfThreads: threads), logger: logger,
            service: server
        )
        // Not `print`: it would stay in a buffer, since standard output is a pipe.
        FileHandle.standardOutput.write(Data("ready \(http.port)\n".utf8))
        try await Task.sleep(for: .seconds(3600))
    }
}

private struct EchoService: RPCService {
    private static let unary = MethodDescriptor(service: "benchmark.Echo", method: "Unary", kind: .unary)
    private static let unaryAsync = MethodDescriptor(service: "benchmark.Echo", method: "UnaryAsync", kind: .unary)

    var methods: [RPCMethod] {
        [
            .unary(Self.unary) { (request: Protobuf.BytesValue, _) in request },
            .unary(Self.unaryAsync) { (request: Protobuf.BytesValue, context) in await Self.echo(request, context) },
        ]
    }

    private static func echo(_ request: Protobuf.BytesValue, _ context: CallContext) async -> Protobuf.BytesValue {
        request
    }
}
