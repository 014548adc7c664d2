import HTTPTransport
import NIOCore
import RPC
import Testing

/// Plain HTTP beside the calls, on the same port.
@Suite(.timeLimit(.minutes(5))) struct RouteTests {
    private static let routes = [
        route(.get, "/healthz", "fine"), route(.post, "/healthz", "posted"), route(.get, "/files/", "a file"),
        route(.get, "/files/deep/", "a deep file"), route(.get, EchoService.unary.path, "never"),
    ]

    private static func route(_ method: HTTPMethod, _ path: String, _ text: String) -> HTTPRoute {
        HTTPRoute(method, path) { exchange in
            exchange.sendHead(HTTPResponseHead(status: 200, fields: [.contentType: "text/plain"]))
            exchange.sendLast(ByteBuffer(string: text))
        }
    }

    @Test(
        "exact paths, prefixes, the longest first; the query does not matter",
        arguments: [
            ("/healthz", 200, "fine"), ("/healthz?x=/files/", 200, "fine"), ("/files/a", 200, "a file"),
            ("/files/", 200, "a file"), ("/files/deep/er?", 200, "a deep file"), ("/healthz/", 404, nil),
            ("/files", 404, nil), ("/", 404, nil), ("/Healthz", 404, nil), ("/%68ealthz", 404, nil),
        ]
    )
    func paths(path: String, status: Int, text: String?) async throws {
        try await TestServer.run(routes: Self.routes) { server in
            for http in [HTTPClientProtocol.http1, .http2] {
                let response = try await server.post(path, over: http, method: .get, headers: [])
                #expect(response.head.status == status)
                if let text { #expect(response.text == text) }
            }
        }
    }

    @Test("a method that the path does not have is 405 with Allow; HEAD goes with GET")
    func methods() async throws {
        try await TestServer.run(routes: Self.routes) { server in
            let posted = try await server.post("/healthz", headers: [])
            #expect(posted.text == "posted")
            let head = try await server.post("/healthz", method: .head, headers: [])
            #expect(head.head.status == 200)
            #expect(head.body.isEmpty)
            let deleted = try await server.post("/healthz", method: .delete, headers: [])
            #expect(deleted.head.status == 405)
            #expect(deleted.header("allow") == "GET, HEAD, POST, OPTIONS")
        }
    }

    @Test("calls go on beside routes; the path of a method belongs to the call")
    func callsBesideRoutes() async throws {
        try await TestServer.run(routes: Self.routes) { server in
            let call = try await server.post(EchoService.unary.path, body: [0, 0, 0, 0, 0])
            #expect(call.head.status == 200)
            #expect(call.body.prefix(5) == [0, 0, 0, 0, 0])
            let get = try await server.post(EchoService.unary.path, method: .get, headers: [])
            #expect(get.head.status == 405)
        }
    }
}
