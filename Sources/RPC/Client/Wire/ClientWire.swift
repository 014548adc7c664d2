import FrameCodec
import HTTPTransport
import NIOCore

extension RPCChannel {
    /// How calls travel: the wire protocol, the form of messages, and the HTTP version.
    public struct Wire: Sendable, Hashable, CaseIterable {
        public enum RPCProtocol: Sendable, Hashable, CaseIterable {
            /// gRPC: status in HTTP trailers. HTTP/2 only.
            case grpc
            /// gRPC-Web: status in the body.
            case grpcWeb
            /// gRPC-Web as base64 text.
            case grpcWebText
            /// Connect: unary calls are plain HTTP requests, streams are frames with a JSON end.
            case connect
        }

        /// The form of messages.
        public enum Codec: Sendable, Hashable, CaseIterable {
            /// Protobuf.
            case proto
            /// Canonical proto-JSON.
            case json

            var name: String { self == .proto ? "proto" : "json" }
        }

        public var `protocol`: RPCProtocol
        public var codec: Codec
        public var httpProtocol: HTTPClientProtocol

        public init(_ protocol: RPCProtocol, codec: Codec = .proto, over httpProtocol: HTTPClientProtocol = .http2) {
            self.protocol = `protocol`
            self.codec = codec
            self.httpProtocol = httpProtocol
        }

        /// gRPC over HTTP/2.
        public static let grpc = Wire(.grpc)
        /// gRPC-Web, binary, over either HTTP version.
        public static let grpcWebHTTP1 = Wire(.grpcWeb, over: .http1)
        public static let grpcWebHTTP2 = Wire(.grpcWeb)
        /// gRPC-Web as base64 text, over either HTTP version.
        public static let grpcWebTextHTTP1 = Wire(.grpcWebText, over: .http1)
        public static let grpcWebTextHTTP2 = Wire(.grpcWebText)
        /// Connect, over either HTTP version.
        public static let connectHTTP1 = Wire(.connect, over: .http1)
        public static let connectHTTP2 = Wire(.connect)

        /// Protobuf over gRPC and gRPC-Web in every form.
        public static let allCases = [grpc, grpcWebHTTP1, grpcWebHTTP2, grpcWebTextHTTP1, grpcWebTextHTTP2]

        var isWeb: Bool { self.protocol == .grpcWeb || self.protocol == .grpcWebText }
        var isText: Bool { self.protocol == .grpcWebText }
        var isConnect: Bool { self.protocol == .connect }
        /// A unary Connect call has bare messages instead of frames.
        func isFramed(_ method: MethodDescriptor) -> Bool { !isConnect || method.kind != .unary }

        func contentType(_ method: MethodDescriptor) -> String {
            switch self.protocol {
            case .grpc: "application/grpc+\(codec.name)"
            case .grpcWeb: "application/grpc-web+\(codec.name)"
            case .grpcWebText: "application/grpc-web-text+\(codec.name)"
            case .connect: "application/\(method.kind == .unary ? "" : "connect+")\(codec.name)"
            }
        }
    }
}

extension RPCChannel.Wire.Codec {
    /// A message's bytes, behind `reserved` bytes that the caller fills in.
    func encode<M: Message>(_ message: M, reserving reserved: Int) throws -> ByteBuffer {
        guard self == .proto else {
            let bytes = try message.jsonBytes(options: JSONEncodingOptions(types: GoogleRPC.errorDetails))
            var buffer = ByteBufferAllocator().buffer(capacity: reserved + bytes.count)
            buffer.writeRepeatingByte(0, count: reserved)
            buffer.writeBytes(bytes)
            return buffer
        }
        let byteCount = message.encodedByteCount
        var buffer = ByteBufferAllocator().buffer(capacity: reserved + byteCount)
        buffer.writeRepeatingByte(0, count: reserved)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: byteCount) { memory in
            message.encode(into: UnsafeMutableRawBufferPointer(rebasing: memory.prefix(byteCount)))
            return byteCount
        }
        return buffer
    }

    /// - Throws: ``RPCError`` INTERNAL that names the method (rule P13).
    func decode<M: Message>(_ type: M.Type, _ bytes: ByteBuffer, of method: MethodDescriptor) throws -> M {
        do {
            return try bytes.withUnsafeReadableBytes { bytes in
                guard self == .json else { return try M(serializedBytes: bytes) }
                // A server may know fields that this client does not.
                let options = JSONDecodingOptions(ignoresUnknownFields: true, types: GoogleRPC.errorDetails)
                return try M(jsonBytes: bytes, options: options)
            }
        } catch {
            let form = self == .proto ? "protobuf" : "JSON"
            throw RPCError(.internalError, "the response of \(method.path) is not valid \(form): \(error)")
        }
    }
}
