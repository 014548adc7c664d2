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

    @Test("W10: binary request, text answer when Accept lists it")
    func acceptText() async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.unary.path,
                headers: [("content-type", "application/grpc-web+proto"), ("accept", "application/grpc-web-text")],
                body: hiFrame
            )
            #expect(response.header("content-type") == "application/grpc-web-text+proto")
            #expect(response.text.hasPrefix("AAAAAAQKAmhp"))
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

    @Test("P6: an empty message with the compressed flag is an empty message")
    func emptyCompressedMessage() async throws {
        try await TestServer.run { server in
            let response = try await server.post(EchoService.unary.path, body: [1, 0, 0, 0, 0])
            #expect(response.body == [0, 0, 0, 0, 0] + okTrailerFrame)
        }
    }

    @Test("bad base64 in a text request is an error, not a hang")
    func badBase64() async throws {
        try await TestServer.run { server in
            for body in ["AAAA!AAA", "A", "AAAAAAA"] {
                let response = try await server.post(
                    EchoService.unary.path, headers: [("content-type", "application/grpc-web-text")],
                    body: Array(body.utf8)
                )
                #expect(response.header("grpc-status") == "13")
            }
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

@Suite(.timeLimit(.minutes(5))) struct CrossOriginTests {
    private let preflight = [
        ("origin", "http://localhost:8000"), ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,x-api-key"),
    ]

    @Test("C1, C2: the preflight of an allowed origin")
    func allowedPreflight() async throws {
        try await TestServer.run(configure: { $0.crossOrigin.allowedOrigins = ["http://localhost:8000"] }) { server in
            let response = try await server.post(EchoService.unary.path, method: .options, headers: preflight)
            #expect(response.head.status == 204)
            #expect(response.header("access-control-allow-origin") == "http://localhost:8000")
            #expect(response.header("access-control-allow-headers")?.contains("x-api-key") == true)
            #expect(response.header("access-control-allow-methods") == "POST")
            #expect(response.header("access-control-max-age") == "7200")
        }
    }

    @Test(
        "C5: denied by default, and by prefix, suffix and null",
        arguments: ["http://localhost:8000", "http://a.test.evil", "null"])
    func denied(origin: String) async throws {
        try await TestServer.run(configure: { $0.crossOrigin.allowedOrigins = ["http://a.test"] }) { server in
            let response = try await server.post(
                EchoService.unary.path, method: .options,
                headers: [("origin", origin), ("access-control-request-method", "POST")]
            )
            #expect(response.header("access-control-allow-origin") == nil)
        }
    }

    @Test("C3, C5: answers and error answers can be read by an allowed origin")
    func readable() async throws {
        try await TestServer.run(configure: { $0.crossOrigin.allowedOrigins = ["http://a.test"] }) { server in
            for type in ["application/grpc-web", "text/plain"] {
                let response = try await server.post(
                    EchoService.fail.path, headers: [("content-type", type), ("origin", "http://a.test")],
                    body: [0, 0, 0, 0, 0]
                )
                #expect(response.header("access-control-allow-origin") == "http://a.test")
                #expect(response.header("access-control-expose-headers")?.contains("grpc-status") == true)
                #expect(response.header("vary") == "Origin")
            }
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct InterceptorTests {
    private struct Gate: ServerInterceptor {
        func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
            guard context.metadata["x-key"] == "open" else { throw RPCError(.unauthenticated, "x-key is missing") }
            context.addTrailingMetadata("x-gate", "passed")
            try await next(call, context)
        }
    }

    @Test("an interceptor refuses before the body is read, and adds to the answer", arguments: RPCChannel.Wire.allCases)
    func gate(wire: RPCChannel.Wire) async throws {
        try await TestServer.run(interceptors: [Gate()]) { server in
            try await server.withChannel(wire) { channel in
                let refused = await #expect(throws: RPCError.self) {
                    let _: Protobuf.StringValue = try await channel.unary(EchoService.unary, Protobuf.StringValue())
                }
                #expect(refused?.code == .unauthenticated)
                var options = CallOptions()
                options.metadata.add("x-key", "open")
                let call = try await channel.start(EchoService.unary, options: options)
                try await call.send(Protobuf.StringValue(value: "in"))
                await call.finishSending()
                #expect(try await call.receiveOnly(Protobuf.StringValue.self).value == "in")
                #expect(await call.trailingMetadata["x-gate"] == "passed")
            }
        }
    }

    @Test("a refusal does not wait for the request's body")
    func refusalBeforeBody() async throws {
        try await TestServer.run(interceptors: [Gate()]) { server in
            // The body would be refused as broken protobuf; the key is checked first.
            let response = try await server.post(EchoService.unary.path, body: [0, 0, 0, 0, 1, 0xFF])
            #expect(response.header("grpc-status") == "16")
        }
    }
}
