import FrameCodec
import HTTPTransport
import NIOCore

/// Status -> header or trailer fields, and back.
enum StatusFields {
    /// `grpc-status` first, then message, details and trailing metadata. nil is OK.
    static func fields(_ error: RPCError?, trailing: Metadata) -> HTTPFields {
        guard let error else {
            var fields = succeeded
            trailing.fields.forEach { name, value in fields.append(name: name, value: value) }
            return fields
        }
        var fields = HTTPFields()
        fields.append(.grpcStatus, String(error.code.rawValue))
        if !error.message.isEmpty { fields.append(.grpcMessage, bytes: PercentCoding.encode(error.boundedMessage)) }
        if let status = error.serializedStatus() {
            fields.append(.grpcStatusDetailsBin, bytes: Base64.encode(status, padded: false))
        }
        if let pushback = error.retryPushbackText { fields.append(.grpcRetryPushbackMilliseconds, pushback) }
        error.protocolFields.forEach { name, value in fields.append(name: name, value: value) }
        // An error that came from another server brings that server's status along: only its metadata goes on (M6).
        for metadata in [trailing, error.metadata] {
            metadata.forEachApplicationField { name, value in fields.append(name: name, value: value) }
        }
        return fields
    }

    /// Made once: answers share the memory.
    private static let succeeded: HTTPFields = {
        var fields = HTTPFields()
        fields.append(.grpcStatus, "0")
        return fields
    }()

    /// gRPC-Web's last frame: flag 0x80 and the fields as an HTTP/1 header block (rule W1).
    static func trailerFrame(_ fields: HTTPFields) -> ByteBuffer {
        var pairs: [(name: [UInt8], value: [UInt8])] = []
        fields.forEach { name, value in pairs.append((Array(name), Array(value))) }
        let block = TrailerBlock.encode(pairs)
        var frame = ByteBuffer()
        frame.writeWithUnsafeMutableBytes(minimumWritableBytes: FrameHeader.byteCount) { memory in
            FrameHeader(flags: .trailers, payloadByteCount: UInt32(truncatingIfNeeded: block.count)).write(into: memory)
            return FrameHeader.byteCount
        }
        frame.writeBytes(block)
        return frame
    }

    /// The outcome that `fields` (trailers, or the head of a trailers-only answer) report; nil error is OK.
    ///
    /// - Returns: `.missing` when there is no `grpc-status`.
    static func outcome(_ fields: HTTPFields) -> Outcome {
        guard fields.count(of: .grpcStatus) > 0 else { return .missing }
        let code = fields.withFirst(.grpcStatus) { StatusCode(decimal: $0) } ?? nil
        guard let code else { return .failed(RPCError(.unknown, "the server sent a grpc-status that is not a number")) }
        guard code != .ok else { return .succeeded }
        let message = fields.withFirst(.grpcMessage) { PercentCoding.decode($0) } ?? ""
        var error = RPCError(code, message, metadata: Metadata(fields: fields))
        error.details = details(fields, code: code)
        return .failed(error)
    }

    enum Outcome: Sendable { case succeeded, failed(RPCError), missing }

    /// Details whose code disagrees with `grpc-status` are dropped (rule S3).
    private static func details(_ fields: HTTPFields, code: StatusCode) -> [Protobuf.`Any`] {
        guard let text = fields.first(.grpcStatusDetailsBin), let bytes = Base64.decode(Array(text.utf8)),
            let status = try? GoogleRPC.Status(serializedBytes: bytes), Int(status.code) == code.rawValue
        else { return [] }
        return status.details
    }
}

extension RPCError {
    /// A frame that breaks the protocol (rules P1, P2, P8, P10).
    ///
    /// - Parameter limit: name of the limit on the size of a message, for the error that it causes.
    init(frameError: FrameError, limit: String) {
        if frameError.isMessageTooLarge {
            self.init(.resourceExhausted, "\(frameError) (\(limit))")
        } else {
            self.init(.internalError, "\(frameError)")
        }
    }

    /// What became of a call whose stream broke, as the server's handler sees it.
    init(streamError: HTTPStreamError) {
        switch streamError {
        case .bodyTooLarge: self.init(.resourceExhausted, "\(streamError)")
        case .truncatedBody, .protocolViolation: self.init(.internalError, "\(streamError)")
        case .reset, .refused, .notSent, .connectionClosed, .cancelled: self.init(.cancelled, "\(streamError)")
        }
    }
}

extension HTTPStreamError {
    /// What a client reports for a stream that ended without a `grpc-status` (rules S7, H2c, H2d).
    var statusCode: StatusCode {
        switch self {
        case .reset(let code): Self.statusCode(reset: code)
        case .refused, .notSent, .connectionClosed: .unavailable
        case .truncatedBody, .protocolViolation: .internalError
        case .bodyTooLarge: .resourceExhausted
        case .cancelled: .cancelled
        }
    }

    private static func statusCode(reset code: HTTP2ErrorCode) -> StatusCode {
        switch code {
        case .refusedStream: .unavailable
        case .cancel: .cancelled
        case .enhanceYourCalm: .resourceExhausted
        case .inadequateSecurity: .permissionDenied
        default: .internalError
        }
    }
}
