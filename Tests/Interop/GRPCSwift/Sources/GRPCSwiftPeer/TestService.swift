import FrameCodec
import GRPCCore

/// Source: gRPC "Interoperability Test Case Descriptions", section "Server".
struct TestService: RegistrableRPCService {
    private static let echoedHeader = "x-grpc-test-echo-initial"
    private static let echoedTrailer = "x-grpc-test-echo-trailing-bin"

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        register(&router, "EmptyCall", unary: { (_: Empty) in Empty() })
        register(&router, "UnaryCall", unary: unaryCall)
        register(&router, "StreamingOutputCall") {
            (request: StreamingServerRequest<StreamingOutputCallRequest>, writer) in
            for try await message in request.messages { try await answer(message, writer) }
        }
        register(&router, "FullDuplexCall") { (request: StreamingServerRequest<StreamingOutputCallRequest>, writer) in
            for try await message in request.messages {
                try check(message.responseStatus)
                try await answer(message, writer)
            }
        }
        register(&router, "StreamingInputCall") {
            (request: StreamingServerRequest<StreamingInputCallRequest>, writer) in
            var byteCount = 0
            for try await message in request.messages { byteCount += message.payload?.body.count ?? 0 }
            try await writer.write(StreamingInputCallResponse(aggregatedPayloadSize: Int32(clamping: byteCount)))
        }
    }

    private func register<Transport: ServerTransport, Input: Message & Sendable, Output: Message & Sendable>(
        _ router: inout RPCRouter<Transport>, _ name: String,
        _ body: @escaping @Sendable (StreamingServerRequest<Input>, RPCWriter<Output>) async throws -> Void
    ) {
        router.registerHandler(
            forMethod: .test(name), deserializer: Protobuf<Input>(), serializer: Protobuf<Output>()
        ) { request, _ in
            let (headers, trailers) = Self.echoes(request.metadata)
            return StreamingServerResponse(metadata: headers) { writer in
                try await body(request, writer)
                return trailers
            }
        }
    }

    private func register<Transport: ServerTransport, Input: Message & Sendable, Output: Message & Sendable>(
        _ router: inout RPCRouter<Transport>, _ name: String, unary body: @escaping @Sendable (Input) throws -> Output
    ) {
        register(&router, name) { (request: StreamingServerRequest<Input>, writer: RPCWriter<Output>) in
            for try await message in request.messages { try await writer.write(try body(message)) }
        }
    }

    private static func echoes(_ metadata: Metadata) -> (headers: Metadata, trailers: Metadata) {
        var headers = Metadata()
        var trailers = Metadata()
        for value in metadata[stringValues: echoedHeader] { headers.addString(value, forKey: echoedHeader) }
        for value in metadata[binaryValues: echoedTrailer] { trailers.addBinary(value, forKey: echoedTrailer) }
        return (headers, trailers)
    }

    private func unaryCall(_ request: SimpleRequest) throws -> SimpleResponse {
        try check(request.responseStatus)
        return SimpleResponse(payload: zeros(Int(request.responseSize)))
    }

    private func answer(
        _ request: StreamingOutputCallRequest, _ writer: RPCWriter<StreamingOutputCallResponse>
    ) async throws {
        for parameters in request.responseParameters {
            if parameters.intervalUs > 0 { try await Task.sleep(for: .microseconds(Int64(parameters.intervalUs))) }
            try await writer.write(StreamingOutputCallResponse(payload: zeros(Int(parameters.size))))
        }
    }

    private func check(_ status: EchoStatus?) throws {
        guard let status, let code = Status.Code(rawValue: Int(status.code)).flatMap({ RPCError.Code($0) }) else {
            return
        }
        throw RPCError(code: code, message: status.message)
    }
}
