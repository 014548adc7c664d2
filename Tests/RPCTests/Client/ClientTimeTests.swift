import FrameCodec
import HTTPTransport
import NIOCore
import RPC
import ScriptedPeer
import Testing

// One after the other: all at once would need more sockets and threads than a small machine has.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ClientTimeTests {
    /// Takes requests and never answers; tells the code of the first reset, and when a request has come.
    private static func silent(_ resets: Log<UInt32>, _ requests: Log<Int>? = nil) -> ScriptedPeer.Script {
        { connection, _ in
            guard let peer = try await HTTP2Peer(connection) else { return }
            while let frame = try await peer.nextFrame() {
                if frame.type == 1 { await requests?.add(1) }
                if let code = peer.resets.values.first, await resets.count == 0 { await resets.add(code) }
            }
        }
    }

    @Test("T6, T7: at the deadline the client says DEADLINE_EXCEEDED itself and resets the stream with CANCEL")
    func deadline() async throws {
        let resets = Log<UInt32>()
        try await Scripted.run(Self.silent(resets)) { channel, _ in
            // On a very busy machine the first deadlines may pass before anything was sent.
            while await resets.count == 0 {
                let result = await channel.ask(options: CallOptions(timeout: .milliseconds(100)))
                #expect(result.code == .deadlineExceeded)
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        #expect(await resets.entries == [8])
    }

    @Test("T6: a stream's deadline ends it")
    func streamDeadline() async throws {
        let resets = Log<UInt32>()
        try await Scripted.run(Self.silent(resets)) { channel, _ in
            let error = await #expect(throws: RPCError.self) {
                let stream: ResponseStream<Protobuf.StringValue> = try await channel.serverStreaming(
                    Scripted.stream, Protobuf.StringValue(), options: CallOptions(timeout: .milliseconds(100)))
                for try await _ in stream {}
            }
            #expect(error?.code == .deadlineExceeded)
        }
    }

    @Test("T2, T6: a deadline that has passed is DEADLINE_EXCEEDED without a request; the server's CANCELLED stays")
    func cancelledLate() async throws {
        let script = Scripted.http2 { peer, request, _ in
            try await peer.respond(request.stream, Scripted.trailersOnly(1))
        }
        try await Scripted.run(script) { channel, _ in
            let result = await channel.ask(options: CallOptions(deadline: .now() - .seconds(1)))
            #expect(result.code == .deadlineExceeded)
            #expect(await channel.ask().code == .cancelled)
        }
    }

    @Test("T7: a cancelled task resets its stream with CANCEL")
    func cancelled() async throws {
        let resets = Log<UInt32>()
        let requests = Log<Int>()
        try await Scripted.run(Self.silent(resets, requests)) { channel, _ in
            let task = Task { await channel.ask() }
            while await requests.count == 0 { try await Task.sleep(for: .milliseconds(5)) }
            task.cancel()
            #expect(await task.value.code == .cancelled)
            while await resets.count == 0 { try await Task.sleep(for: .milliseconds(5)) }
        }
        #expect(await resets.entries == [8])
    }

    @Test("T7: a dropped stream is cancelled")
    func dropped() async throws {
        let resets = Log<UInt32>()
        try await Scripted.run(Self.silent(resets)) { channel, _ in
            do {
                let stream: ResponseStream<Protobuf.StringValue> = try await channel.serverStreaming(
                    Scripted.stream, Protobuf.StringValue())
                _ = stream.call
            }
            while await resets.count == 0 { try await Task.sleep(for: .milliseconds(5)) }
        }
        #expect(await resets.entries == [8])
    }

    /// Answers OK, and notes what the requests say of their time.
    private static func noting(_ timeouts: Log<String>) -> ScriptedPeer.Script {
        Scripted.http2 { peer, request, _ in
            await timeouts.add(request["grpc-timeout"] ?? "none")
            try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
        }
    }

    @Test("T4, T8: the time that is left travels, the shorter of timeout and deadline")
    func remaining() async throws {
        let timeouts = Log<String>()
        let script = Self.noting(timeouts)
        try await Scripted.run(script, configure: { $0.defaultUnaryTimeout = nil }) { channel, _ in
            _ = await channel.ask()
            let served = CallContext(method: Scripted.method, deadline: .now() + .seconds(40))
            _ = await channel.ask(options: CallOptions(servedCall: served))
            var options = CallOptions(servedCall: served)
            options.timeout = .seconds(7200)
            _ = await channel.ask(options: options)
            _ = await channel.ask(options: CallOptions(timeout: .seconds(20)))
        }
        let seen = await timeouts.entries
        #expect(seen[0] == "none")
        for (text, limit) in zip(seen.dropFirst(), [40_000_000, 40_000_000, 20_000_000]) {
            // Microseconds: the finest unit that holds these in eight digits.
            #expect(text.hasSuffix("u"))
            let value = Int(text.dropLast()) ?? 0
            #expect(value > 0 && value <= limit)
        }
    }

    @Test("T4, T8: a stream that names no timeout has half an hour, or none if that is what the channel says")
    func standardOfStreams() async throws {
        let timeouts = Log<String>()
        let script = Self.noting(timeouts)
        for isUnlimited in [false, true] {
            let configure: (inout RPCChannel.Configuration) -> Void = {
                if isUnlimited { $0.defaultStreamTimeout = nil }
            }
            try await Scripted.run(script, configure: configure) { channel, _ in
                let stream: ResponseStream<Protobuf.StringValue> = try await channel.serverStreaming(
                    Scripted.stream, Protobuf.StringValue())
                for try await _ in stream {}
            }
        }
        let seen = await timeouts.entries
        #expect(seen.count == 2 && seen.last == "none")
        let milliseconds = seen.first.flatMap { $0.hasSuffix("m") ? Int($0.dropLast()) : nil } ?? 0
        #expect((1_700_000...1_800_000).contains(milliseconds), "\(seen)")
    }

    @Test("T4, T8: a unary call that names no timeout has its method's or the channel's, 30 s unless set")
    func standard() async throws {
        let timeouts = Log<String>()
        let script = Self.noting(timeouts)
        let configure: (inout RPCChannel.Configuration) -> Void = {
            $0.service.methods = [
                MethodConfiguration(names: [.init(service: "t.S", method: "Short")], timeout: .seconds(9))
            ]
            $0.defaultStreamTimeout = .seconds(50)
        }
        let short = MethodDescriptor(service: "t.S", method: "Short", kind: .unary)
        try await Scripted.run(script, configure: configure) { channel, _ in
            _ = await channel.ask()
            _ = await channel.ask(method: short)
            // The shorter one of the caller's and the method's.
            _ = await channel.ask(method: short, options: CallOptions(timeout: .seconds(300)))
            let stream: ResponseStream<Protobuf.StringValue> = try await channel.serverStreaming(
                Scripted.stream, Protobuf.StringValue())
            for try await _ in stream {}
        }
        let seen = await timeouts.entries.map { text in text.hasSuffix("u") ? Int(text.dropLast()) ?? 0 : 0 }
        #expect(seen.count == 4)
        for (value, limit) in zip(seen, [30_000_000, 9_000_000, 9_000_000, 50_000_000]) {
            #expect(value > 0 && value <= limit)
        }
    }

    @Test("H2d: a keepalive without an answer fails the calls with UNAVAILABLE")
    func keepalive() async throws {
        let script: ScriptedPeer.Script = { connection, _ in
            guard let peer = try await HTTP2Peer(connection) else { return }
            peer.answersPings = false
            try await peer.readToEnd()
        }
        let configure: (inout RPCChannel.Configuration) -> Void = {
            $0.connection.keepalive = HTTPKeepalive(interval: .milliseconds(50), timeout: .milliseconds(50))
        }
        try await Scripted.run(script, configure: configure) { channel, _ in
            let result = await channel.ask()
            #expect(result.code == .unavailable)
            #expect(result.error?.message.contains("HTTPKeepalive.timeout") == true)
        }
    }

    @Test("A8: answered pings keep a silent call alive; without calls there are none")
    func keepaliveAnswered() async throws {
        let pings = Log<Int>()
        let script: ScriptedPeer.Script = { connection, _ in
            guard let peer = try await HTTP2Peer(connection), let request = try await peer.nextRequest() else { return }
            while peer.pingCount < 3 { guard try await peer.nextFrame() != nil else { return } }
            try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
            await pings.add(peer.pingCount)
            try await peer.readToEnd()
        }
        let configure: (inout RPCChannel.Configuration) -> Void = {
            $0.connection.keepalive = HTTPKeepalive(interval: .milliseconds(20), timeout: .seconds(20))
        }
        try await Scripted.run(script, configure: configure) { channel, _ in #expect(await channel.ask().value == "hi")
        }
        #expect(await pings.entries == [3])
    }

    @Test("an idle connection is closed, the channel is idle and connects again when it is used")
    func idle() async throws {
        let script = Scripted.http2 { peer, request, _ in
            try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
        }
        try await Scripted.run(script, configure: { $0.connection.idleTimeout = .milliseconds(50) }) { channel, peer in
            #expect(channel.connectivityState == .idle)
            #expect(await channel.ask().value == "hi")
            for await state in channel.connectivityStates where state == .idle { break }
            let again = await channel.ask()
            #expect(again.value == "hi", "\(again)")
            #expect(peer.connectionCount == 2)
        }
    }

    @Test("a graceful close lets a call end and refuses new ones")
    func gracefulClose() async throws {
        let started = Log<Int>()
        let script = Scripted.http2 { peer, request, _ in
            await started.add(1)
            try await Task.sleep(for: .milliseconds(100))
            try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
        }
        try await Scripted.run(script) { channel, _ in
            async let answer = channel.ask()
            while await started.count == 0 { try await Task.sleep(for: .milliseconds(2)) }
            await channel.close(gracePeriod: .seconds(30))
            #expect(await answer.value == "hi")
            #expect(await channel.ask().code == .unavailable)
            #expect(channel.connectivityState == .shutdown)
        }
    }
}
