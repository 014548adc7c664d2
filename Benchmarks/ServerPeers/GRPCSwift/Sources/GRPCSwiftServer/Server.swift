import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import NIOPosix
import SwiftProtobuf

/// `benchmark.Echo` by grpc-swift-2, messages by SwiftProtobuf. Usage: GRPCSwiftServer LIST_FILE; prints `ready PORT`.
@main
enum Server {
    static func main() async throws {
        guard CommandLine.arguments.count == 2 else { throw Usage() }
        let list = try ListRepositoriesResponse(
            serializedBytes: Data(contentsOf: URL(fileURLWithPath: CommandLine.arguments[1])))
        let server = GRPCServer(
            transport: .http2NIOPosix(
                address: .ipv4(host: "127.0.0.1", port: 0), transportSecurity: .plaintext,
                eventLoopGroup: MultiThreadedEventLoopGroup(numberOfThreads: 1)),
            services: [Echo(list: list)]
        )
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { try await server.serve() }
            let port = try await server.listeningAddress?.ipv4?.port ?? 0
            try FileHandle.standardOutput.write(contentsOf: Data("ready \(port)\n".utf8))
        }
    }
}

struct Usage: Error {}

typealias ListRepositoriesResponse = Sentry_Integrations_Scm_V1_ListRepositoriesResponse

struct Echo: RegistrableRPCService {
    let list: ListRepositoriesResponse
    let message = Google_Protobuf_BytesValue(Data(repeating: 0x78, count: 1021))

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        register(&router, "Unary") { request in
            StreamingServerResponse(single: ServerResponse(message: try await first(request)))
        }
        register(&router, "List") { _ in StreamingServerResponse(single: ServerResponse(message: list)) }
        register(&router, "Stream") { _ in
            StreamingServerResponse { writer in
                for _ in 0..<1000 { try await writer.write(message) }
                return [:]
            }
        }
    }

    private func first(
        _ request: StreamingServerRequest<Google_Protobuf_BytesValue>
    ) async throws -> Google_Protobuf_BytesValue {
        try await ServerRequest(stream: request).message
    }

    private func register<Transport: ServerTransport, Output: SwiftProtobuf.Message>(
        _ router: inout RPCRouter<Transport>, _ name: String,
        _ body: @escaping @Sendable (
            StreamingServerRequest<Google_Protobuf_BytesValue>
        ) async throws -> StreamingServerResponse<Output>
    ) {
        router.registerHandler(
            forMethod: MethodDescriptor(fullyQualifiedService: "benchmark.Echo", method: name),
            deserializer: ProtobufBytes<Google_Protobuf_BytesValue>(), serializer: ProtobufBytes<Output>()
        ) { request, _ in try await body(request) }
    }
}

struct ProtobufBytes<Message: SwiftProtobuf.Message>: MessageSerializer, MessageDeserializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: Message) throws -> Bytes {
        Bytes(try message.serializedBytes() as [UInt8])
    }

    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> Message {
        try bytes.withUnsafeBytes { try Message(serializedBytes: Array($0)) }
    }
}
