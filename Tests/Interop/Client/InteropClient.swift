import ArgumentParser
import Foundation
import NIOPosix
import RPC

/// Runs cases of the gRPC interoperability tests against a server. Prints a line a case; fails when one failed.
@main
struct InteropClient: AsyncParsableCommand {
    @Option(help: "TCP port of the server on 127.0.0.1.")
    var port: Int

    @Option(help: "One of \(Wire.allCases.map(\.rawValue).joined(separator: ", ")).")
    var wire = Wire.grpc

    @Flag(help: "The server must look at expect_compressed.")
    var checksCompression = false

    @Argument(help: "Names of cases; all that the wire can carry when none is given.")
    var cases: [String] = []

    enum Wire: String, CaseIterable, ExpressibleByArgument {
        case grpc
        case grpcWeb = "grpc-web"
        case grpcWebHTTP2 = "grpc-web-http2"
        case grpcWebText = "grpc-web-text"
        case grpcWebTextHTTP2 = "grpc-web-text-http2"
        case connect
        case connectHTTP2 = "connect-http2"

        var channelWire: RPCChannel.Wire {
            switch self {
            case .grpc: .grpc
            case .grpcWeb: .grpcWebHTTP1
            case .grpcWebHTTP2: .grpcWebHTTP2
            case .grpcWebText: .grpcWebTextHTTP1
            case .grpcWebTextHTTP2: .grpcWebTextHTTP2
            case .connect: .connectHTTP1
            case .connectHTTP2: .connectHTTP2
            }
        }

        /// Requests and answers of one call can alternate. Not over HTTP/1.1 (rule O5).
        var isFullDuplex: Bool { channelWire.httpProtocol == .http2 }
    }

    func run() async throws {
        let channel = RPCChannel(
            RPCChannel.Configuration(host: "127.0.0.1", port: port, wire: wire.channelWire),
            group: MultiThreadedEventLoopGroup.singleton
        )
        var failures = 0
        for test in InteropCases(channel: channel, checksCompression: checksCompression).all where isWanted(test) {
            do {
                try await test.run()
                print("ok \(test.name)")
            } catch {
                failures += 1
                print("FAILED \(test.name): \(error)")
            }
        }
        await channel.close()
        if failures > 0 { throw ExitCode(1) }
    }

    private func isWanted(_ test: InteropCase) -> Bool {
        cases.isEmpty ? wire.isFullDuplex || !test.needsFullDuplex : cases.contains(test.name)
    }
}

/// One case by its name in the specification.
struct InteropCase {
    let name: String
    var needsFullDuplex = false
    let run: () async throws -> Void
}

/// What a case expected and did not see.
struct Mismatch: Error, CustomStringConvertible {
    let description: String
}

func expect<Value: Equatable>(_ what: String, _ value: Value, _ expected: Value) throws {
    guard value == expected else { throw Mismatch(description: "\(what) is \(value), not \(expected)") }
}

/// The status that `body` fails with.
func status(_ body: () async throws -> Void) async throws -> RPCError {
    do {
        try await body()
    } catch let error as RPCError {
        return error
    }
    throw Mismatch(description: "the call succeeded")
}
