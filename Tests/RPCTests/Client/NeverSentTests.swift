import Foundation
import HTTPTransport
import NIOCore
import RPC
import ScriptedPeer
import Synchronization
import Testing

/// A connection may end after a call has got a place on it and before the call's request is written.
// One after the other: all at once would need more sockets and threads than a small machine has.
@Suite(.serialized, .timeLimit(.minutes(5))) struct NeverSentTests {
    /// Is asked between both moments: at the second call it has the peer close the connection, and returns when the
    /// channel has seen that.
    private final class Between: RequestSigner {
        let channel = Mutex<RPCChannel?>(nil)
        let mayClose = Atomic(false)
        let attempts = Atomic(0)

        func sign(_ head: inout HTTPRequestHead, body: ByteBuffer) throws {
            guard attempts.add(1, ordering: .relaxed).newValue == 2 else { return }
            mayClose.store(true, ordering: .relaxed)
            let channel = channel.withLock { $0 }
            for _ in 0..<10_000 where channel?.connectivityState == .ready { usleep(2_000) }
        }

        func closeWhenAsked() async throws {
            while !mayClose.load(ordering: .relaxed) { try await Task.sleep(for: .milliseconds(2)) }
        }
    }

    private static func script(_ wire: RPCChannel.Wire, _ between: Between) -> ScriptedPeer.Script {
        { connection, number in
            if wire.httpProtocol == .http2 {
                guard let peer = try await HTTP2Peer(connection), let request = try await peer.nextRequest() else {
                    return
                }
                try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
            } else {
                guard try await connection.readHTTP1Request() != nil else { return }
                let body = Scripted.hi + [0x80, 0, 0, 0, 16] + Array("grpc-status: 0\r\n".utf8)
                try await connection.send(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web+proto\r\n"
                        + "Content-Length: \(body.count)\r\n\r\n")
                try await connection.send(body)
            }
            if number == 1 { try await between.closeWhenAsked() } else { try await connection.readToEnd() }
        }
    }

    @Test(
        "S7: what was never sent goes to another connection, although nothing may be retried",
        arguments: [RPCChannel.Wire.grpc, .grpcWebHTTP1])
    func anotherConnection(wire: RPCChannel.Wire) async throws {
        let between = Between()
        let configure: (inout RPCChannel.Configuration) -> Void = { $0.signer = between }
        try await Scripted.run(Self.script(wire, between), wire: wire, configure: configure) { channel, peer in
            between.channel.withLock { $0 = channel }
            defer { between.channel.withLock { $0 = nil } }
            #expect(await channel.ask().value == "hi")
            let second = await channel.ask()
            #expect(second.value == "hi", "\(second)")
            #expect(peer.connectionCount == 2)
            #expect(between.attempts.load(ordering: .relaxed) == 3)
        }
    }
}
