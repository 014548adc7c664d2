import FrameCodec
import RPC
import Testing

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
