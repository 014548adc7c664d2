import FrameCodec
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix

/// `GRPCSwiftPeer server` serves `grpc.testing.TestService`: prints `ready PORT`, ends with its standard input.
/// `GRPCSwiftPeer client PORT` runs the interoperability cases: a line a case, fails when one failed.
@main
enum Peer {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        if arguments == ["server"] {
            try await serve()
        } else if arguments.first == "client", let port = arguments.last.flatMap({ Int($0) }) {
            try await call(port)
        } else {
            throw Failure(description: "usage: GRPCSwiftPeer server | client PORT")
        }
    }

    private static func serve() async throws {
        var configuration = HTTP2ServerTransport.Posix.Config.defaults
        configuration.compression.enabledAlgorithms = .all
        let server = GRPCServer(
            transport: .http2NIOPosix(
                address: .ipv4(host: "127.0.0.1", port: 0), transportSecurity: .plaintext, config: configuration),
            services: [TestService()]
        )
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { try await server.serve() }
            let port = try await server.listeningAddress?.ipv4?.port ?? 0
            try FileHandle.standardOutput.write(contentsOf: Data("ready \(port)\n".utf8))
            await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    while readLine() != nil {}
                    continuation.resume()
                }
            }
            server.beginGracefulShutdown()
        }
    }

    private static func call(_ port: Int) async throws {
        var configuration = HTTP2ClientTransport.Posix.Config.defaults
        configuration.compression.enabledAlgorithms = .all
        let failures = try await withGRPCClient(
            transport: .http2NIOPosix(
                target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: .plaintext, config: configuration)
        ) { client in
            var failures = 0
            for (name, run) in Cases(client: client).all {
                do {
                    try await run()
                    print("ok \(name)")
                } catch {
                    failures += 1
                    print("FAILED \(name): \(error)")
                }
            }
            return failures
        }
        if failures > 0 { exit(1) }
    }
}

/// What was expected and not seen.
struct Failure: Error, CustomStringConvertible {
    let description: String
}

func expect<Value: Equatable>(_ what: String, _ value: Value, _ expected: Value) throws {
    guard value == expected else { throw Failure(description: "\(what) is \(value), not \(expected)") }
}

/// Messages as their protobuf bytes.
struct Protobuf<Message: FrameCodec.Message & Sendable>: MessageSerializer, MessageDeserializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: Message) throws -> Bytes { Bytes(message.serializedBytes()) }

    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> Message {
        try bytes.withUnsafeBytes { try Message(serializedBytes: $0) }
    }
}

extension MethodDescriptor {
    static func test(_ name: String, service: String = "grpc.testing.TestService") -> MethodDescriptor {
        MethodDescriptor(fullyQualifiedService: service, method: name)
    }
}

func zeros(_ count: Int) -> Payload { Payload(body: [UInt8](repeating: 0, count: count)) }
