import InteropContract
import RPC

/// Source: gRPC "Interoperability Test Case Descriptions"; sizes and texts are the specification's.
struct InteropCases {
    let channel: RPCChannel
    /// The server must refuse messages whose compression is not what they say.
    let checksCompression: Bool
    private var client: TestServiceClient { TestServiceClient(channel: channel) }

    private static let requestSizes = [27182, 8, 1828, 45904]
    private static let responseSizes: [Int32] = [31415, 9, 2653, 58979]

    init(channel: RPCChannel, checksCompression: Bool) {
        self.channel = channel
        self.checksCompression = checksCompression
    }

    var all: [InteropCase] {
        [
            InteropCase(name: "empty_unary") { try await emptyUnary() },
            InteropCase(name: "large_unary") { try await largeUnary(CallOptions(), SimpleRequest()) },
            InteropCase(name: "client_streaming") { try await clientStreaming(CallOptions()) },
            InteropCase(name: "server_streaming") { try await serverStreaming() },
            InteropCase(name: "ping_pong", needsFullDuplex: true) { try await pingPong() },
            InteropCase(name: "empty_stream") { try await emptyStream() },
            InteropCase(name: "status_code_and_message") { try await statusCodeAndMessage("test status message") },
            InteropCase(name: "special_status_message") { try await specialStatusMessage() },
            InteropCase(name: "custom_metadata") { try await customMetadata() },
            InteropCase(name: "unimplemented_method") { try await unimplementedMethod() },
            InteropCase(name: "unimplemented_service") { try await unimplementedService() },
            InteropCase(name: "cancel_after_begin") { try await cancelAfterBegin() },
            InteropCase(name: "cancel_after_first_response", needsFullDuplex: true) { try await cancelAfterFirst() },
            InteropCase(name: "timeout_on_sleeping_server") { try await timeoutOnSleepingServer() },
            InteropCase(name: "server_compressed_unary") { try await serverCompressedUnary() },
            InteropCase(name: "server_compressed_streaming") { try await serverCompressedStreaming() },
            InteropCase(name: "client_compressed_unary") { try await clientCompressedUnary() },
            InteropCase(name: "client_compressed_streaming") { try await clientCompressedStreaming() },
        ]
    }

    private func zeros(_ count: Int) -> Payload { Payload(body: [UInt8](repeating: 0, count: count)) }

    private func emptyUnary() async throws { _ = try await client.emptyCall(Empty()) }

    private func largeUnary(_ options: CallOptions, _ base: SimpleRequest) async throws {
        var request = base
        request.responseSize = 314_159
        request.payload = zeros(271_828)
        let response = try await client.unaryCall(request, options: options)
        try expect("payload", response.payload?.body ?? [], zeros(314_159).body)
    }

    private func clientStreaming(_ options: CallOptions, expectCompressed: BoolValue? = nil) async throws {
        let response: StreamingInputCallResponse = try await channel.clientStreaming(
            TestServiceMethod.streamingInputCall, options: options
        ) { (requests: RequestWriter<StreamingInputCallRequest>) in
            for size in Self.requestSizes {
                try await requests.send(
                    StreamingInputCallRequest(
                        payload: Payload(body: [UInt8](repeating: 0, count: size)), expectCompressed: expectCompressed))
            }
        }
        try expect("aggregatedPayloadSize", response.aggregatedPayloadSize, 74922)
    }

    private func serverStreaming() async throws {
        let parameters = Self.responseSizes.map { ResponseParameters(size: $0) }
        try await expectSizes(StreamingOutputCallRequest(responseParameters: parameters), Self.responseSizes)
    }

    private func expectSizes(_ request: StreamingOutputCallRequest, _ expected: [Int32]) async throws {
        var sizes: [Int32] = []
        for try await response in try await client.streamingOutputCall(request) {
            sizes.append(Int32(response.payload?.body.count ?? 0))
        }
        try expect("sizes", sizes, expected)
    }

    private typealias Duplex = (
        requests: RequestWriter<StreamingOutputCallRequest>, responses: ResponseStream<StreamingOutputCallResponse>
    )

    private func duplex(_ options: CallOptions = CallOptions()) async throws -> Duplex {
        try await channel.bidirectionalStreaming(TestServiceMethod.fullDuplexCall, options: options)
    }

    private func request(_ requestSize: Int, _ responseSize: Int32) -> StreamingOutputCallRequest {
        StreamingOutputCallRequest(
            responseParameters: [ResponseParameters(size: responseSize)], payload: zeros(requestSize))
    }

    private func pingPong() async throws {
        let call = try await duplex()
        var responses = call.responses.makeAsyncIterator()
        for (requestSize, responseSize) in zip(Self.requestSizes, Self.responseSizes) {
            try await call.requests.send(request(requestSize, responseSize))
            let response = try await responses.next()
            try expect("size", Int32(response?.payload?.body.count ?? -1), responseSize)
        }
        await call.requests.finish()
        try expect("further answer", try await responses.next() == nil, true)
    }

    private func emptyStream() async throws {
        let call = try await duplex()
        await call.requests.finish()
        for try await _ in call.responses { throw Mismatch(description: "an answer to no request") }
    }

    private func statusCodeAndMessage(_ text: String) async throws {
        let echo = EchoStatus(code: 2, message: text)
        let unary = try await status { _ = try await client.unaryCall(SimpleRequest(responseStatus: echo)) }
        try expect("code", unary.code, .unknown)
        try expect("message", unary.message, text)
        let call = try await duplex()
        try await call.requests.send(StreamingOutputCallRequest(responseStatus: echo))
        await call.requests.finish()
        let streamed = try await status { for try await _ in call.responses {} }
        try expect("code of the stream", streamed.code, .unknown)
        try expect("message of the stream", streamed.message, text)
    }

    private func specialStatusMessage() async throws {
        let text = "\t\ntest with whitespace\r\nand Unicode BMP \u{263A} and non-BMP \u{1F608}\t\n"
        let echo = EchoStatus(code: 2, message: text)
        let error = try await status { _ = try await client.unaryCall(SimpleRequest(responseStatus: echo)) }
        try expect("code", error.code, .unknown)
        try expect("message", Array(error.message.utf8), Array(text.utf8))
    }

    private func customMetadata() async throws {
        var metadata = Metadata()
        metadata.add("x-grpc-test-echo-initial", "test_initial_metadata_value")
        metadata.add("x-grpc-test-echo-trailing-bin", bytes: [0xAB, 0xAB, 0xAB])
        let options = CallOptions(metadata: metadata)
        let unary = try await channel.start(TestServiceMethod.unaryCall, options: options)
        try await unary.send(SimpleRequest(responseSize: 314_159, payload: zeros(271_828)))
        await unary.finishSending()
        _ = try await unary.receiveOnly(SimpleResponse.self)
        try await expectEchoes(unary)
        let call = try await duplex(options)
        try await call.requests.send(request(271_828, 314_159))
        await call.requests.finish()
        for try await _ in call.responses {}
        try await expectEchoes(call.responses.call)
    }

    private func expectEchoes(_ call: ClientCall) async throws {
        let header = await call.responseMetadata["x-grpc-test-echo-initial"]
        try expect("x-grpc-test-echo-initial", header, "test_initial_metadata_value")
        let trailer = await call.trailingMetadata.binaryValues("x-grpc-test-echo-trailing-bin")
        try expect("x-grpc-test-echo-trailing-bin", trailer, [[0xAB, 0xAB, 0xAB]])
    }

    private func unimplementedMethod() async throws {
        let error = try await status { _ = try await client.unimplementedCall(Empty()) }
        try expect("code", error.code, .unimplemented)
    }

    private func unimplementedService() async throws {
        let other = UnimplementedServiceClient(channel: channel)
        let error = try await status { _ = try await other.unimplementedCall(Empty()) }
        try expect("code", error.code, .unimplemented)
    }

    private func cancelAfterBegin() async throws {
        let call = try await channel.start(TestServiceMethod.streamingInputCall)
        call.cancel()
        let error = try await status { while try await call.nextMessage() != nil {} }
        try expect("code", error.code, .cancelled)
    }

    private func cancelAfterFirst() async throws {
        let call = try await duplex()
        var responses = call.responses.makeAsyncIterator()
        try await call.requests.send(request(27182, 31415))
        try expect("size", try await responses.next()?.payload?.body.count, 31415)
        call.responses.call.cancel()
        let error = try await status { while try await responses.next() != nil {} }
        try expect("code", error.code, .cancelled)
    }

    private func timeoutOnSleepingServer() async throws {
        // The deadline may pass before there is a connection.
        let error = try await status {
            let call = try await duplex(CallOptions(timeout: .milliseconds(1)))
            try await call.requests.send(StreamingOutputCallRequest(payload: zeros(27182)))
            for try await _ in call.responses {}
        }
        try expect("code", error.code, .deadlineExceeded)
    }

    /// The first call of both cases is wrong on purpose: a server that does not look at compression (grpcio's cannot)
    /// lets it pass.
    private func clientCompressedUnary() async throws {
        try await mayFail(.invalidArgument) {
            try await largeUnary(CallOptions(), SimpleRequest(expectCompressed: BoolValue(value: true)))
        }
        for isCompressed in [true, false] {
            try await largeUnary(
                CallOptions(compression: isCompressed ? .gzip : nil),
                SimpleRequest(expectCompressed: BoolValue(value: isCompressed)))
        }
    }

    private func clientCompressedStreaming() async throws {
        try await mayFail(.invalidArgument) {
            try await clientStreaming(CallOptions(), expectCompressed: BoolValue(value: true))
        }
        for isCompressed in [true, false] {
            try await clientStreaming(
                CallOptions(compression: isCompressed ? .gzip : nil), expectCompressed: BoolValue(value: isCompressed))
        }
        // The specification's: one message compressed, the other not, in one stream; and once more.
        let response: StreamingInputCallResponse = try await channel.clientStreaming(
            TestServiceMethod.streamingInputCall, options: CallOptions(compression: .gzip)
        ) { (requests: RequestWriter<StreamingInputCallRequest>) in
            for (size, isCompressed) in [(27182, true), (45904, false), (1828, true), (8, false)] {
                let request = StreamingInputCallRequest(
                    payload: Payload(body: [UInt8](repeating: 0, count: size)),
                    expectCompressed: BoolValue(value: isCompressed))
                try await requests.send(request, isCompressed: isCompressed)
            }
        }
        try expect("aggregatedPayloadSize", response.aggregatedPayloadSize, 74922)
    }

    private func mayFail(_ code: StatusCode, _ body: () async throws -> Void) async throws {
        do {
            try await body()
            guard !checksCompression else {
                throw Mismatch(description: "the server does not look at expect_compressed")
            }
        } catch let error as RPCError {
            try expect("code", error.code, code)
        }
    }

    private func serverCompressedUnary() async throws {
        for wish in [true, false] {
            try await largeUnary(CallOptions(), SimpleRequest(responseCompressed: BoolValue(value: wish)))
        }
    }

    private func serverCompressedStreaming() async throws {
        let parameters = [
            ResponseParameters(size: 31415, compressed: BoolValue(value: true)),
            ResponseParameters(size: 92653, compressed: BoolValue(value: false)),
            ResponseParameters(size: 2653, compressed: BoolValue(value: true)),
        ]
        try await expectSizes(StreamingOutputCallRequest(responseParameters: parameters), [31415, 92653, 2653])
    }
}
