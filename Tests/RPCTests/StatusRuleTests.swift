import FrameCodec
import HTTPTransport
import NIOCore
import RPC
import Testing

/// How calls end, byte for byte.
@Suite(.timeLimit(.minutes(5))) struct StatusRuleTests {
    private let web = [("content-type", "application/grpc-web+proto")]

    @Test(
        "S10: retry pushback; negative means never",
        arguments: [(Duration.milliseconds(250), "250"), (.seconds(-1), "-1"), (.zero, "0")])
    func pushback(pushback: Duration, text: String) async throws {
        let gate = Refusing { _ in
            var error = RPCError(.unavailable, "later")
            error.retryPushback = pushback
            return error
        }
        try await TestServer.run(interceptors: [gate]) { server in
            let response = try await server.post(EchoService.unary.path, body: [0, 0, 0, 0, 0])
            #expect(response.header("grpc-status") == "14")
            #expect(response.header("grpc-retry-pushback-ms") == text)
        }
    }

    @Test(
        "S11: handlers see how often the client has tried",
        arguments: [("3", 3), ("0", 0), ("x", 0), ("-2", 0), ("99999999999", 0)])
    func attempts(value: String, count: Int) async throws {
        let gate = Refusing { context in RPCError(.aborted, "\(context.previousAttemptCount)") }
        try await TestServer.run(interceptors: [gate]) { server in
            let response = try await server.post(
                EchoService.unary.path, headers: web + [("grpc-previous-rpc-attempts", value)], body: [0, 0, 0, 0, 0]
            )
            #expect(response.header("grpc-message") == "\(count)")
        }
    }

    @Test("S2: a long message is cut between characters and percent-encoded")
    func longMessage() async throws {
        let gate = Refusing { _ in RPCError(.internalError, String(repeating: "é", count: 5000)) }
        try await TestServer.run(interceptors: [gate]) { server in
            let response = try await server.post(EchoService.unary.path, body: [0, 0, 0, 0, 0])
            #expect(response.header("grpc-message") == String(repeating: "%C3%A9", count: 512))
        }
    }

    @Test("M8, S3: details beyond 4 KiB stay behind, the first ones go")
    func largeDetails() async throws {
        let gate = Refusing { context in
            let sizes = context.metadata["x-sizes"]?.split(separator: ",").compactMap { Int($0) } ?? []
            let details = sizes.map { GoogleRPC.ErrorInfo(reason: String(repeating: "r", count: $0)) }
            return RPCError(.aborted, "no", details: details)
        }
        try await TestServer.run(interceptors: [gate]) { server in
            let cases = [("100,3500", [100, 3500]), ("100,4000", [100]), ("3000,3000,10", [3000]), ("5000", [])]
            for (sizes, kept) in cases {
                let response = try await server.post(
                    EchoService.unary.path, headers: web + [("x-sizes", sizes)], body: [0, 0, 0, 0, 0])
                #expect(response.header("grpc-status") == "10")
                #expect(response.header("grpc-message") == "no")
                let text = response.header("grpc-status-details-bin") ?? ""
                let status = try GoogleRPC.Status(serializedBytes: try #require(Base64.decode(Array(text.utf8))))
                let reasons = try status.details.map { try $0.unpack(GoogleRPC.ErrorInfo.self)?.reason.count }
                #expect(reasons == kept)
                #expect((text.isEmpty) == kept.isEmpty)
            }
        }
    }

    @Test("S9: the response's headers wait for the first message, or for the handler's wish")
    func earlyHead() async throws {
        try await TestServer.run { server in
            for http in [HTTPClientProtocol.http1, .http2] {
                let response = try await server.post(EchoService.earlyHead.path, over: http, body: [0, 0, 0, 0, 0])
                // The head had left when the call failed, so the status is in the last frame.
                #expect(response.header("x-early") == "yes")
                #expect(response.header("grpc-status") == nil)
                #expect(response.text.contains("grpc-status: 10\r\n"))
            }
        }
    }

    @Test("T8: what is left of the deadline goes on, not the deadline itself")
    func timeRemaining() async throws {
        let past = CallContext(method: EchoService.unary, deadline: .now() - .seconds(1))
        #expect(past.timeRemaining == .zero)
        let ahead = try #require(CallContext(method: EchoService.unary, deadline: .now() + .seconds(100)).timeRemaining)
        #expect(ahead > .seconds(1) && ahead <= .seconds(100))
        #expect(CallContext(method: EchoService.unary).timeRemaining == nil)
    }

    @Test(
        "T6, T9: a client that waits longer than its deadline, as grpc-web's does, reads DEADLINE_EXCEEDED",
        arguments: [
        ("application/grpc-web", "grpc-timeout", "50m"), ("application/json", "connect-timeout-ms", "50"),
    ])
    func lateClient(type: String, name: String, value: String) async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.hang.path, headers: [("content-type", type), (name, value)],
                body: type == "application/json" ? Array("\"\"".utf8) : [0, 0, 0, 0, 0]
            )
            if type == "application/json" {
                #expect(response.head.status == 504)
            } else {
                #expect(response.header("grpc-status") == "4")
            }
        }
    }

    @Test("W4, W6: an answer without messages is status alone, never an empty trailer frame")
    func noMessages() async throws {
        try await TestServer.run { server in
            let response = try await server.post(EchoService.repeated.path, body: [0, 0, 0, 0, 0])
            #expect(response.header("grpc-status") == "0")
            #expect(response.body.isEmpty)
        }
    }
}

/// Refuses every call with what it makes of the context.
struct Refusing: ServerInterceptor {
    let error: @Sendable (CallContext) -> RPCError

    func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws { throw error(context) }
}
