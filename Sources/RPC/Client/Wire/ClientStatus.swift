import FrameCodec
import HTTPTransport
import NIOCore

/// How a gRPC or gRPC-Web response says what became of the call (rules S1 to S5, W6).
enum ClientStatus {
    /// - Throws: the error of a response that says nothing.
    static func outcome(trailers: HTTPFields?, head: HTTPFields?) throws(RPCError) -> ResponseReader.Outcome {
        // An empty trailer block means that the head counts (rule W6).
        if let trailers, !trailers.isEmpty {
            guard trailers.count(of: .grpcStatus) > 0 else {
                throw RPCError(
                    .unknown, "the server's trailers have no grpc-status", metadata: Metadata(fields: trailers))
            }
            return try outcome(trailers)
        }
        guard let head, head.count(of: .grpcStatus) > 0 else {
            throw RPCError(.internalError, "the response ended without a grpc-status")
        }
        return try outcome(head)
    }

    /// What fields that hold a `grpc-status` say.
    static func outcome(_ fields: HTTPFields) throws(RPCError) -> ResponseReader.Outcome {
        let metadata = Metadata(fields: fields)
        defer { withExtendedLifetime(fields) {} }
        guard fields.count(of: .grpcStatus) == 1,
            let code = fields.firstValue(.grpcStatus).flatMap({ StatusCode(decimal: $0) })
        else {
            throw RPCError(.unknown, "the server sent a grpc-status that is not one number", metadata: metadata)
        }
        guard code != .ok else { return ResponseReader.Outcome(error: nil, trailing: metadata) }
        let message = fields.withFirst(.grpcMessage) { PercentCoding.decode($0) } ?? ""
        var error = RPCError(code, message, metadata: metadata)
        error.details = details(fields, code: code)
        return ResponseReader.Outcome(error: error, trailing: metadata)
    }

    /// Details whose code disagrees with `grpc-status` are dropped (rule S3).
    private static func details(_ fields: HTTPFields, code: StatusCode) -> [Protobuf.`Any`] {
        guard let text = fields.first(.grpcStatusDetailsBin), let bytes = Base64.decode(Array(text.utf8)),
            let status = try? GoogleRPC.Status(serializedBytes: bytes), Int(status.code) == code.rawValue
        else { return [] }
        return status.details
    }

    /// An answer that is not of the protocol: from a proxy, or from something that is no RPC server (rule S5). Such a
    /// one says in HTTP's way when to come again.
    static func foreign(_ head: HTTPResponseHead, _ type: MediaType) -> RPCError {
        let status = head.status
        let seen = status == 200 ? "content-type \"\(type.shown)\"" : "HTTP status \(status)"
        var error = RPCError(StatusCode(httpStatus: status), "the server answered with \(seen), not with an RPC status")
        if [429, 503].contains(status) { error.retryPushback = retryAfter(head.fields) }
        return error
    }

    /// `retry-after` in seconds (RFC 9110 section 10.2.3); a date says nothing to a clock that may be off.
    private static func retryAfter(_ fields: HTTPFields) -> Duration? {
        guard fields.count(of: .retryAfter) == 1, let text = fields.first(.retryAfter),
            (1...6).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int64(text).map { .seconds($0) }
    }

    /// gRPC-Web's trailer frame (rule W2).
    static func trailers(of block: ByteBuffer) throws(RPCError) -> HTTPFields {
        var fields = HTTPFields()
        do {
            for pair in try block.withUnsafeReadableBytes({ try TrailerBlock.decode($0) }) {
                pair.name.withUnsafeBytes { name in
                    pair.value.withUnsafeBytes { value in fields.append(name: name, value: value) }
                }
            }
        } catch {
            throw RPCError(.internalError, "the response's trailer frame is malformed: \(error)")
        }
        return fields
    }
}

/// A content type without its parameters, lower-case (rule W9).
struct MediaType {
    let name: String
    /// As it came, for error texts.
    let shown: String

    /// - Throws: INTERNAL when there is more than one (rule M12).
    init(_ fields: HTTPFields) throws(RPCError) {
        guard fields.count(of: .contentType) <= 1 else {
            throw RPCError(.internalError, "the server sent content-type twice")
        }
        let text = fields.first(.contentType) ?? ""
        shown = String(text.prefix(64))
        let bare = text.prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }
        name = bare.lowercased()
    }

    /// The parts of a gRPC content type; nil when it is none.
    var grpcForm: (isWeb: Bool, isText: Bool, codec: String)? {
        let parts = name.split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
        let codec = parts.count == 2 ? String(parts[1]) : ""
        guard parts.count == 1 || !codec.isEmpty else { return nil }
        switch parts.first {
        case "application/grpc": return (false, false, codec)
        case "application/grpc-web": return (true, false, codec)
        case "application/grpc-web-text": return (true, true, codec)
        default: return nil
        }
    }
}
