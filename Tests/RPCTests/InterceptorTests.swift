import FrameCodec
import HTTPTransport
import NIOCore
import NIOPosix
import RPC
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(5))) struct InterceptorTests {
    private struct Gate: ServerInterceptor {
        func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
            guard context.metadata["x-key"] == "open" else { throw RPCError(.unauthenticated, "x-key is missing") }
            context.addTrailingMetadata("x-gate", "passed")
            try await next(call, context)
        }
    }

    @Test("an interceptor refuses, and adds to the answer", arguments: RPCChannel.Wire.allCases)
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

    @Test("a refusal does not wait for a byte of the request's body: what never comes is not missed", arguments: [
        EchoService.unary, EchoService.repeated, EchoService.joined, EchoService.chat,
    ])
    func refusalBeforeBody(method: MethodDescriptor) async throws {
        try await TestServer.run(interceptors: [Gate()]) { server in
            let text = try await server.unfinishedRequest(method.path)
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(text.contains("grpc-status: 16\r\n"))
            for type in ["application/grpc", "application/grpc-web", "application/connect+proto"] {
                guard method.kind != .unary || !type.contains("connect") else { continue }
                let connection = try await HTTPClientConnection.connect(
                    host: "127.0.0.1", port: server.port, group: MultiThreadedEventLoopGroup.singleton)
                let exchange = try await connection.start(
                    HTTPRequestHead(path: method.path, fields: [.contentType: type]))
                let head = try await exchange.responseHead()
                if type.contains("connect") {
                    var body: [UInt8] = []
                    while let bytes = try await exchange.readBody() { body += bytes.readableBytesView }
                    #expect(String(decoding: body.dropFirst(5), as: UTF8.self).contains("\"unauthenticated\""))
                } else {
                    #expect(head.fields.first(.grpcStatus) == "16")
                }
                await connection.close()
            }
        }
    }

    /// Notes what it is told, before and after.
    private final class Observer: ServerInterceptor {
        struct Seen: Equatable {
            let path: String
            let kind: MethodDescriptor.Kind
            let hasDeadline: Bool
            let isLocal: Bool
            let subject: String?
        }

        let seen = Mutex<[Seen]>([])
        let returned = Atomic<Int>(0)

        func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
            let left = context.timeRemaining
            seen.withLock {
                $0.append(
                    Seen(
                        path: context.method.path, kind: context.method.kind,
                        hasDeadline: left.map { $0 > .seconds(500) && $0 <= .seconds(1_000) } ?? false,
                        isLocal: context.remoteAddress?.ipAddress == "127.0.0.1",
                        subject: context.peerIdentity?.subject))
            }
            try await next(call, context)
            returned.add(1, ordering: .relaxed)
        }
    }

    /// One call of each kind.
    private func callAllKinds(_ channel: RPCChannel) async throws {
        let options = CallOptions(timeout: .seconds(1_000))
        let one: Protobuf.StringValue = try await channel.unary(
            EchoService.unary, Protobuf.StringValue(value: "a"), options: options)
        #expect(one.value == "a")
        let stream: ResponseStream<Protobuf.UInt32Value> = try await channel.serverStreaming(
            EchoService.repeated, Protobuf.UInt32Value(value: 3), options: options)
        var count = 0
        for try await _ in stream { count += 1 }
        #expect(count == 3)
        let joined: Protobuf.StringValue = try await channel.clientStreaming(EchoService.joined, options: options) {
            (requests: RequestWriter<Protobuf.StringValue>) in
            for text in ["a", "b"] { try await requests.send(Protobuf.StringValue(value: text)) }
        }
        #expect(joined.value == "ab")
        let (requests, responses): (RequestWriter<Protobuf.StringValue>, ResponseStream<Protobuf.StringValue>) =
            try await channel.bidirectionalStreaming(EchoService.chat, options: options)
        try await requests.send(Protobuf.StringValue(value: "a"))
        await requests.finish()
        for try await answer in responses { #expect(answer.value == "re: a") }
    }

    private static let all = [EchoService.unary, EchoService.repeated, EchoService.joined, EchoService.chat]

    @Test("an interceptor is around calls of every kind: canonical method, deadline, peer", arguments:
        RPCChannel.Wire.everything)
    func everyKind(wire: RPCChannel.Wire) async throws {
        let observer = Observer()
        let long: (inout RPCServerConfiguration) -> Void = { $0.maximumUnaryTimeout = .seconds(2_000) }
        try await TestServer.run(interceptors: [observer], configure: long) { server in
            try await server.withChannel(wire) { try await callAllKinds($0) }
        }
        let expected = Self.all.map {
            Observer.Seen(path: $0.path, kind: $0.kind, hasDeadline: true, isLocal: true, subject: nil)
        }
        #expect(observer.seen.withLock { $0 } == expected)
        #expect(observer.returned.load(ordering: .relaxed) == 4)
    }

    @Test("with mutual TLS an interceptor knows who the peer is, in calls of every kind")
    func identity() async throws {
        let certificate = try SecureChannelTests.Certificate.shared.get()
        let observer = Observer()
        var tls = certificate.server
        tls.clientCertificates = .required(trustRoots: certificate.chain)
        var client = certificate.client
        client.identity = TLSIdentity(certificateChain: certificate.chain, privateKey: certificate.key)
        let own = client
        let long: (inout RPCServerConfiguration) -> Void = { $0.maximumUnaryTimeout = .seconds(2_000) }
        try await TestServer.run(interceptors: [observer], tls: tls, configure: long) { server in
            for wire in [RPCChannel.Wire.grpc, .grpcWebHTTP1] {
                try await server.withChannel(wire, configure: { $0.tls = own }) { try await callAllKinds($0) }
            }
        }
        #expect(observer.seen.withLock { $0.map(\.subject) } == Array(repeating: "CN=rpc", count: 8))
    }

    @Test("what follows a stream's messages is the interceptor's word, too", arguments: RPCChannel.Wire.allCases)
    func endOfStream(wire: RPCChannel.Wire) async throws {
        struct Replacing: ServerInterceptor {
            func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
                try await next(call, context)
                throw RPCError(.aborted, "after \(context.method.method)")
            }
        }
        try await TestServer.run(interceptors: [Replacing()]) { server in
            try await server.withChannel(wire) { channel in
                let stream: ResponseStream<Protobuf.UInt32Value> = try await channel.serverStreaming(
                    EchoService.repeated, Protobuf.UInt32Value(value: 3))
                var count = 0
                let error = await #expect(throws: RPCError.self) { for try await _ in stream { count += 1 } }
                #expect(count == 3)
                #expect(error?.code == .aborted)
                #expect(error?.message == "after Repeat")
            }
        }
    }
}
