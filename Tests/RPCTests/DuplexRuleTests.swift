import HTTPTransport
import RPC
import Testing

/// Streams over HTTP/1.1, and what waits for what.
@Suite(.timeLimit(.minutes(5))) struct DuplexRuleTests {
    @Test("O4: streams tell proxies and caches not to hold them back; other answers do not", arguments: [
        "application/grpc-web", "application/grpc-web-text", "application/connect+proto",
    ])
    func hints(type: String) async throws {
        try await TestServer.run { server in
            let body: [UInt8] = type.contains("text") ? Array("AAAAAAA=".utf8) : [0, 0, 0, 0, 0]
            let stream = try await server.post(EchoService.tailed.path, headers: [("content-type", type)], body: body)
            #expect(stream.header("x-accel-buffering") == "no")
            #expect(stream.header("cache-control") == "no-store")
            let unary = try await server.post(EchoService.unary.path, body: [0, 0, 0, 0, 0])
            #expect(unary.header("x-accel-buffering") == nil)
        }
    }

    @Test("O5: half duplex over HTTP/1.1: the request is read to its end, then answered", arguments: [
        "application/grpc-web", "application/connect+proto",
    ])
    func halfDuplex(type: String) async throws {
        try await TestServer.run { server in
            let message: [UInt8] = [0, 0, 0, 0, 3, 0x0A, 1, 0x61]
            let response = try await server.post(
                EchoService.chat.path, headers: [("content-type", type)], body: message + message
            )
            let answer: [UInt8] = [0, 0, 0, 0, 7, 0x0A, 5] + Array("re: a".utf8)
            #expect(response.body.starts(with: answer + answer))
        }
    }

    @Test("O5: full duplex over HTTP/1.1 is UNIMPLEMENTED and names HTTP/2")
    func fullDuplex() async throws {
        try await TestServer.run(configure: { $0.halfDuplexGrace = .milliseconds(100) }) { server in
            let text = try await server.unfinishedRequest(EchoService.chat.path, body: [0, 0, 0, 0, 3, 0x0A, 1, 0x61])
            #expect(text.contains("grpc-status: 12"))
            #expect(text.contains("HTTP/2"))
        }
    }

    @Test("O5: a half-duplex request has a limit of its own")
    func halfDuplexLimit() async throws {
        try await TestServer.run(configure: { $0.maximumHalfDuplexByteCount = 20 }) { server in
            let message: [UInt8] = [0, 0, 0, 0, 3, 0x0A, 1, 0x61]
            let response = try await server.post(EchoService.chat.path, body: message + message + message)
            #expect(response.header("grpc-status") == "8")
            #expect(response.header("grpc-message")?.contains("maximumHalfDuplexByteCount (20)") == true)
        }
    }

    @Test("O6: 100 Continue comes after the content type and the interceptors have passed, and not otherwise")
    func expectContinue() async throws {
        try await TestServer.run { server in
            let good = try await server.unfinishedRequest(EchoService.unary.path, expect: true)
            #expect(good.hasPrefix("HTTP/1.1 100 Continue\r\n\r\n"))
            let type = try await server.unfinishedRequest(EchoService.unary.path, type: "text/plain", expect: true)
            #expect(type.hasPrefix("HTTP/1.1 415"))
        }
        try await TestServer.run(interceptors: [Refusing { _ in RPCError(.unauthenticated, "no key") }]) { server in
            let refused = try await server.unfinishedRequest(EchoService.unary.path, expect: true)
            #expect(refused.hasPrefix("HTTP/1.1 200"))
            #expect(refused.contains("grpc-status: 16"))
        }
    }
}
