import FrameCodec
import GRPCCore
import GRPCNIOTransportHTTP2Posix

/// Source: gRPC "Interoperability Test Case Descriptions"; sizes and texts are the specification's.
struct Cases {
    let client: GRPCClient<HTTP2ClientTransport.Posix>

    private static let sizes: [(request: Int, response: Int32)] = [(27182, 31415), (8, 9), (1828, 2653), (45904, 58979)]

    typealias Case = (name: String, run: () async throws -> Void)

    var all: [Case] {
        [
            ("empty_unary", { _ = try await unary("EmptyCall", Empty(), as: Empty.self) }),
            ("large_unary", { try await largeUnary() }),
            ("client_compressed_unary", { try await largeUnary(compression: .gzip) }),
            ("server_compressed_unary", {
                    for wish in [true, false] {
                        try await largeUnary(SimpleRequest(responseCompressed: BoolValue(value: wish)))
                    }
            }),
            ("client_streaming", { try await clientStreaming() }),
            ("client_compressed_streaming", { try await clientStreaming(compression: .deflate) }),
            ("server_streaming", { try await serverStreaming(compressed: nil) }),
            ("server_compressed_streaming", { try await serverStreaming(compressed: true) }),
            ("ping_pong", { try await pingPong() }),
            ("empty_stream", { try await duplex({ _ in }) { messages in
                for try await _ in messages { throw Failure(description: "an answer to no request") }
            } }),
            ("status_code_and_message", { try await statusMessage("test status message") }),
            ("special_status_message", {
                    try await statusMessage(
                        "\t\ntest with whitespace\r\nand Unicode BMP \u{263A} and non-BMP \u{1F608}\t\n")
            }),
            ("custom_metadata", { try await customMetadata() }),
            ("unimplemented_method", {
                try await fails(.unimplemented) { _ = try await unary("UnimplementedCall", Empty(), as: Empty.self) }
            }),
            ("unimplemented_service", {
                try await fails(.unimplemented) {
                    _ = try await unary(
                        "UnimplementedCall", Empty(), as: Empty.self, service: "grpc.testing.UnimplementedService")
                }
            }),
            ("cancel_after_begin", { try await cancelAfterBegin() }),
            ("cancel_after_first_response", { try await cancelAfterFirst() }),
            ("timeout_on_sleeping_server", { try await timeoutOnSleepingServer() }),
        ]
    }

    // MARK: Calls

    private func unary<Request: Message & Sendable, Response: Message & Sendable>(
        _ method: String, _ request: Request, as type: Response.Type, service: String = "grpc.testing.TestService",
        metadata: Metadata = [:], compression: CompressionAlgorithm? = nil,
        _ look: @escaping @Sendable (ClientResponse<Response>) throws -> Void = { _ in }
    ) async throws -> Response {
        var options = CallOptions.defaults
        options.compression = compression
        return try await client.unary(
            request: ClientRequest(message: request, metadata: metadata), descriptor: .test(method, service: service),
            serializer: Protobuf<Request>(), deserializer: Protobuf<Response>(), options: options
        ) { response in
            try look(response)
            return try response.message
        }
    }

    private typealias Answers = RPCAsyncSequence<StreamingOutputCallResponse, any Error>

    private func duplex(
        metadata: Metadata = [:], timeout: Duration? = nil,
        _ requests: @escaping @Sendable (RPCWriter<StreamingOutputCallRequest>) async throws -> Void,
        _ answers: @escaping @Sendable (Answers) async throws -> Void
    ) async throws {
        var options = CallOptions.defaults
        options.timeout = timeout
        try await client.bidirectionalStreaming(
            request: StreamingClientRequest(metadata: metadata, producer: requests),
            descriptor: .test("FullDuplexCall"),
            serializer: Protobuf<StreamingOutputCallRequest>(), deserializer: Protobuf<StreamingOutputCallResponse>(),
            options: options
        ) { try await answers($0.messages) }
    }

    private func fails(_ code: RPCError.Code, _ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as RPCError {
            return try expect("code", error.code, code)
        }
        throw Failure(description: "the call succeeded")
    }

    // MARK: Cases

    private func largeUnary(_ base: SimpleRequest = SimpleRequest(), compression: CompressionAlgorithm? = nil)
        async throws
    {
        var request = base
        request.responseSize = 314_159
        request.payload = zeros(271_828)
        let response = try await unary("UnaryCall", request, as: SimpleResponse.self, compression: compression)
        try expect("payload", response.payload?.body ?? [], zeros(314_159).body)
    }

    private func clientStreaming(compression: CompressionAlgorithm? = nil) async throws {
        var options = CallOptions.defaults
        options.compression = compression
        let response = try await client.clientStreaming(
            request: StreamingClientRequest { writer in
                for size in Self.sizes {
                    try await writer.write(StreamingInputCallRequest(payload: zeros(size.request)))
                }
            },
            descriptor: .test("StreamingInputCall"), serializer: Protobuf<StreamingInputCallRequest>(),
            deserializer: Protobuf<StreamingInputCallResponse>(), options: options
        ) { try $0.message }
        try expect("aggregatedPayloadSize", response.aggregatedPayloadSize, 74922)
    }

    /// - Parameter compressed: of the first message; then in turn.
    private func serverStreaming(compressed: Bool?) async throws {
        let parameters = Self.sizes.enumerated().map { index, size in
            ResponseParameters(
                size: size.response, compressed: compressed.map { BoolValue(value: $0 == index.isMultiple(of: 2)) })
        }
        let sizes = try await client.serverStreaming(
            request: ClientRequest(message: StreamingOutputCallRequest(responseParameters: parameters)),
            descriptor: .test("StreamingOutputCall"), serializer: Protobuf<StreamingOutputCallRequest>(),
            deserializer: Protobuf<StreamingOutputCallResponse>(), options: .defaults
        ) { response in
            var sizes: [Int32] = []
            for try await message in response.messages { sizes.append(Int32(message.payload?.body.count ?? 0)) }
            return sizes
        }
        try expect("sizes", sizes, Self.sizes.map(\.response))
    }

    private func pingPong() async throws {
        let (turns, next) = AsyncStream<Int>.makeStream()
        next.yield(0)
        try await duplex({ writer in
            for await turn in turns {
                guard turn < Self.sizes.count else { break }
                try await writer.write(request(Self.sizes[turn].request, Self.sizes[turn].response))
            }
        }) { messages in
            var turn = 0
            for try await message in messages {
                try expect("size", Int32(message.payload?.body.count ?? -1), Self.sizes[turn].response)
                turn += 1
                next.yield(turn)
            }
            try expect("answers", turn, Self.sizes.count)
        }
    }

    private func statusMessage(_ text: String) async throws {
        let status = EchoStatus(code: 2, message: text)
        for isStream in [false, true] {
            do {
                if isStream {
                    try await duplex({ try await $0.write(StreamingOutputCallRequest(responseStatus: status)) }) {
                        messages in
                        for try await _ in messages {}
                    }
                } else {
                    _ = try await unary("UnaryCall", SimpleRequest(responseStatus: status), as: SimpleResponse.self)
                }
                throw Failure(description: "the call succeeded")
            } catch let error as RPCError {
                try expect("code", error.code, .unknown)
                try expect("message", Array(error.message.utf8), Array(text.utf8))
            }
        }
    }

    private func customMetadata() async throws {
        let (header, trailer) = ("x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin")
        var metadata = Metadata()
        metadata.addString("test_initial_metadata_value", forKey: header)
        metadata.addBinary([0xAB, 0xAB, 0xAB], forKey: trailer)
        _ = try await unary("UnaryCall", SimpleRequest(responseSize: 9), as: SimpleResponse.self, metadata: metadata) {
            let headers = Array($0.metadata[stringValues: header])
            try expect(header, headers, ["test_initial_metadata_value"])
            try expect(trailer, Array($0.trailingMetadata[binaryValues: trailer]), [[0xAB, 0xAB, 0xAB]])
        }
    }

    private func cancelAfterBegin() async throws {
        let (never, end) = AsyncStream<Void>.makeStream()
        let call = Task {
            try await client.clientStreaming(
                request: StreamingClientRequest { _ in for await _ in never {} },
                descriptor: .test("StreamingInputCall"),
                serializer: Protobuf<StreamingInputCallRequest>(), deserializer: Protobuf<StreamingInputCallResponse>(),
                options: .defaults
            ) { try $0.message }
        }
        call.cancel()
        // Which status it has is this client's own matter: it is UNKNOWN with its own server too.
        guard case .failure = await call.result else { throw Failure(description: "the call succeeded") }
        end.finish()
    }

    private func cancelAfterFirst() async throws {
        let (first, seen) = AsyncStream<Int>.makeStream()
        let (never, end) = AsyncStream<Void>.makeStream()
        let call = Task {
            try await duplex({ writer in
                try await writer.write(request(27182, 31415))
                for await _ in never {}
            }) { messages in
                for try await message in messages { seen.yield(message.payload?.body.count ?? -1) }
            }
        }
        for await size in first {
            try expect("size", size, 31415)
            break
        }
        call.cancel()
        switch await call.result {
        case .success: throw Failure(description: "the call succeeded")
        case .failure(let error as RPCError): try expect("code", error.code, .cancelled)
        case .failure(let error): try expect("error", "\(type(of: error))", "CancellationError")
        }
        end.finish()
    }

    private func timeoutOnSleepingServer() async throws {
        let (never, end) = AsyncStream<Void>.makeStream()
        try await fails(.deadlineExceeded) {
            try await duplex(timeout: .milliseconds(20), { writer in
                try await writer.write(StreamingOutputCallRequest(payload: zeros(27182)))
                for await _ in never {}
            }) { messages in
                for try await _ in messages {}
            }
        }
        end.finish()
    }

    @Sendable private func request(_ requestSize: Int, _ responseSize: Int32) -> StreamingOutputCallRequest {
        StreamingOutputCallRequest(
            responseParameters: [ResponseParameters(size: responseSize)], payload: zeros(requestSize))
    }
}
