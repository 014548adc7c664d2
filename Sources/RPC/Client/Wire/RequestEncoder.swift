import Compression
import FrameCodec
import HTTPTransport
import NIOCore

/// What a channel puts on the wire for its calls. Made once for a channel.
final class RequestEncoder: Sendable {
    let configuration: RPCChannel.Configuration
    private let streamFields: HTTPFields
    private let unaryFields: HTTPFields
    private let scheme: String
    /// Room for the fields of a usual call, a signature among them.
    private static let usualFieldsByteCount = 512
    /// Longest URL of a Connect GET, in bytes; longer requests are sent by POST.
    static let maximumGetByteCount = 4096

    var wire: RPCChannel.Wire { configuration.wire }

    init(_ configuration: RPCChannel.Configuration) {
        self.configuration = configuration
        scheme = configuration.usesTLS ? "https" : "http"
        streamFields = Self.fields(configuration, isUnary: false)
        unaryFields = Self.fields(configuration, isUnary: true)
    }

    /// Everything that is the same in all calls, the channel's metadata last.
    private static func fields(_ configuration: RPCChannel.Configuration, isUnary: Bool) -> HTTPFields {
        let wire = configuration.wire
        let method = MethodDescriptor(service: "", method: "", kind: isUnary ? .unary : .bidirectionalStreaming)
        let accepted = configuration.acceptedCompression.map(\.name).joined(separator: ",")
        var fields = HTTPFields()
        fields.append(.contentType, wire.contentType(method))
        switch wire.protocol {
        case .grpc: fields.append(.te, "trailers")
        case .grpcWeb, .grpcWebText:
            fields.append(.xGrpcWeb, "1")
            fields.append(.accept, wire.contentType(method))
        case .connect: fields.append(.connectProtocolVersion, "1")
        }
        if !accepted.isEmpty {
            let name: HTTPFieldName =
                wire.isConnect ? (isUnary ? .acceptEncoding : .connectAcceptEncoding) : .grpcAcceptEncoding
            fields.append(name, accepted)
        }
        fields.append(.userAgent, "grpc-swift-framecodec/0.1")
        fields.append(contentsOf: configuration.metadata.fields)
        return fields
    }

    // MARK: Heads

    /// - Parameter attempt: 1 for the first; later ones say how many came before (rule S11).
    func head(_ context: ClientCallContext, attempt: Int) -> HTTPRequestHead {
        let fields = fields(context, attempt: attempt, isGet: false)
        return HTTPRequestHead(
            method: .post, path: context.method.path, scheme: scheme, authority: configuration.target.authority,
            fields: fields)
    }

    /// Connect GET: the message in the query. nil when the call is not one, or its URL would be too long.
    func getHead(_ context: ClientCallContext, message: ByteBuffer, attempt: Int) -> HTTPRequestHead? {
        guard wire.isConnect, configuration.usesGetWithoutSideEffects, context.method.kind == .unary,
            context.method.idempotency == .noSideEffects
        else { return nil }
        let bytes = Array(message.readableBytesView)
        // Order: connect, base64, compression, encoding, message.
        var path = context.method.path + "?connect=v1&base64=1&encoding=\(wire.codec.name)&message="
        path += String(decoding: Base64.encode(bytes, padded: false).map(Self.urlSafe), as: UTF8.self)
        guard path.utf8.count <= Self.maximumGetByteCount else { return nil }
        return HTTPRequestHead(
            method: .get, path: path, scheme: scheme, authority: configuration.target.authority,
            fields: fields(context, attempt: attempt, isGet: true))
    }

    private static func urlSafe(_ symbol: UInt8) -> UInt8 {
        switch symbol {
        case UInt8(ascii: "+"): UInt8(ascii: "-")
        case UInt8(ascii: "/"): UInt8(ascii: "_")
        default: symbol
        }
    }

    private func fields(_ context: ClientCallContext, attempt: Int, isGet: Bool) -> HTTPFields {
        var fields = HTTPFields()
        fields.reserve(byteCount: Self.usualFieldsByteCount)
        // Right after the pseudo headers (rule M7).
        if let deadline = context.deadline { append(timeout: deadline - .now(), to: &fields) }
        let isUnary = context.method.kind == .unary
        let same = isUnary ? unaryFields : streamFields
        if isGet { Self.append(ofGet: same, to: &fields) } else { fields.append(contentsOf: same) }
        if let algorithm = context.compression, !isGet {
            let name: HTTPFieldName =
                wire.isConnect ? (isUnary ? .contentEncoding : .connectContentEncoding) : .grpcEncoding
            fields.append(name, algorithm.name)
        }
        if attempt > 1 { fields.append(.grpcPreviousRPCAttempts, "\(attempt - 1)") }
        fields.append(contentsOf: context.metadata.fields)
        return fields
    }

    /// Without what the query of a GET says.
    private static func append(ofGet all: HTTPFields, to fields: inout HTTPFields) {
        all.forEach { name, value in
            let isLeftOut = name.elementsEqual("content-type".utf8) || name.starts(with: "connect-p".utf8)
            if !isLeftOut { fields.append(name: name, value: value) }
        }
    }

    /// The head with what the channel's signer adds to it.
    func signed(_ head: consuming HTTPRequestHead, _ body: ByteBuffer) throws -> HTTPRequestHead {
        try configuration.signer?.sign(&head, body: body)
        return head
    }

    /// Time left, never an absolute time (rule T8).
    private func append(timeout: TimeAmount, to fields: inout HTTPFields) {
        let nanoseconds = UInt64(max(0, timeout.nanoseconds))
        guard wire.isConnect else {
            return withUnsafeTemporaryAllocation(byteCount: GRPCTimeout.maximumByteCount, alignment: 1) {
                fields.append(.grpcTimeout, raw: GRPCTimeout.write(nanoseconds: nanoseconds, into: $0))
            }
        }
        // At most ten digits.
        let milliseconds = min((nanoseconds + 999_999) / 1_000_000, 9_999_999_999)
        fields.append(.connectTimeoutMilliseconds, "\(milliseconds)")
    }

    // MARK: Messages

    /// A message as it stands in the body.
    ///
    /// - Parameter isCompressed: false for a frame that is left as it is in a call that compresses.
    /// - Throws: ``RPCError`` RESOURCE_EXHAUSTED when it is over
    ///   ``RPCChannel/Configuration/maximumRequestMessageByteCount``, INTERNAL when it cannot be encoded.
    func body<M: Message>(_ message: M, _ context: ClientCallContext, isCompressed: Bool = true) throws -> ByteBuffer {
        let isFramed = wire.isFramed(context.method)
        var buffer: ByteBuffer
        do {
            buffer = try wire.codec.encode(message, reserving: isFramed ? FrameHeader.byteCount : 0)
        } catch {
            throw RPCError(.internalError, "the request of \(context.method.path) has no JSON form: \(error)")
        }
        try finish(&buffer, isFramed: isFramed, context, isCompressed)
        return buffer
    }

    /// The same for bytes that the caller has encoded.
    func body(bytes: ByteBuffer, _ context: ClientCallContext, isCompressed: Bool = true) throws -> ByteBuffer {
        guard wire.isFramed(context.method) else {
            var buffer = bytes
            try finish(&buffer, isFramed: false, context, isCompressed)
            return buffer
        }
        return try bytes.withUnsafeReadableBytes { try body(bytes: $0, context, isCompressed: isCompressed) }
    }

    func body(
        bytes: UnsafeRawBufferPointer, _ context: ClientCallContext, isCompressed: Bool = true
    ) throws -> ByteBuffer {
        let isFramed = wire.isFramed(context.method)
        let prefix = isFramed ? FrameHeader.byteCount : 0
        var buffer = ByteBufferAllocator().buffer(capacity: prefix + bytes.count)
        // In one step: each use of a buffer is checked at run time.
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: prefix + bytes.count) { memory in
            for index in 0..<prefix { memory[index] = 0 }
            UnsafeMutableRawBufferPointer(rebasing: memory[prefix...]).copyMemory(from: bytes)
            return prefix + bytes.count
        }
        try finish(&buffer, isFramed: isFramed, context, isCompressed)
        return buffer
    }

    /// Makes a body of a message that has room for its frame's header before it. In place: the buffer has one owner.
    private func finish(
        _ buffer: inout ByteBuffer, isFramed: Bool, _ context: ClientCallContext, _ isCompressed: Bool
    ) throws {
        let prefix = isFramed ? FrameHeader.byteCount : 0
        let byteCount = buffer.readableBytes - prefix
        let limit = configuration.maximumRequestMessageByteCount
        guard byteCount <= limit, let declared = UInt32(exactly: byteCount) else {
            throw RPCError(
                .resourceExhausted,
                "a request of \(byteCount) bytes is over maximumRequestMessageByteCount = \(limit)")
        }
        // A body without frames has no flag that could say that it is not what the head says.
        if let algorithm = context.compression, isCompressed || !isFramed, byteCount > 0 {
            buffer = try compressed(buffer, prefix: prefix, algorithm)
        } else if isFramed {
            write(FrameHeader(flags: [], payloadByteCount: declared), to: &buffer)
        }
        if wire.isText { buffer = ByteBuffer(bytes: Base64.encode(Array(buffer.readableBytesView), padded: true)) }
    }

    private func compressed(_ buffer: ByteBuffer, prefix: Int, _ algorithm: CompressionAlgorithm) throws -> ByteBuffer {
        let bytes: [UInt8]
        do {
            bytes = try buffer.withUnsafeReadableBytes {
                try Compressor.compress(UnsafeRawBufferPointer(rebasing: $0[prefix...]), with: algorithm)
            }
        } catch {
            throw RPCError(.internalError, "the request cannot be compressed: \(error)")
        }
        var result = ByteBufferAllocator().buffer(capacity: prefix + bytes.count)
        result.writeRepeatingByte(0, count: prefix)
        result.writeBytes(bytes)
        guard prefix > 0 else { return result }
        write(FrameHeader(flags: .compressed, payloadByteCount: UInt32(truncatingIfNeeded: bytes.count)), to: &result)
        return result
    }

    private func write(_ header: FrameHeader, to buffer: inout ByteBuffer) {
        buffer.withUnsafeMutableReadableBytes { header.write(into: $0) }
    }
}

extension HTTPFieldName {
    static let connectProtocolVersion = HTTPFieldName(known: "connect-protocol-version")
    static let connectTimeoutMilliseconds = HTTPFieldName(known: "connect-timeout-ms")
    static let connectContentEncoding = HTTPFieldName(known: "connect-content-encoding")
    static let connectAcceptEncoding = HTTPFieldName(known: "connect-accept-encoding")
}
