import FrameCodec
import HTTPTransport
import RPC
import Testing

/// Connect on the wire, byte for byte. Source: Connect Protocol Reference.
@Suite(.timeLimit(.minutes(5))) struct ConnectUnaryTests {
    private let json = [("content-type", "application/json"), ("connect-protocol-version", "1")]

    @Test("Connect: unary JSON, the body is the message", arguments: [HTTPClientProtocol.http1, .http2])
    func unaryJSON(http: HTTPClientProtocol) async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.unary.path, over: http, headers: json, body: Array("\"hi\"".utf8))
            #expect(response.head.status == 200)
            #expect(response.header("content-type") == "application/json")
            #expect(response.text == "\"hi\"")
            #expect(response.trailers?.isEmpty ?? true)
        }
    }

    @Test("Connect: unary protobuf; no bytes are an empty message", arguments: [HTTPClientProtocol.http1, .http2])
    func unaryProto(http: HTTPClientProtocol) async throws {
        try await TestServer.run { server in
            for body in [[0x0A, 2, 0x68, 0x69], []] as [[UInt8]] {
                let response = try await server.post(
                    EchoService.unary.path, over: http, headers: [("content-type", "application/proto")], body: body
                )
                #expect(response.head.status == 200)
                #expect(response.header("content-type") == "application/proto")
                #expect(response.body == body)
            }
        }
    }

    @Test("Connect: no bytes are never inflated, whatever content-encoding says")
    func emptyCompressedBody() async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.unary.path, headers: [("content-type", "application/proto"), ("content-encoding", "gzip")]
            )
            #expect(response.head.status == 200)
            #expect(response.body.isEmpty)
        }
    }

    @Test("S6: an error is JSON with an HTTP status, for protobuf calls too")
    func errors() async throws {
        try await TestServer.run { server in
            let plain = try await server.post(
                EchoService.fail.path, headers: [("content-type", "application/proto")], body: [0x0A, 2, 0x68, 0x69]
            )
            #expect(plain.head.status == 404)
            #expect(plain.header("content-type") == "application/json")
            #expect(plain.text == #"{"code":"not_found","message":"hi"}"#)
            let detailed = try await server.post(EchoService.fail.path, headers: json, body: Array("\"details\"".utf8))
            #expect(detailed.head.status == 400)
            #expect(
                detailed.text == #"{"code":"failed_precondition","message":"needs ünïcode, 100% and\nmore","#
                    + #""details":[{"type":"google.rpc.ErrorInfo","value":"CgNXSFkSBHRlc3QaDAoDa2V5EgV2YWx1ZQ","#
                    + #""debug":{"reason":"WHY","domain":"test","metadata":{"key":"value"}}}]}"#
            )
        }
    }

    @Test(
        "S6: every code has its HTTP status",
        arguments: [
            (1, 499), (2, 500), (3, 400), (4, 504), (5, 404), (6, 409), (7, 403), (8, 429), (9, 400), (10, 409),
            (11, 400), (12, 501), (13, 500), (14, 503), (15, 500), (16, 401), (42, 500),
        ]
    )
    func httpStatus(code: Int, status: Int) async throws {
        try await TestServer.run { server in
            let response = try await server.post(EchoService.code.path, headers: json, body: Array("\(code)".utf8))
            #expect(response.head.status == status)
        }
    }

    @Test("Connect: metadata are headers, trailing metadata have the prefix trailer-")
    func metadata() async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.metadata.path, headers: json + [("x-in", "in")], body: Array("\"\"".utf8)
            )
            #expect(response.header("x-head") == "in")
            #expect(response.header("trailer-x-tail") == "tail")
            #expect(response.header("x-tail") == nil)
        }
    }

    @Test(
        "P13, T3, P4: what is wrong with a Connect request is said in JSON",
        arguments: [
            ([], "{", 400, "invalid_argument"), ([], "", 400, "invalid_argument"), ([], "7", 400, "invalid_argument"),
            ([("connect-timeout-ms", "12345678901")], "\"\"", 400, "invalid_argument"),
            ([("connect-timeout-ms", "-1")], "\"\"", 400, "invalid_argument"),
            ([("connect-timeout-ms", "1"), ("connect-timeout-ms", "1")], "\"\"", 400, "invalid_argument"),
            ([("connect-timeout-ms", "0")], "\"\"", 504, "deadline_exceeded"),
            ([("connect-protocol-version", "2")], "\"\"", 400, "invalid_argument"),
            ([("content-encoding", "br")], "\"\"", 501, "unimplemented"),
            ([("content-encoding", "gzip")], "\"\"", 400, "invalid_argument"),
        ] as [([(String, String)], String, Int, String)]
    )
    func badRequests(extra: [(String, String)], body: String, status: Int, code: String) async throws {
        try await TestServer.run { server in
            let headers = [("content-type", "application/json")] + extra
            let response = try await server.post(EchoService.unary.path, headers: headers, body: Array(body.utf8))
            #expect(response.head.status == status)
            #expect(response.text.hasPrefix("{\"code\":\"\(code)\",\"message\":"), "\(response.text)")
            if status == 501 { #expect(response.header("accept-encoding") == "identity, gzip, deflate, zstd") }
        }
    }

    @Test("P8: a body over the limit is resource_exhausted, one at the limit passes")
    func sizeLimit() async throws {
        try await TestServer.run(configure: { $0.maximumRequestMessageByteCount = 100 }) { server in
            let fits = try await server.post(
                EchoService.unary.path, headers: json,
                body: Array(("\"" + String(repeating: "x", count: 98) + "\"").utf8)
            )
            #expect(fits.head.status == 200)
            let large = try await server.post(
                EchoService.unary.path, headers: json,
                body: Array(("\"" + String(repeating: "x", count: 99) + "\"").utf8)
            )
            #expect(large.head.status == 429)
            #expect(large.text.contains("maximumRequestMessageByteCount (100)"))
        }
    }

    @Test("Connect: unknown members are skipped; an unknown path is no page")
    func lenientJSON() async throws {
        try await TestServer.run { server in
            let unknown = try await server.post("/test.Echo/Nothing", headers: json, body: Array("{}".utf8))
            #expect(unknown.head.status == 404)
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct ConnectGetTests {
    @Test(
        "Connect: GET with the message in the query",
        arguments: [
            ("connect=v1&encoding=json&message=%22hi%22", "application/json", "\"hi\""),
            ("message=%22h+i%22&encoding=json&unknown=1&connect=v1", "application/json", "\"h i\""),
            ("encoding=json&message=ImhpIg&base64=1", "application/json", "\"hi\""),
            ("encoding=json&message=ImhpIg%3D%3D&base64=1", "application/json", "\"hi\""),
            ("encoding=proto&message=CgJoaQ&base64=1", "application/proto", "\n\u{2}hi"),
            ("encoding=proto&message=&base64=1", "application/proto", ""),
            ("encoding=proto&message=&base64=1&compression=gzip", "application/proto", ""),
        ]
    )
    func get(query: String, type: String, body: String) async throws {
        try await TestServer.run { server in
            for http in [HTTPClientProtocol.http1, .http2] {
                let response = try await server.post(
                    EchoService.look.path + "?" + query, over: http, method: .get, headers: [])
                #expect(response.head.status == 200)
                #expect(response.header("content-type") == type)
                #expect(response.text == body)
            }
        }
    }

    @Test(
        "Connect: a query that lacks or breaks something is invalid_argument, an unknown codec 415",
        arguments: [
            ("", 400), ("?", 400), ("?encoding=json", 400), ("?message=%22%22", 400),
            ("?encoding=json&message=%2", 400),
            ("?encoding=json&message=%22%22&connect=v2", 400), ("?encoding=json&message=!&base64=1", 400),
            ("?encoding=xml&message=a", 415), ("?encoding=json&message=a&compression=br", 501),
            ("?encoding=json&message=%22%22&message=%22%22", 400), ("?encoding=json&encoding=json&message=a", 400),
            ("?encoding=json&message=%22%22&%6Dessage=%22%22", 400),
            ("?encoding=json&message=ImhpIg&base64=1&base64=1", 400),
            ("?encoding=json&message=%22%22&connect=v1&connect=v1", 400),
            ("?encoding=json&message=%22%22&compression=gzip&compression=identity", 400),
        ]
    )
    func badQuery(query: String, status: Int) async throws {
        try await TestServer.run { server in
            let response = try await server.post(EchoService.look.path + query, method: .get, headers: [])
            #expect(response.head.status == status)
            if status == 501 { #expect(response.text.contains("query parameter compression \\\"br\\\"")) }
        }
    }

    @Test("W19: only methods without side effects can be asked with GET; Allow says which")
    func allow() async throws {
        try await TestServer.run { server in
            let query = "?encoding=json&message=%22hi%22"
            let refused = try await server.post(EchoService.unary.path + query, method: .get, headers: [])
            #expect(refused.head.status == 405)
            #expect(refused.header("allow") == "POST, OPTIONS")
            let deleted = try await server.post(EchoService.look.path, method: .delete, headers: [])
            #expect(deleted.header("allow") == "POST, GET, OPTIONS")
            let stream = try await server.post(EchoService.repeated.path + query, method: .get, headers: [])
            #expect(stream.header("allow") == "POST, OPTIONS")
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct ConnectStreamTests {
    private let json = [("content-type", "application/connect+json")]

    @Test(
        "Connect: a stream ends with a frame of flag 2 that holds JSON", arguments: [HTTPClientProtocol.http1, .http2])
    func serverStream(http: HTTPClientProtocol) async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.repeated.path, over: http, headers: json, body: [0, 0, 0, 0, 1] + Array("2".utf8)
            )
            #expect(response.head.status == 200)
            #expect(response.header("content-type") == "application/connect+json")
            #expect(response.body == [0, 0, 0, 0, 1, 0x30, 0, 0, 0, 0, 1, 0x31, 2, 0, 0, 0, 2, 0x7B, 0x7D])
            #expect(response.trailers?.isEmpty ?? true)
        }
    }

    @Test("Connect: an error stands in the last frame, the HTTP status stays 200; metadata by name")
    func errorInStream() async throws {
        try await TestServer.run { server in
            let failed = try await server.post(
                EchoService.repeated.path, headers: json, body: [0, 0, 0, 0, 1] + Array("7".utf8)
            )
            #expect(failed.head.status == 200)
            #expect(failed.text.hasSuffix(#"{"error":{"code":"data_loss","message":"after seven"}}"#))
            let tailed = try await server.post(
                EchoService.tailed.path, headers: json, body: [0, 0, 0, 0, 1] + Array("1".utf8))
            #expect(tailed.text.hasSuffix(#"{"metadata":{"x-tail":["a","b"],"x-tail-bin":["AAE"]}}"#))
        }
    }

    @Test("Connect: client streaming", arguments: [HTTPClientProtocol.http1, .http2])
    func clientStream(http: HTTPClientProtocol) async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.joined.path, over: http, headers: [("content-type", "application/connect+proto")],
                body: [0, 0, 0, 0, 3, 0x0A, 1, 0x61, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0x0A, 1, 0x62]
            )
            #expect(response.body == [0, 0, 0, 0, 4, 0x0A, 2, 0x61, 0x62, 2, 0, 0, 0, 2, 0x7B, 0x7D])
        }
    }

    @Test("S4: unary types are 415 for streams and stream types for unary methods; Accept-Post lists the right ones")
    func kinds() async throws {
        try await TestServer.run { server in
            let unary = try await server.post(
                EchoService.repeated.path, headers: [("content-type", "application/json")])
            #expect(unary.head.status == 415)
            #expect(unary.header("accept-post")?.contains("application/connect+json") == true)
            #expect(unary.header("accept-post")?.contains("application/json") == false)
            let stream = try await server.post(EchoService.unary.path, headers: json)
            #expect(stream.head.status == 415)
            #expect(stream.header("accept-post")?.contains("application/json") == true)
        }
    }

    @Test("P2, P12: an end frame in a request is refused, whatever follows it", arguments: [0x80, 2] as [UInt8])
    func foreignFlags(flag: UInt8) async throws {
        try await TestServer.run { server in
            for rest in [[], [0, 0, 0, 0, 1, 0x31]] as [[UInt8]] {
                let response = try await server.post(
                    EchoService.repeated.path, headers: json, body: [flag, 0, 0, 0, 0] + rest
                )
                #expect(response.text.contains(#"{"error":{"code":"internal""#))
            }
        }
    }
}
