import NIOCore
import Testing

@testable import HTTPTransport

@Suite(.timeLimit(.minutes(5))) struct EngineExchangeTests {
    /// Client engine's bytes for two requests, one with a body.
    private func clientBytes() throws -> (TestEngine, [UInt8]) {
        let client = try TestEngine(.client)
        let head = HTTPRequestHead(
            path: "/pkg.Service/Method", fields: [.contentType: "application/grpc", .te: "trailers"])
        let first = try #require(client.engine.request(head, authority: Array("host:1".utf8), endsStream: false))
        client.engine.send(ByteBuffer(string: "hello "), on: first)
        client.engine.send(ByteBuffer(string: "world"), on: first)
        client.engine.end(first, trailers: nil)
        let get = HTTPRequestHead(method: .get, path: "/", authority: "other")
        _ = try #require(client.engine.request(get, authority: Array("host:1".utf8), endsStream: true))
        return (client, client.drain())
    }

    private static let expected: [Report] = [
        .head(1, "POST /pkg.Service/Method host:1"),
        .head(3, "GET / other"),
        .end(3),
        .data(1, Array("hello world".utf8)),
        .end(1),
    ]

    @Test func `requests fed whole`() throws {
        let server = try TestEngine(.server)
        server.feed(try clientBytes().1)
        #expect(server.reports == Self.expected)
    }

    @Test func `requests fed byte by byte`() throws {
        let server = try TestEngine(.server)
        server.feed(try clientBytes().1, step: 1)
        #expect(server.reports == Self.expected)
    }

    @Test func `requests fed at every split`() throws {
        let bytes = try clientBytes().1
        for split in 1..<bytes.count {
            let server = try TestEngine(.server)
            server.feed(Array(bytes[..<split]))
            server.feed(Array(bytes[split...]))
            #expect(server.reports == Self.expected, "split at \(split)")
        }
    }

    @Test func `HPACK: names of fields that differ each time are spelled once, their values are never kept`() throws {
        let client = try TestEngine(.client)
        let requestID = try #require(HTTPFieldName("x-request-id"))
        func block(_ timeout: String, _ id: String, _ key: String) throws -> [UInt8] {
            let head = HTTPRequestHead(
                path: "/", authority: "h", fields: [.grpcTimeout: timeout, requestID: id, .authorization: key])
            _ = try #require(client.engine.request(head, authority: Array("h".utf8), endsStream: true))
            return Array(client.drain().suffix(18))
        }
        _ = try block("1S", "a", "k1")
        // :method POST, :scheme http, :path /, then entry 64 of the table (:authority h); "never indexed" with the
        // names of its entries 63 and 62, and of the static table's 23.
        let expected: [UInt8] = [
            0x83, 0x86, 0x84, 0xC0, 0x1F, 0x30, 0x02, 0x32, 0x53, 0x1F, 0x2F, 0x01, 0x62, 0x1F, 0x08, 0x02, 0x6B, 0x32,
        ]
        #expect(try block("2S", "b", "k2") == expected)
    }

    @Test func `response with body and trailers arrives`() throws {
        let (client, bytes) = try clientBytes()
        let server = try TestEngine(.server)
        let settings = server.feed(bytes)
        let stream = try #require(server.streams[1])
        server.engine.respond(
            stream, HTTPResponseHead(status: 200, fields: [.contentType: "a/b"]), endsStream: false)
        server.engine.send(ByteBuffer(string: "answer"), on: stream)
        server.engine.end(stream, trailers: [.grpcStatus: "0"])
        client.feed(settings + server.drain(), step: 1)
        #expect(
            client.reports == [
                .head(1, "200"), .data(1, Array("answer".utf8)), .trailers(1, "grpc-status: 0"), .end(1),
                .closed(1, "NO_ERROR"),
            ])
    }

    @Test func `trimming between exchanges changes no byte, with answers that fill the frame buffer too`() throws {
        func answers(trims: Bool) throws -> [[UInt8]] {
            let server = try TestEngine(.server)
            var outputs = [server.feed(Wire.begin)]
            for (index, count) in [1, 5_000, 40_000, 3].enumerated() {
                if trims { server.engine.trim() }
                let id = UInt32(index * 2 + 1)
                outputs.append(server.feed(Wire.headers(id, Wire.requestBlock())))
                let stream = try #require(server.streams[Int32(id)])
                server.engine.respond(
                    stream, HTTPResponseHead(status: 200, fields: [.contentType: "a/\(count)"]), endsStream: false)
                server.engine.send(ByteBuffer(repeating: UInt8(index), count: count), on: stream)
                server.engine.end(stream, trailers: [.grpcStatus: "0"])
                outputs.append(server.drain())
                if trims { server.engine.trim() }
                // PING while idle.
                outputs.append(server.feed(Wire.frame(type: 6, flags: 0, stream: 0, [1, 2, 3, 4, 5, 6, 7, 8])))
            }
            return outputs
        }
        #expect(try answers(trims: true) == answers(trims: false))
    }

    @Test func `trimming with frames that wait to be sent keeps them`() throws {
        func output(trims: Bool) throws -> [UInt8] {
            let server = try TestEngine(.server)
            _ = server.feed(Wire.begin)
            let ping = Wire.frame(type: 6, flags: 0, stream: 0, [1, 2, 3, 4, 5, 6, 7, 8])
            for _ in 0..<3 { server.feed(ping, drains: false) }
            if trims { server.engine.trim() }
            return server.drain()
        }
        #expect(try output(trims: true) == output(trims: false))
    }

    @Test func `S9 a response without body is one HEADERS frame with flags 5`() throws {
        let server = try TestEngine(.server)
        _ = server.feed(Wire.begin + Wire.headers(1, Wire.requestBlock()))
        let stream = try #require(server.streams[1])
        server.engine.respond(
            stream,
            HTTPResponseHead(status: 200, fields: [.contentType: "application/grpc", .grpcStatus: "12"]),
            endsStream: true)
        let frames = Wire.frames(server.drain())
        #expect(frames.map(\.type) == [1])
        #expect(frames.first?.flags == 5)
        #expect(frames.first?.stream == 1)
        // :status 200 is entry 8 of the static table.
        #expect(frames.first?.payload.first == 0x88)
    }

    @Test func `head and trailers without a body are two HEADERS frames`() throws {
        let server = try TestEngine(.server)
        _ = server.feed(Wire.begin + Wire.headers(1, Wire.requestBlock()))
        let stream = try #require(server.streams[1])
        server.engine.respond(stream, HTTPResponseHead(status: 200), trailers: [.grpcStatus: "0"])
        let frames = Wire.frames(server.drain())
        #expect(frames.map(\.type) == [1, 1])
        #expect(frames.map(\.flags) == [4, 5])
        #expect(frames.first?.payload == [0x88])
        #expect(server.reports.last == .closed(1, "NO_ERROR"))
    }

    @Test func `an empty trailer block is never sent`() throws {
        let server = try TestEngine(.server)
        _ = server.feed(Wire.begin + Wire.headers(1, Wire.requestBlock()))
        let stream = try #require(server.streams[1])
        server.engine.respond(stream, HTTPResponseHead(status: 200), endsStream: false)
        server.engine.send(ByteBuffer(string: "x"), on: stream)
        server.engine.end(stream, trailers: HTTPFields())
        let frames = Wire.frames(server.drain())
        #expect(
            frames == [
                Frame(type: 1, flags: 4, stream: 1, payload: [0x88]),
                Frame(type: 0, flags: 1, stream: 1, payload: [0x78]),
            ])
    }

    @Test func `H2a HEADERS with END_STREAM is a request without body`() throws {
        let server = try TestEngine(.server)
        server.feed(Wire.begin + Wire.headers(1, Wire.requestBlock()))
        #expect(server.reports == [.head(1, "POST /a/b x"), .end(1)])
    }

    private func answerEarly(contentLength: Int?, isDraining: Bool = false) throws -> (TestEngine, [Frame]) {
        let server = try TestEngine(.server)
        let more = contentLength.map { [("content-length", "\($0)")] } ?? []
        _ = server.feed(Wire.begin + Wire.headers(1, Wire.requestBlock(more), endStream: false))
        if isDraining { server.engine.submitFinalGoAway() }
        let stream = try #require(server.streams[1])
        server.engine.respond(
            stream, HTTPResponseHead(status: 200, fields: [.grpcStatus: "16"]), endsStream: true)
        return (server, Wire.frames(server.drain()))
    }

    private static let resetNoError = Frame(type: 3, flags: 0, stream: 1, payload: [0, 0, 0, 0])

    @Test(arguments: [nil, 64 * 1024 + 1])
    func `H2b an early reply is followed by RST_STREAM NO_ERROR`(contentLength: Int?) throws {
        let (server, frames) = try answerEarly(contentLength: contentLength)
        #expect(frames.map(\.type) == [1, 3])
        #expect(frames.last == Self.resetNoError)
        #expect(server.reports.last == .closed(1, "NO_ERROR"))
    }

    /// The window update wakes clients (curl) that close the stream while they send and then wait for input.
    @Test func `H2b an early reply to a short request lets it end and wakes the client`() throws {
        let (server, frames) = try answerEarly(contentLength: 3)
        #expect(frames.map(\.type) == [1])
        let answer = Wire.frames(server.feed(Wire.data(1, [1, 2, 3], endStream: true)))
        #expect(answer == [Frame(type: 8, flags: 0, stream: 0, payload: [0, 0, 0, 1])])
        #expect(server.reports.last == .closed(1, "NO_ERROR"))
        #expect(!server.engine.resetUnwanted(after: .zero, now: 9_000_000_000))
    }

    @Test func `H2b a short request that does not end in time is reset`() throws {
        let (server, frames) = try answerEarly(contentLength: 64 * 1024)
        #expect(frames.map(\.type) == [1])
        #expect(!server.engine.resetUnwanted(after: .seconds(2), now: 1_000_000_000))
        #expect(!server.engine.resetUnwanted(after: .seconds(2), now: 3_000_000_000))
        #expect(server.engine.resetUnwanted(after: .seconds(2), now: 3_000_000_001))
        #expect(!server.engine.resetUnwanted(after: .seconds(2), now: 9_000_000_000))
        #expect(Wire.frames(server.drain()) == [Self.resetNoError])
        #expect(server.reports.last == .closed(1, "NO_ERROR"))
    }

    @Test func `H2b a short request is reset at once while the connection ends`() throws {
        let (_, frames) = try answerEarly(contentLength: 3, isDraining: true)
        #expect(frames.contains(Self.resetNoError))
    }

    @Test func `H2c drain sends GOAWAY with the highest id, then the real one`() throws {
        let server = try TestEngine(.server)
        _ = server.feed(Wire.begin + Wire.headers(5, Wire.requestBlock()))
        server.engine.submitShutdownNotice()
        let first = Wire.frames(server.drain())
        #expect(
            first.contains(
                Frame(type: 7, flags: 0, stream: 0, payload: [0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0])))
        #expect(first.contains(Frame(type: 6, flags: 0, stream: 0, payload: Array("shutdown".utf8))))
        // A request that was under way is still served.
        server.feed(Wire.headers(7, Wire.requestBlock()))
        #expect(server.reports.contains(.head(7, "POST /a/b x")))
        server.engine.submitFinalGoAway()
        #expect(
            Wire.frames(server.drain()) == [
                Frame(type: 7, flags: 0, stream: 0, payload: [0, 0, 0, 7, 0, 0, 0, 0])
            ])
        server.feed(Wire.headers(9, Wire.requestBlock()))
        #expect(!server.reports.contains(.head(9, "POST /a/b x")))
    }

    @Test func `H2e, M8 the server's first words: windows, streams, header list, no priorities`() throws {
        let server = try TestEngine(.server)
        let words = Wire.frames(server.drain())
        #expect(
            words == [
                Frame(
                    type: 4, flags: 0, stream: 0,
                    payload: [0, 4, 0, 4, 0, 0] + [0, 6, 0, 0, 0x20, 0] + [0, 9, 0, 0, 0, 1] + [0, 3, 0, 0, 0, 128]),
                // 4 MiB for all streams together; the protocol begins with 65,535.
                Frame(type: 8, flags: 0, stream: 0, payload: [0, 0x3F, 0, 1]),
            ])
    }

    @Test func `H2f a client disables push and skips 1xx`() throws {
        let client = try TestEngine(.client)
        let head = HTTPRequestHead(path: "/")
        _ = try #require(client.engine.request(head, authority: Array("a".utf8), endsStream: true))
        let sent = client.drain()
        let settings = Wire.frames(Array(sent.dropFirst(24))).ofType(4)
        #expect(settings.first?.payload.suffix(6) == [0, 2, 0, 0, 0, 0])
        client.feed(
            Wire.emptySettings + Wire.headers(1, Wire.literal(":status", "103"), endStream: false)
                + Wire.headers(1, Wire.literal(":status", "204")))
        #expect(client.reports == [.head(1, "204"), .end(1), .closed(1, "NO_ERROR")])
    }

    @Test func `H2g credit returns only when the application consumes`() throws {
        var limits = HTTPLimits()
        limits.streamWindowByteCount = 65_535
        let engine = try HTTP2Engine(role: .server, limits: limits)
        let body = [UInt8](repeating: 1, count: 16_000)
        var input = Wire.begin + Wire.headers(1, Wire.requestBlock(), endStream: false)
        for _ in 0..<4 { input += Wire.data(1, body) }
        var index = 0
        var output = ByteBuffer()
        while index < input.count {
            let slice = Array(input[index..<min(index + 16_384, input.count)])
            #expect(slice.withUnsafeBytes { engine.feed($0, now: 1) })
            index += slice.count
        }
        _ = engine.drain(into: &output, upTo: 1 << 20, now: 1)
        let before = Wire.frames(Array(output.readableBytesView))
        // Only the connection window was raised, at the start.
        #expect(before.ofType(8).allSatisfy { $0.stream == 0 })
        engine.consume(64_000, on: engine.openStreams.first)
        output.clear()
        _ = engine.drain(into: &output, upTo: 1 << 20, now: 1)
        let after = Wire.frames(Array(output.readableBytesView)).ofType(8)
        #expect(after.contains(Frame(type: 8, flags: 0, stream: 1, payload: Wire.big(64_000))))
    }

    @Test func `M4 outer whitespace of a value is dropped`() throws {
        let server = try TestEngine(.server)
        server.feed(Wire.begin + Wire.headers(1, Wire.requestBlock([("x-a", "  v w\t ")])))
        let head = try #require(server.streams[1]?.requestHead)
        #expect(head.fields.first(try #require(HTTPFieldName("x-a"))) == "v w")
    }

    @Test(arguments: ["x/y", "*", "http://a/x", "", "/a#b"])
    func `M1 a path that does not begin with a slash resets the stream`(path: String) throws {
        let server = try TestEngine(.server)
        let output = Wire.frames(server.feed(Wire.begin + Wire.headers(1, Wire.requestBlock(path: path))))
        #expect(output.ofType(3).first?.code == 1)
        #expect(!server.reports.contains { if case .head = $0 { true } else { false } })
    }

    @Test(arguments: ["foo", "https"])
    func `M1 a scheme that is not the transport's resets the stream`(scheme: String) throws {
        let server = try TestEngine(.server)
        let output = Wire.frames(server.feed(Wire.begin + Wire.headers(1, Wire.requestBlock(scheme: scheme))))
        #expect(output.ofType(3).first?.code == 1)
    }

    @Test func `M9 host and authority must be equal`() throws {
        let server = try TestEngine(.server)
        let output = Wire.frames(
            server.feed(
                Wire.begin + Wire.headers(1, Wire.requestBlock([("host", "x")]))
                    + Wire.headers(3, Wire.requestBlock([("host", "y")]))
                    + Wire.headers(5, Wire.requestBlock(authority: nil, [("host", "z")]))))
        #expect(output.ofType(3).map(\.stream) == [3])
        #expect(server.reports.contains(.head(1, "POST /a/b x")))
        #expect(server.reports.contains(.head(5, "POST /a/b z")))
    }

    @Test(arguments: [
        ("te", "gzip"), ("connection", "close"), ("transfer-encoding", "chunked"), ("X-Upper", "a"),
    ])
    func `M2 forbidden fields reset the stream`(name: String, value: String) throws {
        let server = try TestEngine(.server)
        let output = Wire.frames(
            server.feed(Wire.begin + Wire.headers(1, Wire.requestBlock([(name, value)]))))
        #expect(output.ofType(3).first?.stream == 1)
        #expect(server.reports.first != .head(1, "POST /a/b x"))
    }

    @Test func `H2c a client's streams above the last id are refused, safe to retry`() throws {
        let client = try TestEngine(.client)
        for _ in 0..<2 {
            _ = try #require(
                client.engine.request(HTTPRequestHead(path: "/"), authority: Array("a".utf8), endsStream: true))
        }
        _ = client.drain()
        client.feed(Wire.emptySettings + Wire.frame(type: 7, flags: 0, stream: 0, Wire.big(1) + Wire.big(0)))
        #expect(
            client.reports == [.goAway(1, "NO_ERROR"), .closed(3, "REFUSED_STREAM")]
                || client.reports == [.closed(3, "REFUSED_STREAM"), .goAway(1, "NO_ERROR")])
        #expect(client.engine.request(HTTPRequestHead(path: "/"), authority: Array("a".utf8), endsStream: true) == nil)
    }

    @Test func `H2c requests that wait for a place are refused at once when GOAWAY comes, and never sent`() throws {
        let client = try TestEngine(.client)
        client.feed(Wire.frame(type: 4, flags: 0, stream: 0, [0, 3] + Wire.big(1)))
        for _ in 0..<3 {
            let head = HTTPRequestHead(path: "/")
            let stream = try #require(client.engine.request(head, authority: Array("a".utf8), endsStream: false))
            client.engine.send(ByteBuffer(string: "body"), on: stream)
            client.engine.end(stream, trailers: nil)
        }
        #expect(Wire.frames(client.drain()).ofType(1).map(\.stream) == [1])
        let goAway = Wire.frame(type: 7, flags: 0, stream: 0, Wire.big(0x7FFF_FFFF) + Wire.big(0))
        #expect(Wire.frames(client.feed(goAway)).ofType(1).isEmpty)
        #expect(
            client.reports == [
                .goAway(0x7FFF_FFFF, "NO_ERROR"), .closed(3, "REFUSED_STREAM"), .closed(5, "REFUSED_STREAM"),
            ])
        #expect(client.engine.unsentByteCount == 0)
        // The place that is free now is for nobody, and what nghttp2 forgets then is not reported again.
        let rest = client.feed(Wire.headers(1, Wire.literal(":status", "204")))
        #expect(Wire.frames(rest).ofType(1).isEmpty)
        #expect(client.reports.suffix(3) == [.head(1, "204"), .end(1), .closed(1, "NO_ERROR")])
        #expect(client.reports.count == 6)
        #expect(!client.engine.hasOpenStreams)
    }
}
