import FrameCodec
import NIOCore
import RPC
import ScriptedPeer

/// The channel under test, against a peer that says what the script wants.
enum Scripted {
    static let method = MethodDescriptor(service: "t.S", method: "M", kind: .unary)
    static let stream = MethodDescriptor(service: "t.S", method: "Stream", kind: .serverStreaming)
    static let upload = MethodDescriptor(service: "t.S", method: "Upload", kind: .clientStreaming)

    /// Head of every good gRPC answer.
    static let head = [(":status", "200"), ("content-type", "application/grpc+proto")]
    /// StringValue "hi" in a frame.
    static let hi: [UInt8] = [0, 0, 0, 0, 4, 0x0A, 2, 0x68, 0x69]
    static let ok = [("grpc-status", "0")]

    static func trailersOnly(_ code: Int, _ more: [(String, String)] = []) -> [(String, String)] {
        head + [("grpc-status", "\(code)")] + more
    }

    /// Every connection speaks HTTP/2 and hands its requests to `answer`, one after the other.
    static func http2(
        settings: [(UInt16, UInt32)] = [],
        _ answer: @escaping @Sendable (HTTP2Peer, HTTP2Peer.Request, _ connection: Int) async throws -> Void
    ) -> ScriptedPeer.Script {
        { connection, number in
            guard let peer = try await HTTP2Peer(connection, settings: settings) else { return }
            while let request = try await peer.nextRequest() { try await answer(peer, request, number) }
        }
    }

    /// Runs `body` with a channel to a peer.
    static func run<R>(
        _ script: @escaping ScriptedPeer.Script, wire: RPCChannel.Wire = .grpc,
        configure: (inout RPCChannel.Configuration) -> Void = { _ in },
        _ body: (RPCChannel, ScriptedPeer) async throws -> R
    ) async throws -> R {
        try await ScriptedPeer.with(script) { peer in
            var configuration = RPCChannel.Configuration(host: "127.0.0.1", port: peer.port, wire: wire)
            configuration.backoff.initial = .milliseconds(20)
            configuration.connection.connectTimeout = .seconds(60)
            configure(&configuration)
            let channel = RPCChannel(configuration)
            do {
                let result = try await body(channel, peer)
                await channel.close()
                return result
            } catch {
                await channel.close()
                throw error
            }
        }
    }
}

extension RPCChannel {
    /// A unary call with a string, and how it ended.
    func ask(_ text: String = "hi", method: MethodDescriptor = Scripted.method, options: CallOptions = CallOptions())
        async -> Result<String, RPCError>
    {
        do {
            let answer: Protobuf.StringValue = try await unary(
                method, Protobuf.StringValue(value: text), options: options)
            return .success(answer.value)
        } catch let error as RPCError {
            return .failure(error)
        } catch {
            return .failure(RPCError(.unknown, "not an RPCError: \(error)"))
        }
    }
}

extension Result where Failure == RPCError {
    var code: StatusCode {
        switch self {
        case .success: .ok
        case .failure(let error): error.code
        }
    }

    var error: RPCError? { if case .failure(let error) = self { error } else { nil } }
    var value: Success? { if case .success(let value) = self { value } else { nil } }
}

/// Counts and collects from scripts.
actor Log<Entry: Sendable> {
    private(set) var entries: [Entry] = []
    func add(_ entry: Entry) { entries.append(entry) }
    var count: Int { entries.count }
}
