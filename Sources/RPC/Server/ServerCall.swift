import FrameCodec
import HTTPTransport
import NIOCore

/// One call on the server: messages in, messages out, then a status. Unary is the case of one message each way.
///
/// ```
///  head not sent --send--> streaming --finish--> finished
///       |                                           ^
///       +--------- finish (trailers-only) ----------+
/// ```
///
/// Safe to use from any task; one reader and one writer at a time.
//
// @unchecked Sendable: `inbound`, `textEncoder`, `phase` and `deadlinePassed` are touched only on
// `exchange.eventLoop`: every method that uses them checks `inEventLoop` first and hops there otherwise.
public final class ServerCall: @unchecked Sendable {
    private enum Phase { case headNotSent, streaming, finished }

    let exchange: HTTPExchange
    let method: MethodDescriptor
    private let answerForm: WireForm
    private let configuration: RPCServerConfiguration.Shared
    private var inbound: InboundMessages
    private var textEncoder = Base64StreamEncoder()
    private var phase = Phase.headNotSent
    private var deadlinePassed = false

    init(
        exchange: HTTPExchange,
        method: MethodDescriptor,
        requestForm: WireForm,
        configuration: RPCServerConfiguration.Shared
    ) {
        self.exchange = exchange
        self.method = method
        self.answerForm = requestForm.answering(exchange.head.fields)
        self.configuration = configuration
        self.inbound = InboundMessages(
            isText: requestForm.isText,
            maximumMessageByteCount: configuration.values.maximumRequestMessageByteCount
        )
    }

    // MARK: Messages in

    /// The bytes of the next request message; nil at the end of the request.
    ///
    /// - Throws: ``RPCError``: RESOURCE_EXHAUSTED over the size limit, INTERNAL for a broken frame, CANCELLED when
    ///   the client has gone, DEADLINE_EXCEEDED.
    public func nextMessage() async throws -> ByteBuffer? {
        guard exchange.eventLoop.inEventLoop else { return try await onEventLoop { try await self.nextMessage() } }
        while true {
            if deadlinePassed { throw Self.deadlineError }
            if let message = try inbound.next() { return message }
            guard try await fill() else { return nil }
        }
    }

    /// Decodes the next request message; nil at the end of the request.
    ///
    /// - Throws: as ``nextMessage()``, and INTERNAL when the bytes are not such a message (rule P13).
    public func receive<M: Message>(_ type: M.Type) async throws -> M? {
        guard let bytes = try await nextMessage() else { return nil }
        return try decode(bytes)
    }

    /// Decodes the only message of a request.
    ///
    /// - Throws: as ``receive(_:)``, and UNIMPLEMENTED when the request holds none or more than one (rule P11).
    public func receiveOnly<M: Message>(_ type: M.Type) async throws -> M {
        guard let bytes = try await nextMessage() else {
            throw RPCError(.unimplemented, "\(method.path) takes one request message; the request has none")
        }
        let message: M = try decode(bytes)
        guard try await nextMessage() == nil else {
            throw RPCError(.unimplemented, "\(method.path) takes one request message; the request has more")
        }
        return message
    }

    private func decode<M: Message>(_ bytes: ByteBuffer) throws -> M {
        do {
            return try bytes.withUnsafeReadableBytes { try M(serializedBytes: $0) }
        } catch let error as WireError {
            throw RPCError(.internalError, "request message of \(method.path) is not valid protobuf: \(error)")
        }
    }

    /// Waits for more body; false at its end.
    private func fill() async throws -> Bool {
        do {
            guard let chunk = try await exchange.readBody() else {
                try inbound.finish()
                return false
            }
            try inbound.append(chunk)
            return true
        } catch let error as HTTPStreamError {
            throw deadlinePassed ? Self.deadlineError : RPCError(streamError: error)
        }
    }

    // MARK: Messages out

    /// Sends one message; suspends while the client reads too slowly.
    ///
    /// - Throws: ``RPCError``: RESOURCE_EXHAUSTED over the size limit, CANCELLED when the client has gone,
    ///   DEADLINE_EXCEEDED.
    public func send<M: Message>(_ message: M, context: CallContext) async throws {
        let byteCount = message.encodedByteCount
        try checkSize(byteCount)
        var frame = ByteBufferAllocator().buffer(capacity: FrameHeader.byteCount + byteCount)
        frame.writeWithUnsafeMutableBytes(minimumWritableBytes: FrameHeader.byteCount + byteCount) { memory in
            FrameHeader(flags: [], payloadByteCount: UInt32(truncatingIfNeeded: byteCount)).write(into: memory)
            message.encode(into: UnsafeMutableRawBufferPointer(rebasing: memory[FrameHeader.byteCount...].prefix(byteCount)))
            return FrameHeader.byteCount + byteCount
        }
        try await send(frame: frame, context: context)
    }

    /// Sends one message given as its bytes; as ``send(_:context:)``.
    public func send(bytes: ByteBuffer, context: CallContext) async throws {
        let byteCount = bytes.readableBytes
        try checkSize(byteCount)
        var frame = ByteBufferAllocator().buffer(capacity: FrameHeader.byteCount + byteCount)
        frame.writeWithUnsafeMutableBytes(minimumWritableBytes: FrameHeader.byteCount) { memory in
            FrameHeader(flags: [], payloadByteCount: UInt32(truncatingIfNeeded: byteCount)).write(into: memory)
            return FrameHeader.byteCount
        }
        frame.writeImmutableBuffer(bytes)
        try await send(frame: frame, context: context)
    }

    private func checkSize(_ byteCount: Int) throws {
        let limit = min(configuration.values.maximumResponseMessageByteCount, Int(UInt32.max))
        guard byteCount <= limit else {
            throw RPCError(
                .resourceExhausted,
                "response message of \(byteCount) bytes exceeds maximumResponseMessageByteCount (\(limit))"
            )
        }
    }

    private func send(frame: ByteBuffer, context: CallContext) async throws {
        guard exchange.eventLoop.inEventLoop else {
            return try await onEventLoop { try await self.send(frame: frame, context: context) }
        }
        if phase == .headNotSent {
            sendHead(metadata: context.responseMetadata)
            phase = .streaming
        }
        guard phase == .streaming else { throw deadlinePassed ? Self.deadlineError : Self.finishedError }
        do {
            try await exchange.send(encodeForWire(frame))
        } catch {
            throw deadlinePassed ? Self.deadlineError : RPCError(streamError: error)
        }
    }

    /// In text mode every frame is padded, so that the client can decode it at once (rules W12, W13).
    private func encodeForWire(_ frame: ByteBuffer) -> ByteBuffer {
        guard answerForm.isText else { return frame }
        var text: [UInt8] = []
        frame.withUnsafeReadableBytes { textEncoder.encode($0, into: &text) }
        textEncoder.flush(into: &text)
        return ByteBuffer(bytes: text)
    }

    // MARK: Status

    /// Ends the call; later calls have no effect. nil is OK.
    func finish(_ error: RPCError?, context: CallContext?) {
        guard exchange.eventLoop.inEventLoop else {
            return exchange.eventLoop.execute { self.finish(error, context: context) }
        }
        guard phase != .finished else { return }
        let trailers = StatusFields.fields(error, trailing: context?.trailingMetadata ?? Metadata())
        let headers = context?.responseMetadata ?? Metadata()
        if phase == .headNotSent, headers.isEmpty {
            finishTrailersOnly(trailers)
        } else {
            if phase == .headNotSent { sendHead(metadata: headers) }
            finishStream(trailers)
        }
        phase = .finished
    }

    /// Status in the response head and no body (rules S9, W7): only when nothing was sent and no header was set.
    private func finishTrailersOnly(_ trailers: HTTPFields) {
        var fields = responseFields()
        trailers.forEach { name, value in fields.append(name: name, value: value) }
        configuration.values.crossOrigin.permitReading(&fields, by: exchange.head)
        exchange.sendHead(HTTPResponseHead(status: 200, fields: fields))
        exchange.finish(trailers: nil)
    }

    private func finishStream(_ trailers: HTTPFields) {
        guard answerForm.isWeb else { return exchange.finish(trailers: trailers) }
        // gRPC-Web never uses HTTP trailers (rule W5): the status is the body's last frame (rule W4).
        exchange.sendLast(encodeForWire(StatusFields.trailerFrame(trailers)))
    }

    private func sendHead(metadata: Metadata) {
        var fields = responseFields()
        metadata.fields.forEach { name, value in fields.append(name: name, value: value) }
        configuration.values.crossOrigin.permitReading(&fields, by: exchange.head)
        exchange.sendHead(HTTPResponseHead(status: 200, fields: fields))
    }

    private func responseFields() -> HTTPFields {
        var fields = HTTPFields()
        fields.append(.contentType, bytes: answerForm.contentType.bytes)
        return fields
    }

    // MARK: Deadline

    /// On the event loop, before the handler runs.
    func startDeadline(_ deadline: NIODeadline) {
        exchange.setDeadline(deadline, handler: self)
    }

    static let deadlineError = RPCError(.deadlineExceeded, "the call's deadline has passed")
    private static let finishedError = RPCError(.cancelled, "the call has ended")
}

extension ServerCall: NIOScheduledCallbackHandler {
    /// The deadline has passed: answer at once and stop the handler (rule T6).
    public func handleScheduledCallback(eventLoop: some EventLoop) {
        deadlinePassed = true
        finish(Self.deadlineError, context: nil)
        exchange.cancelHandler()
    }
}

extension ServerCall {
    /// Whether the deadline's timer has fired.
    var isPastDeadline: Bool {
        get async {
            guard exchange.eventLoop.inEventLoop else { return (try? await onEventLoop { self.deadlinePassed }) ?? false }
            return deadlinePassed
        }
    }

    /// Continues `body` on the event loop, whatever executor the caller is on.
    private func onEventLoop<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
        try await withTaskExecutorPreference(exchange.taskExecutor) { try await body() }
    }
}
