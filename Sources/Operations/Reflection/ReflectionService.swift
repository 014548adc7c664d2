import FrameCodec
import RPC

/// `grpc.reflection.v1` and `v1alpha`: tells tools such as grpcurl what a server's contract is.
///
/// A contract may hold more than callers should know: serve it on an administration listener, or behind a scope.
public struct ReflectionService: RPCService {
    /// Largest question, in bytes. A larger one ends the stream with RESOURCE_EXHAUSTED.
    public static let maximumRequestByteCount = 16 * 1024
    public static let serviceNames = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
    /// The files of the reflection services themselves.
    public static let files: [FileDescriptor] = [.grpcReflectionV1Reflection, .grpcReflectionV1alphaReflection]

    private let contract: ContractFiles

    /// - Parameter services: what is told about, besides reflection itself.
    /// - Throws: `WireError` when a descriptor is broken.
    public init(_ services: [any RPCService]) throws {
        contract = try ContractFiles(services + [Listed()], additional: Self.files)
    }

    /// Both versions have the same messages: one handler serves them.
    public var methods: [RPCMethod] {
        Self.descriptors.map { descriptor in
            .bidirectionalStreaming(descriptor) {
                (
                    requests: RequestStream<GRPCReflection.ServerReflectionRequest>,
                    responses: ResponseWriter<GRPCReflection.ServerReflectionResponse>, _
                ) in
                try await answer(requests, responses)
            }
        }
    }

    private static let descriptors = serviceNames.map {
        MethodDescriptor(service: $0, method: "ServerReflectionInfo", kind: .bidirectionalStreaming)
    }

    /// Stands for the reflection services in the contract.
    private struct Listed: RPCService {
        var methods: [RPCMethod] { ReflectionService.descriptors.map { RPCMethod($0) { _, _ in } } }
    }

    private func answer(
        _ requests: RequestStream<GRPCReflection.ServerReflectionRequest>,
        _ responses: ResponseWriter<GRPCReflection.ServerReflectionResponse>
    ) async throws {
        var sent: Set<String> = []
        for try await request in requests {
            guard request.encodedByteCount <= Self.maximumRequestByteCount else {
                throw RPCError(
                    .resourceExhausted,
                    "reflection request of \(request.encodedByteCount) bytes exceeds maximumRequestByteCount "
                        + "(\(Self.maximumRequestByteCount))"
                )
            }
            try await responses.send(
                GRPCReflection.ServerReflectionResponse(
                    validHost: request.host, originalRequest: request, messageResponse: answer(request, &sent)
                ))
        }
    }

    private typealias Answer = GRPCReflection.ServerReflectionResponse.MessageResponse

    private func answer(_ request: GRPCReflection.ServerReflectionRequest, _ sent: inout Set<String>) -> Answer {
        switch request.messageRequest {
        case .fileByFilename(let name): files(contract.file(named: name), "file", name, &sent)
        case .fileContainingSymbol(let symbol):
            files(contract.file(declaring: Self.withoutDot(symbol)), "symbol", symbol, &sent)
        case .fileContainingExtension(let wanted):
            files(
                contract.file(extending: Self.withoutDot(wanted.containingType), number: wanted.extensionNumber),
                "extension \(wanted.extensionNumber) of", wanted.containingType, &sent
            )
        case .allExtensionNumbersOfType(let type): extensionNumbers(of: type)
        case .listServices:
            .listServicesResponse(.init(service: contract.serviceNames.map { .init(name: $0) }))
        case nil: Self.error(.invalidArgument, "the request asks nothing")
        }
    }

    /// The file, then what it imports and this stream has not sent yet.
    private func files(_ file: FileDescriptor?, _ kind: String, _ name: String, _ sent: inout Set<String>) -> Answer {
        guard let file else { return Self.error(.notFound, "there is no \(kind) \"\(name.prefix(64))\"") }
        var answer = [file.serializedBytes]
        sent.insert(file.name)
        var waiting = file.dependencies
        while let next = waiting.popLast() {
            guard sent.insert(next.name).inserted else { continue }
            answer.append(next.serializedBytes)
            waiting += next.dependencies
        }
        return .fileDescriptorResponse(.init(fileDescriptorProto: answer))
    }

    private func extensionNumbers(of name: String) -> Answer {
        let type = Self.withoutDot(name)
        guard contract.file(declaring: type) != nil else {
            return Self.error(.notFound, "there is no message type \"\(name.prefix(64))\"")
        }
        return .allExtensionNumbersResponse(
            .init(baseTypeName: type, extensionNumber: contract.extensionNumbers(of: type))
        )
    }

    private static func withoutDot(_ name: String) -> String { name.hasPrefix(".") ? String(name.dropFirst()) : name }

    private static func error(_ code: StatusCode, _ message: String) -> Answer {
        .errorResponse(.init(errorCode: Int32(truncatingIfNeeded: code.rawValue), errorMessage: message))
    }
}
