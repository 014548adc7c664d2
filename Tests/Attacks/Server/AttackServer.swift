import ArgumentParser
import Foundation
import HTTPTransport
import Logging
import NIOPosix
import RPC

/// The server that the attack tests attack: the whole of HTTPTransport and RPC, with handlers that make the most of
/// what an attacker does, and limits from the command line.
@main
struct AttackServer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attack-server",
        abstract: "Serves attack.Target, and GET /counters, until standard input ends."
    )

    @Option(help: "A limit of HTTPLimits: NAME=VALUE; repeatable.")
    var limit: [String] = []

    @Option(help: "A timer of HTTPTimeouts: NAME=SECONDS; repeatable.")
    var timer: [String] = []

    @Option(help: "PEM file of a certificate: a second port speaks TLS.")
    var tlsCertificate: String?

    @Option(help: "PEM file of its key.")
    var tlsKey: String?

    func run() async throws {
        var configuration = HTTPServerConfiguration()
        if let tlsCertificate, let tlsKey {
            let identity = TLSIdentity(certificateChain: .file(tlsCertificate), privateKey: .file(tlsKey))
            configuration.additionalListeners = [
                HTTPListener(
                    .tcp(host: "127.0.0.1", port: 0), tls: TLSServerConfiguration(identity: identity))
            ]
        }
        for text in limit {
            let (name, value) = try Self.pair(text)
            try configuration.limits.set(name, to: Int(value))
        }
        for text in timer {
            let (name, value) = try Self.pair(text)
            try configuration.timeouts.set(name, to: value)
        }
        var logger = Logger(label: "attack-server", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = .notice
        let target = TargetService()
        let rpc = RPCServer(services: [target], logger: logger)
        let counters = Counters(target: target)
        let server = try await HTTPServer.start(
            configuration, group: MultiThreadedEventLoopGroup(numberOfThreads: 2), logger: logger
        ) { exchange in
            if exchange.method == .get { await counters.answer(exchange) } else { await rpc.handle(exchange) }
        }
        counters.watch(server)
        // Not `print`: it would stay in a buffer, since standard output is a pipe.
        let ports = server.localAddresses.compactMap(\.port).map(String.init).joined(separator: " ")
        FileHandle.standardOutput.write(Data("ready \(ports)\n".utf8))
        let input = FileHandle.standardInput
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                while !input.availableData.isEmpty {}
                continuation.resume()
            }
        }
        await server.shutdown(gracePeriod: .zero)
    }

    private static func pair(_ text: String) throws -> (String, Double) {
        let parts = text.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let value = Double(parts[1]) else {
            throw ValidationError("\"\(text)\" is not NAME=NUMBER")
        }
        return (String(parts[0]), value)
    }
}
