import FrameCodec
import HTTPTransport
import RPC
import Testing

/// Answers byte for byte, as a foreign client sees them.
@Suite(.timeLimit(.minutes(5))) struct WireTests {
    /// StringValue { value: "hi" } in a frame.
    private let hiFrame: [UInt8] = [0, 0, 0, 0, 4, 0x0A, 2, 0x68, 0x69]
    private let okTrailerFrame: [UInt8] = [0x80, 0, 0, 0, 16] + Array("grpc-status: 0\r\n".utf8)

    @Test(
        "W1, W4, W5: gRPC-Web ends with one trailer frame and no HTTP trailers",
        arguments: [HTTPClientProtocol.http1, .http2])
    func webUnary(http: HTTPClientProtocol) async throws {
        try await TestServer.run { server in
            let response = try await server.post(EchoService.unary.path, over: http, body: hiFrame)
            #expect(response.head.status == 200)
            #expect(response.header("content-type") == "application/grpc-web+proto")
            #expect(response.body == hiFrame + okTrailerFrame)
            #expect(response.trailers?.isEmpty ?? true)
        }
    }

    @Test("W12, W13: text mode pads at each frame", arguments: [HTTPClientProtocol.http1, .http2])
    func webText(http: HTTPClientProtocol) async throws {
        try await TestServer.run { server in
            let body = Base64.encode(hiFrame, padded: true)
            let response = try await server.post(
                EchoService.unary.path, over: http, headers: [("content-type", "application/grpc-web-text")], body: body
            )
            #expect(response.header("content-type") == "application/grpc-web-text")
            #expect(response.text == "AAAAAAQKAmhp" + "gAAAABBncnBjLXN0YXR1czogMA0K")
        }
    }

    @Test("W12: a text request may be padded in the middle")
    func textPaddedInTheMiddle() async throws {
        try await TestServer.run { server in
            let body =
                Base64.encode(Array(hiFrame.prefix(4)), padded: true)
                + Base64.encode(Array(hiFrame.dropFirst(4)), padded: true)
            let response = try await server.post(
                EchoService.unary.path, headers: [("content-type", "application/grpc-web-text")], body: body
            )
            #expect(response.text.hasPrefix("AAAAAAQKAmhp"))
        }
    }

    @Test("W13: each message of a stream is padded on its own", arguments: [HTTPClientProtocol.http1, .http2])
    func webTextStream(http: HTTPClientProtocol) async throws {
        try await TestServer.run { server in
            // UInt32Value { value: 2 }: answered with 0 (an empty message) and 1.
            let response = try await server.post(
                EchoService.repeated.path, over: http, headers: [("content-type", "application/grpc-web-text+proto")],
                body: Array("AAAAAAIIAg==".utf8)
            )
            #expect(response.header("content-type") == "application/grpc-web-text+proto")
            #expect(response.text == "AAAAAAA=" + "AAAAAAIIAQ==" + "gAAAABBncnBjLXN0YXR1czogMA0K")
        }
    }

    @Test(
        "W10: a binary request gets text when Accept lists it, else what it is itself",
        arguments: [
            ("application/grpc-web-text", true), ("application/grpc-web-text+proto", true),
            ("text/html, Application/GRPC-Web-Text;q=0.9", true), ("*/*", false), ("application/grpc-web", false),
            ("application/json", false),
        ]
    )
    func acceptText(accept: String, isText: Bool) async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.unary.path,
                headers: [("content-type", "application/grpc-web+proto"), ("accept", accept)], body: hiFrame
            )
            #expect(
                response.header("content-type")
                    == (isText ? "application/grpc-web-text+proto" : "application/grpc-web+proto"))
            let answer = hiFrame + okTrailerFrame
            #expect(response.body == (isText ? Base64.encode(answer, padded: true) : answer))
        }
    }

    @Test("S9: native gRPC status in HTTP trailers; an error without messages is trailers-only")
    func native() async throws {
        try await TestServer.run { server in
            let headers = [("content-type", "application/grpc"), ("te", "trailers")]
            let good = try await server.post(EchoService.unary.path, over: .http2, headers: headers, body: hiFrame)
            #expect(good.header("content-type") == "application/grpc")
            #expect(good.body == hiFrame)
            #expect(good.trailer("grpc-status") == "0")
            let bad = try await server.post(EchoService.fail.path, over: .http2, headers: headers, body: hiFrame)
            #expect(bad.header("grpc-status") == "5")
            #expect(bad.header("grpc-message") == "hi")
            #expect(bad.body.isEmpty)
        }
    }

    @Test("W7: trailers-only gRPC-Web puts the status into the head")
    func webTrailersOnly() async throws {
        try await TestServer.run { server in
            let response = try await server.post(EchoService.fail.path, body: hiFrame)
            #expect(response.head.status == 200)
            #expect(response.header("grpc-status") == "5")
            #expect(response.body.isEmpty)
        }
    }

    @Test("W7, S9: with headers of the application's own the status comes behind them, not among them")
    func headersThenFailure() async throws {
        struct Failing: ServerInterceptor {
            func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
                context.addResponseMetadata("x-head", "v")
                throw RPCError(.aborted, "no")
            }
        }
        try await TestServer.run(interceptors: [Failing()]) { server in
            for http in [HTTPClientProtocol.http1, .http2] {
                let web = try await server.post(EchoService.unary.path, over: http, body: hiFrame)
                #expect(web.header("x-head") == "v")
                #expect(web.header("grpc-status") == nil)
                #expect(web.body == [0x80, 0, 0, 0, 35] + Array("grpc-status: 10\r\ngrpc-message: no\r\n".utf8))
            }
            let native = try await server.post(
                EchoService.unary.path, over: .http2, headers: [("content-type", "application/grpc")], body: hiFrame
            )
            #expect(native.header("x-head") == "v")
            #expect(native.header("grpc-status") == nil)
            #expect(native.trailer("grpc-status") == "10")
        }
    }

    @Test(
        "W8, W9, W11: content types match exactly and are mirrored",
        arguments: [
            ("application/grpc-web", "application/grpc-web"),
            ("application/grpc-web+proto", "application/grpc-web+proto"),
            ("Application/GRPC-Web+Proto; charset=utf-8", "application/grpc-web+proto"),
        ]
    )
    func contentTypes(sent: String, answered: String) async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.unary.path, headers: [("content-type", sent)], body: hiFrame)
            #expect(response.head.status == 200)
            #expect(response.header("content-type") == answered)
        }
    }

    @Test(
        "W8: every spelling of text mode, mirrored",
        arguments: [
            "application/grpc-web-text", "application/grpc-web-text+proto", "application/grpc-web-text-base64",
        ]
    )
    func textTypes(type: String) async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.unary.path, headers: [("content-type", type)], body: Base64.encode(hiFrame, padded: true))
            #expect(response.header("content-type") == type)
            #expect(response.text == "AAAAAAQKAmhp" + "gAAAABBncnBjLXN0YXR1czogMA0K")
        }
    }

    @Test("W8, P13: a JSON codec is its own; JSON that is not the message is INVALID_ARGUMENT", arguments: [
        ("\"hi\"", "0"), ("{", "3"), ("7", "3"),
    ])
    func webJSON(text: String, status: String) async throws {
        try await TestServer.run { server in
            let message = Array(text.utf8)
            let response = try await server.post(
                EchoService.unary.path, headers: [("content-type", "application/grpc-web+json")],
                body: [0, 0, 0, 0, UInt8(message.count)] + message
            )
            #expect(response.header("content-type") == "application/grpc-web+json")
            if status == "0" {
                #expect(response.body == [0, 0, 0, 0, 4] + message + okTrailerFrame)
            } else {
                #expect(response.header("grpc-status") == status)
            }
        }
    }

    @Test(
        "S4, W9: other content types are 415 and the answer lists what is taken",
        arguments: [
            "application/grpcfoo", "application/grpc-webx", "application/grpc+", "text/plain",
            "application/grpc-web+xml"
        ]
    )
    func unsupportedContentType(type: String) async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.unary.path, headers: [("content-type", type)], body: hiFrame)
            #expect(response.head.status == 415)
            #expect(response.header("accept-post")?.contains("application/grpc-web+proto") == true)
        }
    }

    @Test("W19: another verb is 405 with Allow; a path that is no method is 404")
    func otherVerbs() async throws {
        try await TestServer.run { server in
            let known = try await server.post(EchoService.unary.path, method: .get, headers: [])
            #expect(known.head.status == 405)
            #expect(known.header("allow") == "POST, OPTIONS")
            let unknown = try await server.post("/", method: .get, headers: [])
            #expect(unknown.head.status == 404)
        }
    }

    @Test("native gRPC over HTTP/1.1 is 505 and names gRPC-Web")
    func nativeOverHTTP1() async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.unary.path, headers: [("content-type", "application/grpc")], body: hiFrame
            )
            #expect(response.head.status == 505)
            #expect(response.text.contains("application/grpc-web"))
        }
    }

    @Test("P4: an encoding that is not served is UNIMPLEMENTED and the answer lists what is")
    func unsupportedEncoding() async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.unary.path,
                headers: [("content-type", "application/grpc-web"), ("grpc-encoding", "snappy")], body: hiFrame
            )
            #expect(response.header("grpc-status") == "12")
            #expect(response.header("grpc-accept-encoding") == "identity, gzip, deflate, zstd")
        }
    }

    @Test("M12: a repeated grpc-encoding is INTERNAL")
    func repeatedEncoding() async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.unary.path,
                headers: [
                    ("content-type", "application/grpc-web"), ("grpc-encoding", "identity"), ("grpc-encoding", "gzip"),
                ],
                body: hiFrame
            )
            #expect(response.header("grpc-status") == "13")
        }
    }

    @Test(
        "P1, P2, P3, P10, P11, P13, W20: broken requests",
        arguments: [
            ("no message", [], "12"),
            ("two messages", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "12"),
            ("half a prefix", [0, 0, 0], "13"),
            ("half a message", [0, 0, 0, 0, 9, 1], "13"),
            ("compressed without encoding", [1, 0, 0, 0, 1, 0], "13"),
            ("undefined flag", [2, 0, 0, 0, 0], "13"),
            ("trailer frame in a request", [0x80, 0, 0, 0, 0], "13"),
            ("not protobuf", [0, 0, 0, 0, 1, 0xFF], "13"),
            ("4 GiB announced", [0, 255, 255, 255, 255], "8"),
        ] as [(String, [UInt8], String)]
    )
    func brokenRequests(name: String, body: [UInt8], status: String) async throws {
        try await TestServer.run { server in
            for http in [HTTPClientProtocol.http1, .http2] {
                let response = try await server.post(EchoService.unary.path, over: http, body: body)
                #expect(response.head.status == 200)
                #expect(response.header("grpc-status") == status, "\(name)")
            }
        }
    }

    @Test("P11: a streamed answer takes one message too", arguments: [0, 2])
    func streamCardinality(count: Int) async throws {
        try await TestServer.run { server in
            for http in [HTTPClientProtocol.http1, .http2] {
                let body = (0..<count).flatMap { _ in [0, 0, 0, 0, 2, 8, 3] as [UInt8] }
                let response = try await server.post(EchoService.repeated.path, over: http, body: body)
                #expect(response.header("grpc-status") == "12")
                #expect(response.body.isEmpty)
            }
        }
    }

    @Test("P3: the compressed flag under identity is INTERNAL and says what is missing")
    func compressedIdentity() async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.unary.path,
                headers: [("content-type", "application/grpc-web"), ("grpc-encoding", "identity")],
                body: [1] + hiFrame.dropFirst()
            )
            #expect(response.header("grpc-status") == "13")
            #expect(response.header("grpc-message")?.contains("grpc-encoding") == true)
        }
    }

    @Test("P6: an empty message with the compressed flag is an empty message")
    func emptyCompressedMessage() async throws {
        try await TestServer.run { server in
            let response = try await server.post(EchoService.unary.path, body: [1, 0, 0, 0, 0])
            #expect(response.body == [0, 0, 0, 0, 0] + okTrailerFrame)
        }
    }

    @Test("S4, W12: bad base64 in a text request is HTTP 400 and INTERNAL, not a hang")
    func badBase64() async throws {
        try await TestServer.run { server in
            for body in ["AAAA!AAA", "A", "AAAAAAA", "AAAA\r\nAAAA", "AA-_AAAA", "=AAA", "A==="] {
                let response = try await server.post(
                    EchoService.unary.path, headers: [("content-type", "application/grpc-web-text")],
                    body: Array(body.utf8)
                )
                #expect(response.head.status == 400, "\(body)")
                #expect(response.header("content-type") == "application/grpc-web-text")
                #expect(response.header("grpc-status") == "13")
            }
        }
    }

    @Test("P2, W9: base64 under a binary type is INTERNAL, and the text says what it looks like")
    func textAsBinary() async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.unary.path, body: Base64.encode(hiFrame, padded: true))
            #expect(response.header("grpc-status") == "13")
            #expect(response.header("grpc-message")?.contains("0x41") == true)
            #expect(response.header("grpc-message")?.contains("application/grpc-web-text") == true)
        }
    }

    @Test("the lowest interface takes and gives raw message bytes")
    func rawBytes() async throws {
        try await TestServer.run { server in
            let response = try await server.post(EchoService.raw.path, body: [0, 0, 0, 0, 3, 9, 8, 7])
            #expect(response.body == [0, 0, 0, 0, 3, 9, 8, 7] + okTrailerFrame)
        }
    }
}
