import ArgumentParser
import Foundation
import HTTPTransport
import InteropContract
import Logging
import NIOPosix
import RPC

/// `grpc.testing.TestService`, for clients of every kind. Prints `ready PORT`; ends with its standard input.
@main
struct InteropServer: AsyncParsableCommand {
    @Option(help: "TCP port of 127.0.0.1; 0 takes a free one.")
    var port = 0

    func run() async throws {
        let logger = Logger(label: "interop", factory: { StreamLogHandler.standardError(label: $0) })
        let rpc = RPCServer(services: [TestServiceImplementation()], logger: logger)
        let server = try await HTTPServer.start(
            HTTPServerConfiguration(host: "127.0.0.1", port: port), group: MultiThreadedEventLoopGroup.singleton,
            logger: logger, handler: { await rpc.handle($0) }
        )
        try FileHandle.standardOutput.write(contentsOf: Data("ready \(server.port)\n".utf8))
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                while readLine() != nil {}
                continuation.resume()
            }
        }
        await server.shutdown(gracePeriod: .seconds(1))
    }
}
