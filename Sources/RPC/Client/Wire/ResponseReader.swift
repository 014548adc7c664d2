import Compression
import FrameCodec
import HTTPTransport
import NIOCore

/// Turns a response into messages and an outcome. A value without I/O: everything is put in, and asked for.
///
/// ```
/// head ok --> frames: append, next, append, next ... finish --> outcome
///    | not 200, wrong type, unknown encoding                      ^
///    +--- throws: that is the outcome ----------------------------+
/// ```
///
/// Every error thrown is the outcome of the call as this side sees it.
struct ResponseReader: Sendable {
    /// How a call ended.
    struct Outcome: Sendable {
        /// nil is OK.
        var error: RPCError?
        var trailing = Metadata()
    }

    let method: MethodDescriptor
    private let terms: ResponseTerms
    private(set) var head: HTTPResponseHead?
    /// The server has spoken as an application: from here on the call must not be repeated (rule S9).
    private(set) var isCommitted = false
    private(set) var outcome: Outcome?

    private var encoding: CompressionAlgorithm?
    private var isText = false
    private var inbound = ByteBuffer()
    private var text = Base64StreamDecoder()
    private var webTrailers: HTTPFields?
    private var connectEnd: Outcome?
    private var wholeMessage: ByteBuffer?

    private var wire: RPCChannel.Wire { terms.wire }
    private var limit: Int { terms.limit }

    init(_ terms: ResponseTerms, _ method: MethodDescriptor) {
        self.method = method
        self.terms = terms
    }

    // MARK: Head

    mutating func readHead(_ head: HTTPResponseHead) throws(RPCError) {
        self.head = head
        if isUsual(head) {
            isCommitted = true
            encoding = try encoding(head.fields, .grpcEncoding)
            return
        }
        let type = try MediaType(head.fields)
        if wire.isConnect { return try readConnectHead(head, type) }
        let hasStatus = head.fields.count(of: .grpcStatus) > 0
        let form = type.grpcForm
        guard head.status == 200, let form, form.isWeb == wire.isWeb else {
            // The table of rule S5 is for answers that say nothing themselves.
            if hasStatus, let error = try ClientStatus.outcome(head.fields).error { throw error }
            throw ClientStatus.foreign(head, type)
        }
        isText = form.isText
        if hasStatus { return }
        guard form.codec == wire.codec.name || form.codec.isEmpty && wire.codec == .proto else {
            throw RPCError(.internalError, "the server answered in another codec: content-type \"\(type.shown)\"")
        }
        isCommitted = true
        encoding = try encoding(head.fields, .grpcEncoding)
    }

    /// The head of nearly every gRPC call that is served, seen without making texts of it: 200, the content type that
    /// was asked for, no status yet.
    private func isUsual(_ head: HTTPResponseHead) -> Bool {
        guard wire.protocol == .grpc, head.status == 200, head.fields.count(of: .contentType) == 1,
            head.fields.count(of: .grpcStatus) == 0
        else { return false }
        let usual: StaticString = wire.codec == .proto ? "application/grpc+proto" : "application/grpc+json"
        defer { withExtendedLifetime(head) {} }
        return head.fields.firstValue(.contentType)?.elementsAre(usual) ?? false
    }

    private mutating func readConnectHead(_ head: HTTPResponseHead, _ type: MediaType) throws(RPCError) {
        let isUnary = method.kind == .unary
        if isUnary, head.status != 200 {
            encoding = try encoding(head.fields, .contentEncoding)
            guard type.name == "application/json" else { throw ClientStatus.foreign(head, type) }
            return
        }
        guard head.status == 200 else { throw ClientStatus.foreign(head, type) }
        guard type.name == wire.contentType(method) else {
            let isRelated = type.name.hasPrefix(isUnary ? "application/" : "application/connect+")
            guard isRelated else { throw ClientStatus.foreign(head, type) }
            throw RPCError(.internalError, "the server answered in another codec: content-type \"\(type.shown)\"")
        }
        isCommitted = true
        encoding = try encoding(head.fields, isUnary ? .contentEncoding : .connectContentEncoding)
    }

    /// An encoding that this client did not offer is an error before any message (rule P4).
    private func encoding(_ fields: HTTPFields, _ name: HTTPFieldName) throws(RPCError) -> CompressionAlgorithm? {
        guard let text = fields.first(name) else { return nil }
        guard fields.count(of: name) == 1 else { throw RPCError(.internalError, "the server sent \(name) twice") }
        if text == "identity" || text.isEmpty { return nil }
        guard let algorithm = CompressionAlgorithm(name: text), terms.accepted.contains(algorithm) else {
            throw RPCError(.internalError, "the server used \(name) \"\(text.prefix(64))\", which was not offered")
        }
        return algorithm
    }

    /// The response's headers without what the protocol itself put there.
    var responseMetadata: Metadata {
        guard let head else { return Metadata() }
        guard wire.isConnect, method.kind == .unary else { return Metadata(fields: head.fields) }
        return Metadata(fields: ConnectFields.split(head.fields).leading)
    }

    // MARK: Body

    mutating func append(_ chunk: ByteBuffer) throws(RPCError) {
        if inbound.readableBytes == 0 { inbound.clear() } else { inbound.discardReadBytes() }
        guard isText else {
            if !wire.isFramed(method), inbound.readableBytes + chunk.readableBytes > limit {
                throw RPCError(
                    .resourceExhausted, "the response is larger than maximumResponseMessageByteCount = \(limit)")
            }
            if inbound.readableBytes == 0 { inbound = chunk } else { inbound.writeImmutableBuffer(chunk) }
            return
        }
        var bytes: [UInt8] = []
        do {
            try chunk.withUnsafeReadableBytes { try text.decode($0, into: &bytes) }
        } catch {
            throw RPCError(.internalError, "the response body is not valid base64: \(error)")
        }
        inbound.writeBytes(bytes)
    }

    /// The next message that is there whole.
    mutating func next() throws(RPCError) -> ByteBuffer? {
        if let message = wholeMessage {
            wholeMessage = nil
            return message
        }
        guard inbound.readableBytes > 0, wire.isFramed(method) else { return nil }
        while let (flags, payload) = try cutFrame() {
            // Rule P12.
            guard webTrailers == nil, connectEnd == nil else {
                throw RPCError(.internalError, "the response goes on after its last frame")
            }
            let bytes = try inflated(payload, isCompressed: flags.contains(.compressed), limit: limit)
            if flags.contains(.trailers) {
                webTrailers = try ClientStatus.trailers(of: bytes)
            } else if wire.isConnect, flags.contains(.connectEnd) {
                connectEnd = try ConnectJSON.endOfStream(bytes)
            } else {
                return bytes
            }
        }
        return nil
    }

    private mutating func cutFrame() throws(RPCError) -> (FrameFlags, ByteBuffer)? {
        let slice: FrameSlice?
        do {
            slice = try inbound.withUnsafeReadableBytes { bytes throws(FrameError) in try terms.frames.next(bytes) }
        } catch {
            throw RPCError(frameError: error, limit: "maximumResponseMessageByteCount")
        }
        guard let slice else { return nil }
        let payload = inbound.getSlice(at: inbound.readerIndex + slice.payload.lowerBound, length: slice.payload.count)
        inbound.moveReaderIndex(forwardBy: slice.consumed)
        return (slice.flags, payload ?? ByteBuffer())
    }

    /// Rules P3 and P6: the flag needs an encoding, and nothing is the compressed form of nothing.
    private func inflated(_ bytes: ByteBuffer, isCompressed: Bool, limit: Int) throws(RPCError) -> ByteBuffer {
        guard isCompressed else { return bytes }
        guard let encoding else {
            throw RPCError(.internalError, "the response has a compressed message, but the server named no encoding")
        }
        guard bytes.readableBytes > 0 else { return bytes }
        do {
            return ByteBuffer(
                bytes: try bytes.withUnsafeReadableBytes {
                    try Decompressor.decompress($0, with: encoding, maximumByteCount: limit)
                })
        } catch let error as CompressionError where error.isLimit {
            throw RPCError(.resourceExhausted, "maximumResponseMessageByteCount: \(error)")
        } catch {
            throw RPCError(.internalError, "the response cannot be decompressed: \(error)")
        }
    }

    // MARK: End

    /// The body is over. Afterwards ``next()`` may give one more message, then ``outcome`` holds.
    mutating func finish(trailers: HTTPFields?) throws(RPCError) {
        if isText {
            var rest: [UInt8] = []
            do {
                try text.finish(into: &rest)
            } catch {
                throw RPCError(.internalError, "the response body is not valid base64: \(error)")
            }
            inbound.writeBytes(rest)
        }
        guard wire.isFramed(method) else { return try finishConnectUnary() }
        do {
            try inbound.withUnsafeReadableBytes { bytes throws(FrameError) in try terms.frames.finish(bytes) }
        } catch {
            throw RPCError(frameError: error, limit: "maximumResponseMessageByteCount")
        }
        if wire.isConnect {
            guard let connectEnd else {
                throw RPCError(.internalError, "the response ended without Connect's last frame")
            }
            outcome = connectEnd
            return
        }
        outcome = try ClientStatus.outcome(trailers: wire.isWeb ? webTrailers : trailers, head: head?.fields)
    }

    /// What a unary call that has ended gives. Mutating, because a getter would copy the whole reader.
    mutating func takeResult(_ message: ByteBuffer?) throws(RPCError) -> UnaryResult {
        let outcome = outcome.take() ?? Outcome()
        if let error = outcome.error { throw error }
        guard let message else { throw RPCError(.unimplemented, "\(method.path) answered OK without a message") }
        return UnaryResult(message: message, responseMetadata: responseMetadata, trailing: outcome.trailing)
    }

    private mutating func finishConnectUnary() throws(RPCError) {
        guard let head else { return }
        let trailing = Metadata(fields: ConnectFields.split(head.fields).trailing)
        let bytes = try inflated(inbound, isCompressed: encoding != nil, limit: limit)
        guard head.status != 200 else {
            wholeMessage = bytes
            outcome = Outcome(error: nil, trailing: trailing)
            return
        }
        var error = ConnectJSON.unaryError(bytes, httpStatus: head.status)
        error.metadata = trailing
        outcome = Outcome(error: error, trailing: trailing)
    }
}

/// What a channel takes as responses. A class, so that a call carries one reference of it.
final class ResponseTerms: Sendable {
    let wire: RPCChannel.Wire
    /// Bytes of one message.
    let limit: Int
    let accepted: [CompressionAlgorithm]
    let frames: FrameReader

    init(_ configuration: RPCChannel.Configuration) {
        wire = configuration.wire
        limit = configuration.maximumResponseMessageByteCount
        accepted = configuration.acceptedCompression
        let flags: FrameFlags =
            wire.isWeb ? [.compressed, .trailers] : wire.isConnect ? [.compressed, .connectEnd] : .compressed
        frames = FrameReader(maximumPayloadByteCount: limit, allowedFlags: flags)
    }
}

extension FrameFlags {
    /// Connect's last frame; only in its streams (rule P2).
    static let connectEnd = FrameFlags(rawValue: 0x02)
}
