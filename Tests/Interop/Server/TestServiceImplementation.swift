import InteropContract
import RPC

/// Source: gRPC "Interoperability Test Case Descriptions", section "Server".
struct TestServiceImplementation: TestService {
    /// Largest payload that is made: the answer must fit a message of the server.
    private static let maximumPayloadByteCount = 16 * 1024 * 1024
    private static let echoedHeader = "x-grpc-test-echo-initial"
    private static let echoedTrailer = "x-grpc-test-echo-trailing-bin"

    func emptyCall(_ request: Empty, context: CallContext) async throws -> Empty { Empty() }

    func unaryCall(_ request: SimpleRequest, context: CallContext) async throws -> SimpleResponse {
        echoMetadata(context)
        try throwStatus(request.responseStatus)
        try await checkCompression(request.expectCompressed, context)
        if let wish = request.responseCompressed { context.compressResponses(wish.value) }
        return SimpleResponse(payload: try payload(request.responseSize))
    }

    func cacheableUnaryCall(_ request: SimpleRequest, context: CallContext) async throws -> SimpleResponse {
        try await unaryCall(request, context: context)
    }

    func streamingOutputCall(
        _ request: StreamingOutputCallRequest, responses: ResponseWriter<StreamingOutputCallResponse>,
        context: CallContext
    ) async throws {
        try await answer(request, responses, context)
        try throwStatus(request.responseStatus)
    }

    func streamingInputCall(
        _ requests: RequestStream<StreamingInputCallRequest>, context: CallContext
    ) async throws -> StreamingInputCallResponse {
        var byteCount = 0
        for try await request in requests {
            try await checkCompression(request.expectCompressed, context)
            byteCount += request.payload?.body.count ?? 0
        }
        return StreamingInputCallResponse(aggregatedPayloadSize: Int32(clamping: byteCount))
    }

    func fullDuplexCall(
        _ requests: RequestStream<StreamingOutputCallRequest>, responses: ResponseWriter<StreamingOutputCallResponse>,
        context: CallContext
    ) async throws {
        echoMetadata(context)
        for try await request in requests {
            try throwStatus(request.responseStatus)
            try await answer(request, responses, context)
        }
    }

    func halfDuplexCall(
        _ requests: RequestStream<StreamingOutputCallRequest>, responses: ResponseWriter<StreamingOutputCallResponse>,
        context: CallContext
    ) async throws {
        var kept: [StreamingOutputCallRequest] = []
        for try await request in requests {
            guard kept.count < 1000 else { throw RPCError(.resourceExhausted, "more than 1000 requests") }
            kept.append(request)
        }
        for request in kept { try await answer(request, responses, context) }
    }

    private func answer(
        _ request: StreamingOutputCallRequest, _ responses: ResponseWriter<StreamingOutputCallResponse>,
        _ context: CallContext
    ) async throws {
        // Each message says for itself, but only the head, which leaves with the first, gives the stream an encoding.
        if request.responseParameters.contains(where: { $0.compressed?.value == true }) {
            context.compressResponses(true)
            context.sendResponseMetadata()
        }
        for parameters in request.responseParameters {
            if let wish = parameters.compressed { context.compressResponses(wish.value) }
            if parameters.intervalUs > 0 { try await Task.sleep(for: .microseconds(Int64(parameters.intervalUs))) }
            try await responses.send(StreamingOutputCallResponse(payload: try payload(parameters.size)))
        }
    }

    private func payload(_ size: Int32) throws -> Payload {
        guard (0...Self.maximumPayloadByteCount).contains(Int(size)) else {
            throw RPCError(.invalidArgument, "size must be 0 to \(Self.maximumPayloadByteCount), not \(size)")
        }
        return Payload(body: [UInt8](repeating: 0, count: Int(size)))
    }

    private func checkCompression(_ expected: BoolValue?, _ context: CallContext) async throws {
        guard let expected, await context.isMessageCompressed != expected.value else { return }
        throw RPCError(.invalidArgument, "the message is \(expected.value ? "not " : "")compressed")
    }

    private func throwStatus(_ status: EchoStatus?) throws {
        guard let status, status.code != 0 else { return }
        throw RPCError(StatusCode(rawValue: Int(status.code)), status.message)
    }

    private func echoMetadata(_ context: CallContext) {
        if let value = context.metadata[Self.echoedHeader] { context.addResponseMetadata(Self.echoedHeader, value) }
        for bytes in context.metadata.binaryValues(Self.echoedTrailer) {
            context.addTrailingMetadata(Self.echoedTrailer, bytes: bytes)
        }
    }
}
