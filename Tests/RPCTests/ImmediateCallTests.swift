import FrameCodec
import HTTPTransport
import NIOCore
import NIOPosix
import RPC
import Synchronization
import Testing

/// Calls that are served without a task, and what makes them fall back to one. Nobody can tell from outside.
@Suite(.timeLimit(.minutes(5))) struct ImmediateCallTests {
    private static let ways: [(HTTPClientProtocol, String)] = [
        (.http2, "application/grpc"), (.http2, "application/grpc-web"), (.http1, "application/grpc-web"),
        (.http1, "application/grpc-web-text"),
    ]
    private static let message: [UInt8] = [0, 0, 0, 0, 4, 0x0A, 2, 0x68, 0x69]

    /// Lets through at once what names a key; counts what it is asked.
    private final class Gate: ServerInterceptor {
        let asked = Atomic<Int>(0)
        let awaited = Atomic<Int>(0)

        func interceptNow(_ call: ServerCall, context: inout CallContext) throws -> Bool {
            asked.add(1, ordering: .relaxed)
            switch context.metadata["x-key"] {
            case "good": return true
            case "slow": return false
            default: throw RPCError(.unauthenticated, "no key")
            }
        }

        func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
            awaited.add(1, ordering: .relaxed)
            await Task.yield()
            try await next(call, context)
        }
    }

    private func wire(_ type: String, _ bytes: [UInt8]) -> [UInt8] {
        type.hasSuffix("text") ? Base64.encode(bytes, padded: true) : bytes
    }

    @Test("a gate that decides at once, or not: the same answers", arguments: ways)
    func gate(http: HTTPClientProtocol, type: String) async throws {
        let gate = Gate()
        try await TestServer.run(interceptors: [gate]) { server in
            var answers: [[UInt8]] = []
            for key in ["good", "slow"] {
                let response = try await server.post(
                    EchoService.unary.path, over: http, headers: [("content-type", type), ("x-key", key)],
                    body: wire(type, Self.message)
                )
                #expect(response.head.status == 200)
                answers.append(response.body)
            }
            #expect(answers[0] == answers[1])
            #expect(answers[0].starts(with: wire(type, Self.message).prefix(8)))
        }
        #expect(gate.asked.load(ordering: .relaxed) == 2)
        #expect(gate.awaited.load(ordering: .relaxed) == 1)
    }

    @Test("a request in pieces waits for its rest", arguments: ways)
    func pieces(http: HTTPClientProtocol, type: String) async throws {
        let body = wire(type, Self.message)
        try await TestServer.run { server in
            let connection = try await connect(server, http)
            for split in 0...body.count {
                let exchange = try await connection.start(head(EchoService.unary, [("content-type", type)]))
                if split > 0 { try await exchange.send(ByteBuffer(bytes: body[..<split])) }
                // The head and the first piece are on their way before the rest exists.
                try await Task.sleep(for: .milliseconds(3))
                if split < body.count { try await exchange.send(ByteBuffer(bytes: body[split...])) }
                exchange.finish()
                #expect(try await exchange.responseHead().status == 200)
                var answer: [UInt8] = []
                while let bytes = try await exchange.readBody() { answer += bytes.readableBytesView }
                #expect(answer.starts(with: body.prefix(8)), "split at \(split)")
            }
            await connection.close()
        }
    }

    @Test("an immediate handler that throws", arguments: [HTTPClientProtocol.http1, .http2])
    func failure(http: HTTPClientProtocol) async throws {
        try await TestServer.run { server in
            for _ in 0..<3 {
                let response = try await server.post(EchoService.fail.path, over: http, body: Self.message)
                #expect(response.header("grpc-status") == "5")
                #expect(response.body.isEmpty)
            }
        }
    }

    /// Gives errors its own words; counts how often it is told that a handler is back.
    private final class Translator: ServerInterceptor {
        let name: String
        let returned = Atomic<Int>(0)

        init(_ name: String) { self.name = name }

        func interceptNow(_ call: ServerCall, context: inout CallContext) throws -> Bool { true }

        func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
            do { try await next(call, context) } catch { throw replacement(for: error, of: call, context: context) }
        }

        func didReturn(_ call: ServerCall, context: CallContext) { returned.add(1, ordering: .relaxed) }

        func replacement(for error: any Error, of call: ServerCall, context: CallContext) -> any Error {
            let text = (error as? RPCError)?.message ?? "\(error)"
            return RPCError(.aborted, "\(name)(\(text))")
        }
    }

    @Test("errors pass the interceptors from the inside out, whether at once or by a task", arguments: ways)
    func replacedErrors(http: HTTPClientProtocol, type: String) async throws {
        for key in ["good", "slow", ""] {
            let (outer, inner) = (Translator("outer"), Translator("inner"))
            try await TestServer.run(interceptors: [outer, Gate(), inner]) { server in
                let response = try await server.post(
                    EchoService.fail.path, over: http, headers: [("content-type", type), ("x-key", key)],
                    body: wire(type, Self.message))
                #expect(response.header("grpc-status") == "10")
                let message = response.header("grpc-message") ?? ""
                // The gate refuses before the inner one is asked.
                #expect(message.hasPrefix(key.isEmpty ? "outer(no key" : "outer(inner("), "\(message)")
            }
            #expect(outer.returned.load(ordering: .relaxed) == 1)
            // Behind a gate that waits, it is part of the chain.
            #expect(inner.returned.load(ordering: .relaxed) == (key == "good" ? 1 : 0))
        }
    }

    @Test("broken and too many messages are found by the general way", arguments: [HTTPClientProtocol.http1, .http2])
    func broken(http: HTTPClientProtocol) async throws {
        try await TestServer.run { server in
            for (body, status) in [
                (Self.message + Self.message, "12"), ([], "12"), (Array(Self.message.dropLast()), "13"),
                (Self.message + [0], "13"), ([0, 0, 0, 0, 1, 0xFF], "13"), ([1] + Self.message.dropFirst(), "13"),
            ] {
                let response = try await server.post(EchoService.unary.path, over: http, body: body)
                #expect(response.header("grpc-status") ?? response.trailer("grpc-status") == status, "\(body)")
            }
        }
    }

    @Test("a deadline of zero has passed: the handler is not called", arguments: [HTTPClientProtocol.http1, .http2])
    func deadline(http: HTTPClientProtocol) async throws {
        let gate = Gate()
        try await TestServer.run(interceptors: [gate]) { server in
            let response = try await server.post(
                EchoService.unary.path, over: http,
                headers: [("content-type", "application/grpc-web"), ("grpc-timeout", "0S"), ("x-key", "good")],
                body: Self.message
            )
            #expect(response.header("grpc-status") == "4")
        }
        #expect(gate.asked.load(ordering: .relaxed) == 0)
    }

    /// 100 refusals of 64 KiB on one connection are more than its flow-control window.
    @Test("streams that are refused unread give their flow-control credit back")
    func refusedStreams() async throws {
        try await TestServer.run(interceptors: [Gate()]) { server in
            let connection = try await connect(server, .http2)
            for _ in 0..<100 {
                let exchange = try await connection.start(
                    head(EchoService.joined, [("content-type", "application/grpc")]))
                try? await exchange.send(ByteBuffer(repeating: 0, count: 64 * 1024))
                #expect(try await exchange.responseHead().fields.first(.grpcStatus) == "16")
                exchange.cancel()
            }
            let exchange = try await connection.start(
                head(EchoService.unary, [("content-type", "application/grpc"), ("x-key", "good")])
            )
            try await exchange.send(ByteBuffer(bytes: Self.message))
            exchange.finish()
            #expect(try await exchange.responseHead().status == 200)
            #expect(try await exchange.readBody()?.readableBytes == Self.message.count)
            await connection.close()
        }
    }

    private func connect(_ server: TestServer, _ http: HTTPClientProtocol) async throws -> HTTPClientConnection {
        try await HTTPClientConnection.connect(
            host: "127.0.0.1", port: server.port, protocol: http, configuration: HTTPClientConfiguration(),
            group: MultiThreadedEventLoopGroup.singleton
        )
    }

    private func head(_ method: MethodDescriptor, _ headers: [(String, String)]) -> HTTPRequestHead {
        var fields = HTTPFields()
        for (name, value) in headers {
            if let name = HTTPFieldName(name) { fields.append(name, value) }
        }
        return HTTPRequestHead(method: .post, path: method.path, fields: fields)
    }
}
