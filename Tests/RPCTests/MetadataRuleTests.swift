import FrameCodec
import HTTPTransport
import RPC
import Testing

/// Names, values and types of header fields, byte for byte.
@Suite(.timeLimit(.minutes(5))) struct MetadataRuleTests {
    private let web = [("content-type", "application/grpc-web+proto")]
    private let empty: [UInt8] = [0, 0, 0, 0, 0]

    @Test("M3, M6: a handler may echo everything: reserved names stay behind, odd values do no harm")
    func echo() async throws {
        try await TestServer.run { server in
            let headers =
                web + [
                    ("x-a", "1"), ("grpc-accept-encoding", "gzip"), ("grpc-foo", "x"), ("connect-foo", "x"),
                    ("x-a", "2"),
                    ("x-odd", "h\u{E9}\t!"), ("x-odd-bin", "!!"), ("te", "trailers"),
                ]
            for http in [HTTPClientProtocol.http1, .http2] {
                let response = try await server.post(
                    EchoService.echoMetadata.path, over: http, headers: headers, body: empty)
                #expect(response.head.status == 200)
                #expect(response.head.fields.values(try #require(HTTPFieldName("x-a"))) == ["1", "2"])
                #expect(response.header("x-odd") == "h\u{E9}\t!")
                #expect(response.header("x-odd-bin") == "!!")
                for name in ["grpc-foo", "connect-foo", "te", "grpc-accept-encoding"] {
                    #expect(response.header(name) == nil, "\(name)")
                }
                #expect(response.header("content-type") == "application/grpc-web+proto")
            }
        }
    }

    @Test("M6: the status of another server's error does not leak into this one's")
    func forwardedError() async throws {
        try await TestServer.run { server in
            try await server.withChannel(.grpc) { channel in
                let service = ForwardingService(channel: channel)
                try await TestServer.run(service: service) { front in
                    let response = try await front.post(
                        ForwardingService.method.path, headers: web, body: [0, 0, 0, 0, 4, 0x0A, 2, 0x68, 0x69]
                    )
                    #expect(response.head.fields.values(.grpcStatus) == ["5"])
                    #expect(response.head.fields.values(.grpcMessage) == ["hi"])
                    #expect(response.head.fields.values(.contentType) == ["application/grpc-web+proto"])
                }
            }
        }
    }

    @Test("M7: equal names keep their order, in headers and in trailers")
    func order() async throws {
        try await TestServer.run { server in
            let response = try await server.post(EchoService.tailed.path, headers: web, body: empty)
            #expect(response.text.hasSuffix("grpc-status: 0\r\nx-tail: a\r\nx-tail: b\r\nx-tail-bin: AAE\r\n"))
        }
    }

    @Test("W14: binary trailers are base64 in text mode too")
    func binaryInText() async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.tailed.path, headers: [("content-type", "application/grpc-web-text")],
                body: Array("AAAAAAA=".utf8)
            )
            var decoder = Base64StreamDecoder()
            var body: [UInt8] = []
            try response.body.withUnsafeBytes { try decoder.decode($0, into: &body) }
            try decoder.finish(into: &body)
            #expect(String(decoding: body, as: UTF8.self).hasSuffix("x-tail-bin: AAE\r\n"))
            #expect(response.header("content-transfer-encoding") == nil)
        }
    }

    @Test("W15: no Content-Transfer-Encoding in answers", arguments: [
        "application/grpc-web-text", "application/grpc-web",
    ])
    func noTransferEncoding(type: String) async throws {
        try await TestServer.run { server in
            let response = try await server.post(EchoService.unary.path, headers: [("content-type", type)], body: [])
            #expect(response.header("content-transfer-encoding") == nil)
        }
    }

    @Test("M1: a path is compared byte for byte", arguments: [
        "/test.Echo/unary", "/test.Echo/Unary/", "/test.Echo/Unary?", "/test.echo/Unary", "//test.Echo/Unary",
        "/test.Echo/../test.Echo/Unary", "/test.Echo/%55nary",
    ])
    func path(path: String) async throws {
        try await TestServer.run { server in
            for http in [HTTPClientProtocol.http1, .http2] {
                let response = try await server.post(path, over: http, headers: web, body: empty)
                #expect(response.header("grpc-status") == "12")
            }
        }
    }

    @Test("M2: native gRPC without te: trailers is served")
    func withoutTE() async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.unary.path, over: .http2, headers: [("content-type", "application/grpc")], body: empty
            )
            #expect(response.trailer("grpc-status") == "0")
        }
    }

    @Test("M11: our client's user-agent has the form grpc-swift-name/version", arguments: RPCChannel.Wire.allCases)
    func userAgent(wire: RPCChannel.Wire) async throws {
        let gate = Refusing { context in RPCError(.aborted, context.metadata["user-agent"] ?? "none") }
        try await TestServer.run(interceptors: [gate]) { server in
            try await server.withChannel(wire) { channel in
                let error = await #expect(throws: RPCError.self) {
                    let _: Protobuf.StringValue = try await channel.unary(EchoService.unary, Protobuf.StringValue())
                }
                #expect(
                    error?.message.wholeMatch(of: #/grpc-swift-[a-z-]+\/[0-9.]+.*/#) != nil, "\(error?.message ?? "")")
            }
        }
    }

    @Test("M12: a repeated content-type is 400")
    func repeatedContentType() async throws {
        try await TestServer.run { server in
            let response = try await server.post(EchoService.unary.path, headers: web + web, body: empty)
            #expect(response.head.status == 400)
        }
    }

    @Test("W18: x-grpc-web and x-user-agent are hints: neither their presence nor their absence matters")
    func hints() async throws {
        try await TestServer.run { server in
            for headers in [web, web + [("x-grpc-web", "1"), ("x-user-agent", "grpc-web-javascript/0.1")]] {
                let response = try await server.post(EchoService.unary.path, headers: headers, body: empty)
                #expect(response.text.hasSuffix("grpc-status: 0\r\n"))
            }
        }
    }
}

/// Hands its calls on to the failing method of another server.
struct ForwardingService: RPCService {
    static let method = MethodDescriptor(service: "test.Forward", method: "Fail", kind: .unary)
    let channel: RPCChannel

    var methods: [RPCMethod] {
        [
            .unary(Self.method) { (request: Protobuf.StringValue, _) -> Protobuf.StringValue in
                try await channel.unary(EchoService.fail, request)
            }
        ]
    }
}
