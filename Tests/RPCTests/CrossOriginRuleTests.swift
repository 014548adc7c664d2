import HTTPTransport
import RPC
import Synchronization
import Testing

/// What browsers need and must not get.
@Suite(.timeLimit(.minutes(5))) struct CrossOriginRuleTests {
    private let origin = ("origin", "http://a.test")
    private func allow(_ configuration: inout RPCServerConfiguration) {
        configuration.crossOrigin.allowedOrigins = ["http://a.test"]
    }

    @Test("C2: a preflight names GET only for methods that can be asked so, and the headers of every protocol")
    func methods() async throws {
        try await TestServer.run(configure: allow) { server in
            let headers = [origin, ("access-control-request-method", "GET")]
            let look = try await server.post(EchoService.look.path, method: .options, headers: headers)
            #expect(look.header("access-control-allow-methods") == "POST, GET")
            let unary = try await server.post(EchoService.unary.path, method: .options, headers: headers)
            #expect(unary.header("access-control-allow-methods") == "POST")
            for name in [
                "content-type", "grpc-timeout", "x-grpc-web", "x-user-agent", "authorization",
                "connect-protocol-version", "connect-timeout-ms"
            ] {
                #expect(unary.header("access-control-allow-headers")?.contains(name) == true, "\(name)")
            }
        }
    }

    @Test("C3: every header that a page has to read is exposed by name")
    func exposed() async throws {
        try await TestServer.run(configure: allow) { server in
            let response = try await server.post(
                EchoService.metadata.path, headers: [("content-type", "application/grpc-web"), origin],
                body: [0, 0, 0, 0, 0]
            )
            let names = response.header("access-control-expose-headers") ?? ""
            for name in ["grpc-status", "grpc-message", "grpc-status-details-bin", "x-head"] {
                #expect(names.contains(name), "\(name)")
            }
        }
    }

    @Test("C3, W7: trailers that stand in the head are exposed too, the status of a failure with them")
    func exposedTrailers() async throws {
        struct Failing: ServerInterceptor {
            func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
                context.addTrailingMetadata("x-tail", "t")
                throw RPCError(.aborted, "no")
            }
        }
        try await TestServer.run(interceptors: [Failing()], configure: allow) { server in
            let response = try await server.post(
                EchoService.unary.path, headers: [("content-type", "application/grpc-web"), origin],
                body: [0, 0, 0, 0, 0]
            )
            #expect(response.header("grpc-status") == "10")
            #expect(response.header("x-tail") == "t")
            #expect(
                response.header("access-control-expose-headers")
                    == "grpc-status, grpc-message, grpc-status-details-bin, x-tail")
        }
    }

    @Test("C4: with credentials the origin is exact, nothing is a star, and Vary says so")
    func credentials() async throws {
        try await TestServer.run(configure: {
            allow(&$0)
            $0.crossOrigin.allowsCredentials = true
        }) { server in
            let preflight = try await server.post(
                EchoService.unary.path, method: .options, headers: [origin, ("access-control-request-method", "POST")]
            )
            let call = try await server.post(
                EchoService.unary.path, headers: [("content-type", "application/grpc-web"), origin],
                body: [0, 0, 0, 0, 0]
            )
            for response in [preflight, call] {
                #expect(response.header("access-control-allow-credentials") == "true")
                #expect(response.header("access-control-allow-origin") == "http://a.test")
                #expect(response.header("access-control-allow-headers")?.contains("*") != true)
                #expect(response.header("access-control-expose-headers")?.contains("*") != true)
            }
            #expect(preflight.header("vary") == "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
            #expect(call.header("vary") == "Origin")
        }
    }

    @Test("C5: refusals can be read by the page: 404, 405, 415, 400, an error's JSON")
    func readableErrors() async throws {
        try await TestServer.run(configure: allow) { server in
            let path = EchoService.unary.path
            let answers = [
                try await server.post("/nothing", method: .get, headers: [origin]),
                try await server.post(path, method: .delete, headers: [origin]),
                try await server.post(path, headers: [("content-type", "text/plain"), origin]),
                try await server.post(
                    path,
                    headers: [("content-type", "application/json"), ("content-type", "application/json"), origin]),
                try await server.post(path, headers: [("content-type", "application/json"), origin], body: [0x7B]),
            ]
            #expect(answers.map(\.head.status) == [404, 405, 415, 400, 400])
            for answer in answers { #expect(answer.header("access-control-allow-origin") == "http://a.test") }
        }
    }

    @Test("C5: so can the refusals of the transport itself: a body over the limit, a server that is full")
    func readableTransportErrors() async throws {
        var small = HTTPLimits()
        small.bodyByteCount = 3
        var full = HTTPLimits()
        full.runningHandlers = 0
        for (limits, status) in [(small, 413), (full, 503)] {
            try await TestServer.run(limits: limits, configure: allow) { server in
                let response = try await server.post(
                    EchoService.unary.path,
                    headers: [("content-type", "application/grpc-web"), ("content-length", "5"), origin],
                    body: [0, 0, 0, 0, 0]
                )
                #expect(response.head.status == status)
                #expect(response.header("access-control-allow-origin") == "http://a.test")
            }
        }
    }

    @Test("C6: with credentials, a cookie alone makes no call that changes something")
    func forgery() async throws {
        try await TestServer.run(configure: {
            allow(&$0)
            $0.crossOrigin.allowsCredentials = true
        }) { server in
            let forged = [("content-type", "application/grpc-web"), ("cookie", "session=1")]
            let refused = try await server.post(EchoService.unary.path, headers: forged, body: [0, 0, 0, 0, 0])
            #expect(refused.header("grpc-status") == "7")
            for proof in [("x-grpc-web", "1"), ("authorization", "Bearer x"), ("connect-protocol-version", "1")] {
                let served = try await server.post(
                    EchoService.unary.path, headers: forged + [proof], body: [0, 0, 0, 0, 0])
                #expect(served.text.hasSuffix("grpc-status: 0\r\n"))
            }
            let harmless = try await server.post(EchoService.look.path, headers: forged, body: [0, 0, 0, 0, 0])
            #expect(harmless.text.hasSuffix("grpc-status: 0\r\n"))
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

    @Test("C1: a preflight needs no key, reaches no interceptor and no handler, and has no body")
    func preflightWithoutKey() async throws {
        let seen = Atomic(0)
        let gate = Refusing { _ in
            seen.add(1, ordering: .relaxed)
            return RPCError(.unauthenticated, "no key")
        }
        try await TestServer.run(
            interceptors: [gate], configure: { $0.crossOrigin.allowedOrigins = ["http://localhost:8000"] }
        ) { server in
            for http in [HTTPClientProtocol.http1, .http2] {
                let response = try await server.post(
                    EchoService.unary.path, over: http, method: .options, headers: preflight)
                #expect(response.head.status == 204)
                #expect(response.header("access-control-allow-origin") == "http://localhost:8000")
                #expect(response.header("grpc-status") == nil)
                #expect(response.body.isEmpty)
            }
        }
        #expect(seen.load(ordering: .relaxed) == 0)
    }

    @Test(
        "C5: denied by default, and by prefix, suffix and null",
        arguments: [
            "http://localhost:8000", "http://a.test.evil", "http://evil.a.test", "http://a.tes", "xhttp://a.test",
            "https://a.test", "http://a.test:80", "http://A.test", "http://a.test/", "*", "null", "",
        ])
    func denied(origin: String) async throws {
        try await TestServer.run(configure: { $0.crossOrigin.allowedOrigins = ["http://a.test"] }) { server in
            let response = try await server.post(
                EchoService.unary.path, method: .options,
                headers: [("origin", origin), ("access-control-request-method", "POST")]
            )
            #expect(response.header("access-control-allow-origin") == nil)
            let call = try await server.post(
                EchoService.unary.path, headers: [("content-type", "application/grpc-web"), ("origin", origin)],
                body: [0, 0, 0, 0, 0]
            )
            #expect(call.header("access-control-allow-origin") == nil)
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
