import Compression
import FrameCodec
import HTTPTransport
import RPC
import Testing

/// Compression as it is negotiated in each wire protocol, byte for byte.
@Suite(.timeLimit(.minutes(5))) struct CompressionWireTests {
    private static let text = String(repeating: "compress me. ", count: 200)
    private static let message = Protobuf.StringValue(value: text).serializedBytes()

    private func packed(_ bytes: [UInt8], _ algorithm: CompressionAlgorithm) throws -> [UInt8] {
        try bytes.withUnsafeBytes { try Compressor.compress($0, with: algorithm) }
    }

    private func unpacked(_ bytes: some Collection<UInt8>, _ algorithm: CompressionAlgorithm) throws -> [UInt8] {
        try Array(bytes).withUnsafeBytes { try Decompressor.decompress($0, with: algorithm, maximumByteCount: 1 << 20) }
    }

    private func frame(_ flag: UInt8, _ payload: [UInt8]) -> [UInt8] {
        FrameHeader(flags: FrameFlags(rawValue: flag), payloadByteCount: UInt32(payload.count)).bytes + payload
    }

    /// Flag and payload of the first frame.
    private func firstFrame(_ body: [UInt8]) throws -> (flag: UInt8, payload: [UInt8]) {
        let header = try #require(body.withUnsafeBytes { FrameHeader($0) })
        return (header.flags.rawValue, Array(body.dropFirst(5).prefix(Int(header.payloadByteCount))))
    }

    @Test("P3, P5, P7: each message is compressed on its own, both ways", arguments: CompressionAlgorithm.all)
    func grpc(algorithm: CompressionAlgorithm) async throws {
        try await TestServer.run { server in
            let body = frame(1, try packed(Self.message, algorithm))
            let headers = [
                ("content-type", "application/grpc"), ("te", "trailers"), ("grpc-encoding", algorithm.name),
                ("grpc-accept-encoding", "identity,\(algorithm.name)"),
            ]
            let response = try await server.post(EchoService.unary.path, over: .http2, headers: headers, body: body)
            #expect(response.header("grpc-encoding") == algorithm.name)
            #expect(response.header("grpc-accept-encoding") == "identity, gzip, deflate, zstd")
            let (flag, payload) = try firstFrame(response.body)
            #expect(flag == 1)
            #expect(try unpacked(payload, algorithm) == Self.message)
            #expect(response.trailer("grpc-status") == "0")
        }
    }

    @Test("a connection's messages may grow only so much in a second", arguments: CompressionAlgorithm.all)
    func inflateBudget(algorithm: CompressionAlgorithm) async throws {
        var limits = HTTPLimits()
        limits.inflatedBytesPerSecond = 1_000
        try await TestServer.run(limits: limits) { server in
            let headers = [("content-type", "application/grpc-web"), ("grpc-encoding", algorithm.name)]
            let large = try await server.post(
                EchoService.unary.path, headers: headers, body: frame(1, try packed(Self.message, algorithm)))
            #expect(large.header("grpc-status") == "8")
            #expect(large.header("grpc-message")?.contains("inflatedBytesPerSecond (1000)") == true)
            let small = Protobuf.StringValue(value: String(repeating: "small", count: 100)).serializedBytes()
            let passed = try await server.post(
                EchoService.unary.path, headers: headers, body: frame(1, try packed(small, algorithm)))
            #expect(passed.header("grpc-status") == nil)
        }
    }

    @Test("P5: an encoding that the client uses and does not accept is not used for the answer")
    func notAccepted() async throws {
        try await TestServer.run { server in
            let headers = [
                ("content-type", "application/grpc-web"), ("grpc-encoding", "gzip"),
                ("grpc-accept-encoding", "identity")
            ]
            let body = frame(1, try packed(Self.message, .gzip))
            let response = try await server.post(EchoService.unary.path, headers: headers, body: body)
            #expect(response.header("grpc-encoding") == nil)
            #expect(try firstFrame(response.body).flag == 0)
        }
    }

    @Test("answers are compressed by default only where the request was; small ones and exempt methods never")
    func policy() async throws {
        let accept = [("content-type", "application/grpc-web"), ("grpc-accept-encoding", "gzip")]
        let large = frame(0, Self.message)
        try await TestServer.run { server in
            let response = try await server.post(EchoService.unary.path, headers: accept, body: large)
            #expect(try firstFrame(response.body).flag == 0)
        }
        try await TestServer.run(configure: {
            $0.compression.responses = .whenAccepted
            $0.compression.exemptMethods = [EchoService.raw]
        }) { server in
            let response = try await server.post(EchoService.unary.path, headers: accept, body: large)
            #expect(try firstFrame(response.body).flag == 1)
            let small = try await server.post(EchoService.unary.path, headers: accept, body: frame(0, [0x0A, 1, 0x61]))
            #expect(try firstFrame(small.body).flag == 0)
            let secret = try await server.post(EchoService.raw.path, headers: accept, body: large)
            #expect(try firstFrame(secret.body).flag == 0)
        }
    }

    @Test(
        "P8: a bomb is RESOURCE_EXHAUSTED for every algorithm and names the limit", arguments: CompressionAlgorithm.all)
    func bomb(algorithm: CompressionAlgorithm) async throws {
        let zeros = try packed(Array(repeating: 0, count: 16 << 20), algorithm)
        try await TestServer.run { server in
            let headers = [("content-type", "application/grpc-web"), ("grpc-encoding", algorithm.name)]
            let response = try await server.post(EchoService.unary.path, headers: headers, body: frame(1, zeros))
            #expect(response.header("grpc-status") == "8")
            #expect(response.header("grpc-message")?.contains("maximumRequestMessageByteCount") == true)
            let connect = try await server.post(
                EchoService.unary.path,
                headers: [("content-type", "application/proto"), ("content-encoding", algorithm.name)], body: zeros
            )
            #expect(connect.head.status == 429)
        }
    }

    @Test("P7: bytes after the member and broken members are INTERNAL", arguments: CompressionAlgorithm.all)
    func broken(algorithm: CompressionAlgorithm) async throws {
        let good = try packed(Self.message, algorithm)
        try await TestServer.run { server in
            for bytes in [good + [1, 2, 3, 4, 5, 6, 7, 8, 9], Array(good.dropLast()), [1, 2, 3]] {
                let headers = [("content-type", "application/grpc-web"), ("grpc-encoding", algorithm.name)]
                let response = try await server.post(EchoService.unary.path, headers: headers, body: frame(1, bytes))
                #expect(response.header("grpc-status") == "13")
            }
        }
    }

    @Test("W16: a browser's unary call gets one gzip body; with grpc-accept-encoding it gets messages; streams neither")
    func webWholeBody() async throws {
        try await TestServer.run(configure: { $0.compression.responses = .whenAccepted }) { server in
            let browser = [("content-type", "application/grpc-web"), ("accept-encoding", "deflate, gzip;q=0.5, br")]
            let body = frame(0, Self.message)
            let whole = try await server.post(EchoService.unary.path, headers: browser, body: body)
            #expect(whole.header("content-encoding") == "gzip")
            #expect(whole.header("vary") == "Accept-Encoding")
            #expect(whole.header("grpc-encoding") == nil)
            let trailer: [UInt8] = [0x80, 0, 0, 0, 16] + Array("grpc-status: 0\r\n".utf8)
            #expect(try unpacked(whole.body, .gzip) == body + trailer)
            let both = try await server.post(
                EchoService.unary.path, headers: browser + [("grpc-accept-encoding", "gzip")], body: body
            )
            #expect(both.header("content-encoding") == nil)
            #expect(both.header("grpc-encoding") == "gzip")
            let stream = try await server.post(EchoService.repeated.path, headers: browser, body: frame(0, [8, 200, 1]))
            #expect(stream.header("content-encoding") == nil)
            #expect(try firstFrame(stream.body).flag == 0)
            let refused = try await server.post(
                EchoService.unary.path,
                headers: [("content-type", "application/grpc-web"), ("accept-encoding", "gzip;q=0")],
                body: body
            )
            #expect(refused.body == body + trailer)
        }
    }

    @Test("Connect: unary bodies by content-encoding, stream messages by connect-content-encoding")
    func connect() async throws {
        try await TestServer.run { server in
            let unary = try await server.post(
                EchoService.unary.path,
                headers: [
                    ("content-type", "application/proto"), ("content-encoding", "zstd"), ("accept-encoding", "zstd")
                ],
                body: try packed(Self.message, .zstd)
            )
            #expect(unary.header("content-encoding") == "zstd")
            #expect(try unpacked(unary.body, .zstd) == Self.message)
            let stream = try await server.post(
                EchoService.joined.path,
                headers: [
                    ("content-type", "application/connect+proto"), ("connect-content-encoding", "gzip"),
                    ("connect-accept-encoding", "gzip"),
                ],
                body: frame(1, try packed(Self.message, .gzip)) + frame(0, [])
            )
            #expect(stream.header("connect-content-encoding") == "gzip")
            let (flag, payload) = try firstFrame(stream.body)
            #expect(flag == 1)
            #expect(try unpacked(payload, .gzip) == Self.message)
            #expect(stream.text.hasSuffix("{}"))
        }
    }

    @Test("a handler may ask for compression, and turn it off")
    func handlerDecides() async throws {
        try await TestServer.run { server in
            let headers = [("content-type", "application/grpc-web"), ("grpc-accept-encoding", "gzip")]
            let on = try await server.post(EchoService.compressed.path, headers: headers, body: frame(0, Self.message))
            #expect(try firstFrame(on.body).flag == 1)
            let unable = try await server.post(
                EchoService.compressed.path, headers: [("content-type", "application/grpc-web")],
                body: frame(0, Self.message)
            )
            #expect(try firstFrame(unable.body).flag == 0)
        }
    }

    @Test("P3: a handler decides for each message of a stream", arguments: [("gzip", [1, 0, 1]), ("", [0, 0, 0])])
    func eachMessage(_ each: (accepted: String, flags: [UInt8])) async throws {
        try await TestServer.run { server in
            let headers = [("content-type", "application/grpc-web"), ("grpc-accept-encoding", each.accepted)]
            let response = try await server.post(EchoService.mixed.path, headers: headers, body: frame(0, Self.message))
            #expect(response.header("grpc-encoding") == (each.accepted.isEmpty ? nil : "gzip"))
            var rest = response.body
            for flag in each.flags {
                let first = try firstFrame(rest)
                #expect(first.flag == flag)
                #expect(try (flag == 1 ? unpacked(first.payload, .gzip) : first.payload) == Self.message)
                rest.removeFirst(5 + first.payload.count)
            }
            #expect(try firstFrame(rest).flag == 128)
        }
    }
}
