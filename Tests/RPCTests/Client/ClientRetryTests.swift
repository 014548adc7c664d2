import FrameCodec
import NIOCore
import RPC
import ScriptedPeer
import Testing

// One after the other: all at once would need more sockets and threads than a small machine has.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ClientRetryTests {
    private static func retrying(_ attempts: Int = 3) -> (inout RPCChannel.Configuration) -> Void {
        {
            $0.service.methods = [
                MethodConfiguration(retry: RetryPolicy(maximumAttempts: attempts, initialBackoff: .milliseconds(1)))
            ]
        }
    }

    @Test("S7: RST_STREAM code -> status", arguments: [
        (0, 13), (1, 13), (2, 13), (3, 13), (4, 13), (5, 13), (6, 13), (8, 1), (9, 13), (10, 13), (11, 8), (12, 7),
    ] as [(UInt32, Int)])
    func reset(code: UInt32, status: Int) async throws {
        let script = Scripted.http2 { peer, request, _ in try await peer.send(HTTP2Peer.reset(request.stream, code)) }
        try await Scripted.run(script) { channel, _ in #expect(await channel.ask().code.rawValue == status) }
    }

    @Test("S7: REFUSED_STREAM is sent again without counting as an attempt")
    func refused() async throws {
        let seen = Log<String?>()
        let script = Scripted.http2 { peer, request, _ in
            await seen.add(request["grpc-previous-rpc-attempts"])
            if await seen.count == 1 { return try await peer.send(HTTP2Peer.reset(request.stream, 7)) }
            try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
        }
        try await Scripted.run(script) { channel, _ in #expect(await channel.ask().value == "hi") }
        #expect(await seen.entries == [nil, nil])
    }

    @Test("S7: a server that refuses for ever gets UNAVAILABLE after a bounded number of attempts")
    func refusedForEver() async throws {
        let seen = Log<Int>()
        let script = Scripted.http2 { peer, request, _ in
            await seen.add(1)
            try await peer.send(HTTP2Peer.reset(request.stream, 7))
        }
        try await Scripted.run(script) { channel, _ in #expect(await channel.ask().code == .unavailable) }
        #expect(await seen.count == 6)
    }

    @Test("H2c: GOAWAY below a stream moves it to another connection, above it lets it end", arguments: [true, false])
    func goAway(isBelow: Bool) async throws {
        let script = Scripted.http2 { peer, request, connection in
            if connection == 1 {
                try await peer.send(HTTP2Peer.goAway(last: isBelow ? 0 : request.stream))
                if isBelow { return }
            }
            try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
        }
        try await Scripted.run(script) { channel, peer in
            #expect(await channel.ask().value == "hi")
            #expect(peer.connectionCount == (isBelow ? 2 : 1))
            #expect(await channel.ask().value == "hi")
            #expect(peer.connectionCount == 2)
        }
    }

    @Test("S11: retries say how many attempts came before")
    func attempts() async throws {
        let seen = Log<String?>()
        let script = Scripted.http2 { peer, request, _ in
            await seen.add(request["grpc-previous-rpc-attempts"])
            if await seen.count < 3 { return try await peer.respond(request.stream, Scripted.trailersOnly(14)) }
            try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
        }
        try await Scripted.run(script, configure: Self.retrying()) { channel, _ in
            #expect(await channel.ask().value == "hi")
        }
        #expect(await seen.entries == [nil, "1", "2"])
    }

    @Test("A6: the number of attempts is bounded, other codes are not retried", arguments: [(14, 3), (5, 1)])
    func bounded(code: Int, count: Int) async throws {
        let seen = Log<Int>()
        let script = Scripted.http2 { peer, request, _ in
            await seen.add(1)
            try await peer.respond(request.stream, Scripted.trailersOnly(code))
        }
        try await Scripted.run(script, configure: Self.retrying()) { channel, _ in
            #expect(await channel.ask().code.rawValue == code)
        }
        #expect(await seen.count == count)
    }

    @Test("S9: once headers were seen the call is committed")
    func committed() async throws {
        let seen = Log<Int>()
        let script = Scripted.http2 { peer, request, _ in
            await seen.add(1)
            try await peer.respond(request.stream, Scripted.head, trailers: [("grpc-status", "14")])
        }
        try await Scripted.run(script, configure: Self.retrying()) { channel, _ in
            #expect(await channel.ask().code == .unavailable)
        }
        #expect(await seen.count == 1)
    }

    @Test(
        "S10: pushback decides when, or that never",
        arguments: [("0", 3), ("5", 3), ("-1", 1), ("soon", 1), ("", 1), ("1.5", 1)])
    func pushback(value: String, count: Int) async throws {
        let seen = Log<Int>()
        let script = Scripted.http2 { peer, request, _ in
            await seen.add(1)
            let head = Scripted.trailersOnly(14, [("grpc-retry-pushback-ms", value)])
            try await peer.respond(request.stream, head)
        }
        try await Scripted.run(script, configure: Self.retrying()) { channel, _ in
            #expect(await channel.ask().code == .unavailable)
        }
        #expect(await seen.count == count)
    }

    @Test("what stands before a server says in HTTP's way when to come again", arguments: [
        ("0", 3), ("1000", 1), ("soon", 3),
    ])
    func retryAfter(value: String, count: Int) async throws {
        let seen = Log<Int>()
        let script = Scripted.http2 { peer, request, _ in
            await seen.add(1)
            try await peer.respond(request.stream, [(":status", "503"), ("retry-after", value)])
        }
        try await Scripted.run(script, configure: Self.retrying()) { channel, _ in
            #expect(await channel.ask(options: CallOptions(timeout: .seconds(60))).code == .unavailable)
        }
        #expect(await seen.count == count)
    }

    @Test("A6: failures use tokens up, then there are no retries")
    func throttling() async throws {
        let seen = Log<Int>()
        let script = Scripted.http2 { peer, request, _ in
            await seen.add(1)
            try await peer.respond(request.stream, Scripted.trailersOnly(14))
        }
        let configure: (inout RPCChannel.Configuration) -> Void = {
            Self.retrying(5)(&$0)
            $0.service.retryThrottling = RetryThrottling(maximumTokens: 6, tokenRatio: 0.1)
        }
        try await Scripted.run(script, configure: configure) { channel, _ in
            #expect(await channel.ask().code == .unavailable)
            // 6 tokens: retries stop at 3.
            #expect(await seen.count == 3)
            #expect(await channel.ask().code == .unavailable)
            #expect(await seen.count == 4)
        }
    }

    @Test("A6: a stream is retried before its headers, with everything that was sent")
    func streaming() async throws {
        let bodies = Log<[UInt8]>()
        let script = Scripted.http2 { peer, request, _ in
            await bodies.add(request.body)
            if await bodies.count == 1 { return try await peer.respond(request.stream, Scripted.trailersOnly(14)) }
            try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
        }
        try await Scripted.run(script, configure: Self.retrying()) { channel, _ in
            let answer: Protobuf.StringValue = try await channel.clientStreaming(Scripted.upload) {
                (requests: RequestWriter<Protobuf.StringValue>) in
                for _ in 0..<3 { try await requests.send(Protobuf.StringValue(value: "hi")) }
            }
            #expect(answer.value == "hi")
        }
        let whole = Scripted.hi + Scripted.hi + Scripted.hi
        #expect(await bodies.entries == [whole, whole])
    }

    @Test("A6: what is too large to keep is not retried")
    func replayLimit() async throws {
        let seen = Log<Int>()
        let script = Scripted.http2 { peer, request, _ in
            await seen.add(1)
            try await peer.respond(request.stream, Scripted.trailersOnly(14))
        }
        let configure: (inout RPCChannel.Configuration) -> Void = {
            Self.retrying()(&$0)
            $0.replayByteCount = 10
        }
        try await Scripted.run(script, configure: configure) { channel, _ in
            let error = await #expect(throws: RPCError.self) {
                let _: Protobuf.StringValue = try await channel.clientStreaming(Scripted.upload) {
                    (requests: RequestWriter<Protobuf.StringValue>) in
                    for _ in 0..<3 { try await requests.send(Protobuf.StringValue(value: "hi")) }
                }
            }
            #expect(error?.code == .unavailable)
        }
        #expect(await seen.count == 1)
    }

    @Test("A6: hedging sends a second time when the first is slow, and cancels the loser")
    func hedging() async throws {
        let seen = Log<UInt32>()
        let script: ScriptedPeer.Script = { connection, _ in
            guard let peer = try await HTTP2Peer(connection) else { return }
            guard let slow = try await peer.nextRequest() else { return }
            guard let fast = try await peer.nextRequest() else { return }
            try await peer.respond(fast.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
            while peer.resets[slow.stream] == nil { guard try await peer.nextFrame() != nil else { return } }
            await seen.add(peer.resets[slow.stream] ?? 0)
            try await peer.readToEnd()
        }
        let configure: (inout RPCChannel.Configuration) -> Void = {
            $0.service.methods = [
                MethodConfiguration(hedging: HedgingPolicy(maximumAttempts: 2, delay: .milliseconds(10)))
            ]
        }
        try await Scripted.run(script, configure: configure) { channel, _ in
            #expect(await channel.ask().value == "hi")
            while await seen.count == 0 { try await Task.sleep(for: .milliseconds(5)) }
        }
        #expect(await seen.entries == [8])
    }

    @Test("A6: a fatal code ends hedging at once, another does not")
    func hedgingCodes() async throws {
        let seen = Log<Int>()
        let script = Scripted.http2 { peer, request, _ in
            await seen.add(1)
            let count = await seen.count
            try await peer.respond(request.stream, Scripted.trailersOnly(count == 1 ? 14 : 7))
        }
        let configure: (inout RPCChannel.Configuration) -> Void = {
            $0.service.methods = [MethodConfiguration(hedging: HedgingPolicy(maximumAttempts: 5, delay: .seconds(30)))]
        }
        try await Scripted.run(script, configure: configure) { channel, _ in
            #expect(await channel.ask().code == .permissionDenied)
        }
        #expect(await seen.count == 2)
    }

    private static func hedged(
        _ attempts: Int, delay: Duration = .seconds(60), nonFatal: Set<StatusCode> = [.unavailable]
    ) -> (inout RPCChannel.Configuration) -> Void {
        {
            $0.service.methods = [
                MethodConfiguration(
                    hedging: HedgingPolicy(maximumAttempts: attempts, delay: delay, nonFatalCodes: nonFatal))
            ]
            $0.defaultUnaryTimeout = .seconds(120)
        }
    }

    @Test("A6, S10: pushback holds the next hedged attempt back, or all of them", arguments: [
        ("300", 2), ("-1", 1), ("soon", 1), ("600000", 1),
    ])
    func hedgingPushback(value: String, count: Int) async throws {
        let times = Log<ContinuousClock.Instant>()
        let script = Scripted.http2 { peer, request, _ in
            await times.add(.now)
            guard await times.count == 1 else {
                return try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
            }
            let head = Scripted.trailersOnly(14, [("grpc-retry-pushback-ms", value)])
            try await peer.respond(request.stream, head)
        }
        try await Scripted.run(script, configure: Self.hedged(3)) { channel, _ in
            // A wait beyond the deadline is not begun.
            #expect(await channel.ask().code == (count == 2 ? .ok : .unavailable))
        }
        let seen = await times.entries
        #expect(seen.count == count)
        if let first = seen.first, let second = seen.dropFirst().first {
            #expect(second - first >= .milliseconds(300))
        }
    }

    @Test("H2c, S7: a hedged attempt that was refused is sent again and was none")
    func hedgingRefused() async throws {
        let seen = Log<String?>()
        let script = Scripted.http2 { peer, request, connection in
            await seen.add(request["grpc-previous-rpc-attempts"])
            switch await seen.count {
            case 1: try await peer.send(HTTP2Peer.reset(request.stream, 7))
            case 2: try await peer.send(HTTP2Peer.goAway(last: 0))
            default:
                try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
            }
        }
        // Not even UNAVAILABLE may be repeated.
        try await Scripted.run(script, configure: Self.hedged(2, nonFatal: [])) { channel, _ in
            #expect(await channel.ask().value == "hi")
        }
        #expect(await seen.entries == [nil, nil, nil])
    }

    @Test("A6: throttling stops hedging too")
    func hedgingThrottled() async throws {
        let seen = Log<Int>()
        let script = Scripted.http2 { peer, request, _ in
            await seen.add(1)
            try await peer.respond(request.stream, Scripted.trailersOnly(14))
        }
        let configure: (inout RPCChannel.Configuration) -> Void = {
            Self.hedged(5)(&$0)
            $0.service.retryThrottling = RetryThrottling(maximumTokens: 2, tokenRatio: 0.1)
        }
        try await Scripted.run(script, configure: configure) { channel, _ in
            #expect(await channel.ask().code == .unavailable)
            let first = await seen.count
            #expect(await channel.ask().code == .unavailable)
            // The bucket is at or below half: one attempt, and no more.
            #expect(await seen.count == first + 1)
        }
    }
}
