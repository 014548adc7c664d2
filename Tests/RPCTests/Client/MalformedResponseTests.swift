import FrameCodec
import RPC
import ScriptedPeer
import Testing

/// What callers see of HTTP/2 responses that the transport refuses (`ResponseRulesTests` has all of them).
@Suite(.timeLimit(.minutes(5))) struct MalformedResponseTests {
    /// What comes instead of an answer: frames after the request, by stream.
    private static let malformed: [(name: String, frames: @Sendable (UInt32) -> [UInt8])] = [
        ("no status", { HTTP2Peer.headers($0, [("content-type", "application/grpc")], endStream: true) }),
        ("upgrade", { HTTP2Peer.headers($0, Scripted.head + [("upgrade", "x")], endStream: false) }),
        ("upper case", { HTTP2Peer.headers($0, Scripted.trailersOnly(0, [("X-Y", "z")]), endStream: true) }),
        ("101", { HTTP2Peer.headers($0, [(":status", "101")], endStream: false) }),
        ("an end behind 103", { HTTP2Peer.headers($0, [(":status", "103")], endStream: true) }),
        (
            "a body behind 103",
            {
                HTTP2Peer.headers($0, [(":status", "103")], endStream: false)
                    + HTTP2Peer.data($0, Scripted.hi, endStream: false)
            }
        ),
        (
            "a body that is too long",
            {
                HTTP2Peer.headers($0, Scripted.head + [("content-length", "3")], endStream: false)
                    + HTTP2Peer.data($0, Scripted.hi, endStream: false)
            }
        ),
        (
            "a body that is too short",
            {
                HTTP2Peer.headers($0, Scripted.head + [("content-length", "30")], endStream: false)
                    + HTTP2Peer.data($0, Scripted.hi, endStream: false)
                    + HTTP2Peer.headers($0, Scripted.ok, endStream: true)
            }
        ),
        (
            "trailers without end",
            {
                HTTP2Peer.headers($0, Scripted.head, endStream: false)
                    + HTTP2Peer.data($0, Scripted.hi, endStream: false)
                    + HTTP2Peer.headers($0, Scripted.ok, endStream: false)
            }
        ),
        (
            "a status in trailers",
            {
                HTTP2Peer.headers($0, Scripted.head, endStream: false)
                    + HTTP2Peer.data($0, Scripted.hi, endStream: false)
                    + HTTP2Peer.headers($0, Scripted.ok + [(":status", "200")], endStream: true)
            }
        ),
    ]

    @Test("M2: a response that is none fails its call, of any kind, and no other on the connection")
    func malformedResponses() async throws {
        let connections = Log<Int>()
        let malformed = Self.malformed
        let script = Scripted.http2 { peer, request, number in
            await connections.add(number)
            let index = Int(request.stream / 2)
            if index % 3 == 0 {
                return try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
            }
            try await peer.send(malformed[index / 3].frames(request.stream))
        }
        try await Scripted.run(script) { channel, _ in
            for (name, _) in malformed {
                #expect(await channel.ask().value == "hi")
                let error = await channel.ask().error
                #expect(error?.code == .internalError, "\(name)")
                #expect(error?.message.contains("PROTOCOL_ERROR") == true, "\(name)")
                let streamed = await #expect(throws: RPCError.self, "\(name)") {
                    let responses: ResponseStream<Protobuf.StringValue> = try await channel.serverStreaming(
                        Scripted.stream, Protobuf.StringValue(value: "x"))
                    for try await _ in responses {}
                }
                #expect(streamed?.code == .internalError, "\(name)")
            }
            #expect(await Set(connections.entries) == [1])
        }
    }
}
