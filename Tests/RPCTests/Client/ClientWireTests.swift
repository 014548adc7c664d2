import Compression
import FrameCodec
import HTTPTransport
import NIOCore
import RPC
import ScriptedPeer
import ServiceContextModule
import Testing

/// What the client puts on the wire, and what a real connection adds to the rules of the response.
// One after the other: all at once would need more sockets and threads than a small machine has.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ClientWireTests {
    @Test("M2, M7, M11: a gRPC request: pseudo headers, timeout, content type, te; one frame; END_STREAM")
    func grpcRequest() async throws {
        let requests = Log<[String]>()
        let bodies = Log<[UInt8]>()
        let script = Scripted.http2 { peer, request, _ in
            await requests.add(request.fields.map { "\($0.name): \($0.value)" })
            await bodies.add(request.body)
            try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
        }
        try await Scripted.run(script, configure: { $0.metadata.add("x-api-key", "k") }) { channel, peer in
            var metadata = Metadata()
            metadata.add("x-data-bin", bytes: [0xFF])
            #expect(await channel.ask(options: CallOptions(metadata: metadata, timeout: .seconds(100))).value == "hi")
            let seen = await requests.entries.first ?? []
            #expect(seen.map { $0.hasPrefix("grpc-timeout: ") ? "grpc-timeout" : $0 } == [
                ":method: POST", ":scheme: http", ":path: /t.S/M", ":authority: 127.0.0.1:\(peer.port)", "grpc-timeout",
                "content-type: application/grpc+proto", "te: trailers", "grpc-accept-encoding: gzip,deflate,zstd",
                "user-agent: grpc-swift-framecodec/0.1", "x-api-key: k", "x-data-bin: /w",
            ])
            #expect(await bodies.entries == [Scripted.hi])
        }
    }

    @Test("H2f: 1xx answers are skipped")
    func interim() async throws {
        let script = Scripted.http2 { peer, request, _ in
            try await peer.send(
                HTTP2Peer.headers(request.stream, [(":status", "103"), ("link", "x")], endStream: false))
            try await peer.send(HTTP2Peer.headers(request.stream, [(":status", "100")], endStream: false))
            try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
        }
        try await Scripted.run(script) { channel, _ in #expect(await channel.ask().value == "hi") }
    }

    @Test("P11: no message or two in a unary answer are UNIMPLEMENTED", arguments: [0, 2])
    func cardinality(count: Int) async throws {
        let script = Scripted.http2 { peer, request, _ in
            let body = (0..<count).flatMap { _ in Scripted.hi }
            try await peer.respond(request.stream, Scripted.head, body: body, trailers: Scripted.ok)
        }
        try await Scripted.run(script) { channel, _ in
            #expect(await channel.ask().code == .unimplemented)
            let error = await #expect(throws: RPCError.self) {
                let _: Protobuf.StringValue = try await channel.clientStreaming(Scripted.upload) {
                    (_: RequestWriter<Protobuf.StringValue>) in
                }
            }
            #expect(error?.code == .unimplemented)
        }
    }

    @Test("P8: a response over the limit is RESOURCE_EXHAUSTED and the stream is reset")
    func tooLarge() async throws {
        let script = Scripted.http2 { peer, request, _ in
            try await peer.respond(request.stream, Scripted.head, body: [0, 0, 0, 0, 101], trailers: nil)
        }
        try await Scripted.run(script, configure: { $0.maximumResponseMessageByteCount = 100 }) { channel, _ in
            let error = await channel.ask().error
            #expect(error?.code == .resourceExhausted)
            #expect(error?.message.contains("100") == true)
        }
    }

    /// A frame that cannot be taken stays where it is: asking again must not end in a loop.
    @Test(
        "P2, P3, P8: a stream that goes wrong ends with its status, after the messages before, and is reset",
        arguments: [
            ([0, 0xFF, 0xFF, 0xFF, 0xFF], 8), ([0, 0, 0, 0, 101], 8), ([4, 0, 0, 0, 0], 13), ([0x80, 0, 0, 0, 0], 13),
            ([1, 0, 0, 0, 1, 9], 13),
        ] as [([UInt8], Int)])
    func brokenStream(frame: [UInt8], code: Int) async throws {
        let resets = Log<UInt32>()
        let script: ScriptedPeer.Script = { connection, _ in
            guard let peer = try await HTTP2Peer(connection) else { return }
            while let request = try await peer.nextRequest() {
                let body = Scripted.hi + frame + Scripted.hi
                try await peer.send(HTTP2Peer.headers(request.stream, Scripted.head, endStream: false))
                try await peer.send(HTTP2Peer.data(request.stream, body, endStream: false))
                while peer.resets[request.stream] == nil { guard try await peer.nextFrame() != nil else { return } }
                await resets.add(peer.resets[request.stream] ?? 0)
            }
        }
        try await Scripted.run(script, configure: { $0.maximumResponseMessageByteCount = 100 }) { channel, _ in
            for kind in [MethodDescriptor.Kind.serverStreaming, .clientStreaming, .bidirectionalStreaming, .unary] {
                let call = try await channel.start(MethodDescriptor(service: "t.S", method: "M", kind: kind))
                try await call.send(Protobuf.StringValue(value: "hi"))
                await call.finishSending()
                #expect(try await call.receive(Protobuf.StringValue.self)?.value == "hi")
                for _ in 0..<3 {
                    let error = await #expect(throws: RPCError.self) { _ = try await call.nextMessage() }
                    #expect(error?.code.rawValue == code)
                }
            }
            while await resets.count < 4 { try await Task.sleep(for: .milliseconds(5)) }
        }
        #expect(await resets.entries == [8, 8, 8, 8])
    }

    @Test("P13: a response that is not the message is INTERNAL")
    func parseFailure() async throws {
        let script = Scripted.http2 { peer, request, _ in
            try await peer.respond(request.stream, Scripted.head, body: [0, 0, 0, 0, 1, 0x0A], trailers: Scripted.ok)
        }
        try await Scripted.run(script) { channel, _ in #expect(await channel.ask().code == .internalError) }
    }

    @Test("M8: response headers over the limit end the call, not the connection")
    func largeHeaders() async throws {
        let script = Scripted.http2 { peer, request, _ in
            let large = request.stream == 1 ? [("x-large", String(repeating: "x", count: 9000))] : []
            try await peer.respond(request.stream, Scripted.head + large, body: Scripted.hi, trailers: Scripted.ok)
        }
        try await Scripted.run(script) { channel, peer in
            let error = await channel.ask().error
            #expect(error?.code == .internalError)
            #expect(error?.message.contains("headerListByteCount") == true)
            #expect(await channel.ask().value == "hi")
            #expect(peer.connectionCount == 1)
        }
    }

    @Test("M8: trailers over the limit end the call too, not the connection")
    func largeTrailers() async throws {
        let script = Scripted.http2 { peer, request, _ in
            let large = request.stream == 1 ? [("x-large", String(repeating: "x", count: 9000))] : []
            try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok + large)
        }
        try await Scripted.run(script) { channel, peer in
            let error = await channel.ask().error
            #expect(error?.code == .internalError)
            #expect(error?.message.contains("headerListByteCount") == true)
            #expect(await channel.ask().value == "hi")
            #expect(peer.connectionCount == 1)
        }
    }

    @Test("M3, M4: outer white space of values is dropped, other bytes that are valid HTTP do no harm")
    func oddValues() async throws {
        let script = Scripted.http2 { peer, request, _ in
            let odd = [("x-outer", " \t v w \t"), ("x-odd", "h\u{E9}"), ("x-odd-bin", "!!"), ("grpc-unknown", "x")]
            try await peer.respond(
                request.stream, Scripted.head + odd, body: Scripted.hi, trailers: Scripted.ok + [("x-tail", " t ")])
        }
        try await Scripted.run(script) { channel, _ in
            let call = try await channel.start(Scripted.method)
            try await call.send(Protobuf.StringValue(value: "hi"))
            await call.finishSending()
            #expect(try await call.receiveOnly(Protobuf.StringValue.self).value == "hi")
            #expect(await call.responseMetadata["x-outer"] == "v w")
            #expect(await call.responseMetadata.binaryValues("x-odd-bin").isEmpty)
            #expect(await call.trailingMetadata["x-tail"] == "t")
        }
    }

    @Test("M5: -bin values padded, unpadded, joined by commas")
    func binaryMetadata() async throws {
        let script = Scripted.http2 { peer, request, _ in
            let head = Scripted.head + [("x-bin", "/w==,AA"), ("x-bin", "AQ"), ("x-text", "a,b")]
            try await peer.respond(request.stream, head, body: Scripted.hi, trailers: Scripted.ok)
        }
        try await Scripted.run(script) { channel, _ in
            let call = try await channel.start(Scripted.method)
            try await call.send(Protobuf.StringValue(value: "hi"))
            await call.finishSending()
            #expect(try await call.receiveOnly(Protobuf.StringValue.self).value == "hi")
            #expect(await call.responseMetadata.binaryValues("x-bin") == [[0xFF], [0], [1]])
            #expect(await call.responseMetadata.values("x-text") == ["a,b"])
        }
    }

    @Test("W18, W19: a gRPC-Web request over HTTP/1.1, byte for byte")
    func webRequest() async throws {
        let requests = Log<String>()
        let script: ScriptedPeer.Script = { connection, _ in
            guard let (head, body) = try await connection.readHTTP1Request() else { return }
            await requests.add(head)
            #expect(body == Scripted.hi)
            let answer = Scripted.hi + [0x80, 0, 0, 0, 16] + Array("grpc-status: 0\r\n".utf8)
            try await connection.send(
                "HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web+proto\r\nContent-Length: \(answer.count)\r\n\r\n"
            )
            try await connection.send(answer)
            try await connection.readToEnd()
        }
        try await Scripted.run(script, wire: .grpcWebHTTP1, configure: { $0.defaultUnaryTimeout = nil }) {
            channel, peer in
            #expect(await channel.ask().value == "hi")
            #expect(await requests.entries == [
                """
                POST /t.S/M HTTP/1.1\r\nhost: 127.0.0.1:\(peer.port)\r\ncontent-type: application/grpc-web+proto\r\n\
                x-grpc-web: 1\r\naccept: application/grpc-web+proto\r\ngrpc-accept-encoding: gzip,deflate,zstd\r\n\
                user-agent: grpc-swift-framecodec/0.1\r\ncontent-length: 9\r\n\r\n
                """
            ])
        }
    }

    @Test("O3: a body that ends too early is INTERNAL, a connection that ends before the head UNAVAILABLE")
    func truncated() async throws {
        let script: ScriptedPeer.Script = { connection, number in
            guard try await connection.readHTTP1Request() != nil, number == 1 else { return }
            try await connection.send(
                "HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web+proto\r\nContent-Length: 30\r\n\r\n\u{0}")
        }
        try await Scripted.run(script, wire: .grpcWebHTTP1) { channel, _ in
            #expect(await channel.ask().code == .internalError)
            #expect(await channel.ask().code == .unavailable)
        }
    }

    @Test("Connect unary over HTTP/1.1, byte for byte: a bare message, no frame")
    func connectRequest() async throws {
        let requests = Log<String>()
        let script: ScriptedPeer.Script = { connection, _ in
            guard let (head, body) = try await connection.readHTTP1Request() else { return }
            await requests.add(head)
            #expect(body == [0x0A, 2, 0x68, 0x69])
            try await connection.send("HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 0\r\n\r\n")
            try await connection.readToEnd()
        }
        try await Scripted.run(script, wire: .connectHTTP1, configure: { $0.acceptedCompression = [] }) {
            channel, peer in
            #expect(await channel.ask(options: CallOptions(timeout: .seconds(300))).value == "")
            let head = await requests.entries.first ?? ""
            #expect(head.hasPrefix("POST /t.S/M HTTP/1.1\r\nhost: 127.0.0.1:\(peer.port)\r\nconnect-timeout-ms: "))
            #expect(head.hasSuffix(
                "\r\ncontent-type: application/proto\r\nconnect-protocol-version: 1\r\n"
                    + "user-agent: grpc-swift-framecodec/0.1\r\ncontent-length: 4\r\n\r\n"))
        }
    }

    @Test("Connect GET: method without side effects, query in the order of the specification, url-safe base64")
    func connectGet() async throws {
        let lines = Log<String>()
        let script: ScriptedPeer.Script = { connection, _ in
            while let (head, _) = try await connection.readHTTP1Request() {
                await lines.add(String(head.prefix { $0 != "\r\n" }))
                try await connection.send(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 0\r\n\r\n")
            }
        }
        let method = MethodDescriptor(service: "t.S", method: "M", kind: .unary, idempotency: .noSideEffects)
        try await Scripted.run(script, wire: .connectHTTP1, configure: { $0.usesGetWithoutSideEffects = true }) {
            channel, peer in
            #expect(await channel.ask("hi", method: method).value == "")
            #expect(await channel.ask("hi").value == "")
            #expect(await channel.ask(String(repeating: "x", count: 5000), method: method).value == "")
            #expect(peer.connectionCount == 1)
        }
        #expect(await lines.entries == [
                "GET /t.S/M?connect=v1&base64=1&encoding=proto&message=CgJoaQ HTTP/1.1", "POST /t.S/M HTTP/1.1",
                "POST /t.S/M HTTP/1.1"
        ])
    }

    @Test("P3, P6: request messages are compressed when asked, never empty ones or secret ones")
    func compressedRequest() async throws {
        let bodies = Log<[UInt8]>()
        let script = Scripted.http2 { peer, request, _ in
            #expect((request["grpc-encoding"] == nil) == (await bodies.count == 2))
            await bodies.add(Array(request.body.prefix(1)))
            try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
        }
        try await Scripted.run(script, configure: { $0.compression = .gzip }) { channel, _ in
            _ = await channel.ask()
            _ = await channel.ask("")
            var secret = CallOptions()
            secret.forbidsCompression = true
            _ = await channel.ask(options: secret)
        }
        #expect(await bodies.entries == [[1], [0], [0]])
    }

    @Test(
        "P3: each message of a stream is compressed or not, as its sender says",
        arguments: [CompressionAlgorithm.gzip, nil])
    func mixedRequests(algorithm: CompressionAlgorithm?) async throws {
        let bodies = Log<[UInt8]>()
        let script = Scripted.http2 { peer, request, _ in
            #expect(request["grpc-encoding"] == algorithm?.name)
            await bodies.add(request.body)
            try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
        }
        let message = Protobuf.StringValue(value: String(repeating: "small ", count: 40))
        let plain = message.serializedBytes()
        try await Scripted.run(script) { channel, _ in
            let call = try await channel.start(Scripted.upload, options: CallOptions(compression: algorithm))
            try await call.send(message)
            try await call.send(message, isCompressed: false)
            try await call.send(bytes: ByteBuffer(bytes: plain))
            try await call.send(bytes: ByteBuffer(bytes: plain), isCompressed: false)
            await call.finishSending()
            _ = try await call.receiveOnly(Protobuf.StringValue.self)
        }
        var rest = try #require(await bodies.entries.first)
        for isCompressed in [true, false, true, false] {
            let header = try #require(rest.withUnsafeBytes { FrameHeader($0) })
            let payload = Array(rest.dropFirst(5).prefix(Int(header.payloadByteCount)))
            let isPacked = isCompressed && algorithm != nil
            #expect(header.flags == (isPacked ? .compressed : []))
            let bytes = try !isPacked ? payload : payload.withUnsafeBytes {
                try Decompressor.decompress($0, with: .gzip, maximumByteCount: 1 << 20)
            }
            #expect(bytes == plain)
            rest.removeFirst(5 + payload.count)
        }
        #expect(rest.isEmpty)
    }

    @Test("interceptors wrap unary calls and streams, add metadata, see the end, and can refuse")
    func interceptors() async throws {
        let log = Log<String>()
        struct Probe: ClientInterceptor {
            let name: String
            let log: Log<String>

            func intercept<Answer: Sendable>(
                _ context: ClientCallContext, next: ClientCallHandler<Answer>
            ) async throws -> Answer {
                guard context.metadata["x-refuse"] == nil else { throw RPCError(.permissionDenied, "refused") }
                var context = context
                context.metadata.add("x-\(name)", context.method.method)
                let log = log
                let name = name
                context.whenEnded { end in Task { await log.add("\(name) \(end.error?.code ?? .ok)") } }
                return try await next(context)
            }
        }
        let seen = Log<[String?]>()
        let script = Scripted.http2 { peer, request, _ in
            await seen.add([request["x-one"], request["x-two"]])
            let isStream = request[":path"] == "/t.S/Stream"
            try await peer.respond(
                request.stream, Scripted.head, body: Scripted.hi, trailers: [("grpc-status", isStream ? "10" : "0")])
        }
        let configure: (inout RPCChannel.Configuration) -> Void = {
            $0.interceptors = [Probe(name: "one", log: log), Probe(name: "two", log: log)]
        }
        try await Scripted.run(script, configure: configure) { channel, _ in
            #expect(await channel.ask().value == "hi")
            let stream: ResponseStream<Protobuf.StringValue> = try await channel.serverStreaming(
                Scripted.stream, Protobuf.StringValue())
            let error = await #expect(throws: RPCError.self) { for try await _ in stream {} }
            #expect(error?.code == .aborted)
            var metadata = Metadata()
            metadata.add("x-refuse", "1")
            #expect(await channel.ask(options: CallOptions(metadata: metadata)).code == .permissionDenied)
        }
        while await log.count < 4 { try await Task.sleep(for: .milliseconds(2)) }
        #expect(await seen.entries == [["M", "M"], ["Stream", "Stream"]])
        #expect(await Set(log.entries) == ["one OK", "two OK", "one ABORTED", "two ABORTED"])
    }
}
