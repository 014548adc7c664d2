import Foundation
import NIOCore
import RPC
import SwiftProtobuf

// All that another message library needs: bytes to messages and back. Both codecs of the server work with it.

extension RPCMethod {
    /// A unary method whose messages are SwiftProtobuf's.
    public static func swiftProtobuf<Request: SwiftProtobuf.Message, Response: SwiftProtobuf.Message>(
        _ descriptor: MethodDescriptor,
        _ body: @escaping @Sendable (Request, CallContext) async throws -> Response
    ) -> RPCMethod {
        RPCMethod(descriptor) { call, context in
            guard let bytes = try await call.nextMessage() else {
                throw RPCError(.unimplemented, "\(descriptor.path) takes one request message; the request has none")
            }
            let request = try Request(bytes, call.codec)
            guard try await call.nextMessage() == nil else {
                throw RPCError(.unimplemented, "\(descriptor.path) takes one request message; the request has more")
            }
            try await call.send(bytes: try await body(request, context).bytes(call.codec))
        }
    }

    /// A method that answers one request with a stream.
    public static func swiftProtobuf<Request: SwiftProtobuf.Message, Response: SwiftProtobuf.Message>(
        streaming descriptor: MethodDescriptor,
        _ body: @escaping @Sendable (Request, (Response) async throws -> Void, CallContext) async throws -> Void
    ) -> RPCMethod {
        RPCMethod(descriptor) { call, context in
            guard let bytes = try await call.nextMessage() else {
                throw RPCError(.unimplemented, "\(descriptor.path) takes one request message; the request has none")
            }
            try await body(
                try Request(bytes, call.codec), { try await call.send(bytes: $0.bytes(call.codec)) }, context)
        }
    }
}

extension SwiftProtobuf.Message {
    init(_ bytes: ByteBuffer, _ codec: MessageCodec) throws {
        do {
            switch codec {
            case .proto: try self.init(serializedBytes: Array(bytes.readableBytesView))
            case .json: try self.init(jsonUTF8Data: Data(bytes.readableBytesView))
            }
        } catch {
            throw RPCError(.invalidArgument, "the request is not a valid \(Self.protoMessageName): \(error)")
        }
    }

    func bytes(_ codec: MessageCodec) throws -> ByteBuffer {
        switch codec {
        case .proto: ByteBuffer(bytes: try serializedBytes() as [UInt8])
        case .json: ByteBuffer(bytes: try jsonUTF8Data())
        }
    }
}
