import FrameCodec
import HTTPTransport
import NIOCore
import Synchronization

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
    @usableFromInline
    let method: MethodDescriptor
    private let served: ServedMethod
    private let answerForm: WireForm
    private let configuration: RPCServerConfiguration.Shared
    private let isTextRequest: Bool
    /// Made when a message is read that is not the whole body.
    private lazy var inbound = InboundMessages(
        isText: isTextRequest, maximumMessageByteCount: configuration.values.maximumRequestMessageByteCount
    )
    let deadline: NIODeadline?
    private let answerMetadata = Mutex(AnswerMetadata())
    private var textEncoder = Base64StreamEncoder()
    private var phase = Phase.headNotSent
    private var deadlinePassed = false
    private var traffic = CallTraffic()

    init(
        exchange: HTTPExchange,
        method: ServedMethod,
        requestForm: WireForm,
        deadline: NIODeadline?,
        configuration: RPCServerConfiguration.Shared
    ) {
        self.exchange = exchange
        self.method = method.descriptor
        self.served = method
        self.answerForm = requestForm.answering(exchange.fields)
        self.configuration = configuration
        self.isTextRequest = requestForm.isText
        self.deadline = deadline
        method.counters.didStart(shard: exchange.eventLoopIndex)
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
            if let message = try inbound.next() {
                traffic.didReceive(message.readableBytes)
                return message
            }
            guard try await fill() else { return nil }
        }
    }

    /// Decodes the next request message; nil at the end of the request.
    ///
    /// - Throws: as ``nextMessage()``, and INTERNAL when the bytes are not such a message (rule P13).
    @inlinable
    public func receive<M: Message>(_ type: M.Type) async throws -> M? {
        guard let bytes = try await nextMessage() else { return nil }
        return try decode(bytes)
    }

    /// Decodes the only message of a request.
    ///
    /// - Throws: as ``receive(_:)``, and UNIMPLEMENTED when the request holds none or more than one (rule P11).
    @inlinable
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

    /// The fast way for the only message of a request: its body has arrived whole and is one plain frame.
    ///
    /// - Returns: nil when it is not so; then ``receiveOnly(_:)`` finds out what it is.
    @inlinable
    func receiveWhole<M: Message>(_ type: M.Type) throws -> M? {
        guard let bytes = try wholeMessage() else { return nil }
        return try decode(bytes)
    }

    @usableFromInline
    func wholeMessage() throws -> ByteBuffer? {
        guard !isTextRequest, let body = exchange.takeCompleteBody() else { return nil }
        let limit = configuration.values.maximumRequestMessageByteCount
        let range = body.withUnsafeReadableBytes {
            InboundMessages.onlyMessage(in: $0, maximumMessageByteCount: limit)
        }
        if let range {
            traffic.didReceive(range.count)
            return body.getSlice(at: body.readerIndex + range.lowerBound, length: range.count)
        }
        try inbound.append(body)
        return nil
    }

    // Inlinable, and so the frame's own generic functions: the code is then made for the very message type.
    @inlinable
    func decode<M: Message>(_ bytes: ByteBuffer) throws -> M {
        do {
            return try bytes.withUnsafeReadableBytes { try M(serializedBytes: $0) }
        } catch {
            throw undecodable(error)
        }
    }

    @usableFromInline
    func undecodable(_ error: any Error) -> RPCError {
        RPCError(.internalError, "request message of \(method.path) is not valid protobuf: \(error)")
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
    @inlinable
    public func send<M: Message>(_ message: M) async throws {
        try await send(frame: try frame(message))
    }

    /// Sends the only message of an answer without suspending: nothing comes after it that could pile up.
    ///
    /// - Returns: false, and nothing was sent, off the event loop.
    @inlinable
    func sendNow<M: Message>(_ message: M) throws -> Bool {
        try enqueue(frame: try frame(message))
    }

    @usableFromInline
    func enqueue(frame: ByteBuffer) throws -> Bool {
        guard exchange.eventLoop.inEventLoop else { return false }
        try startStreaming()
        traffic.didSend(frame.readableBytes &- FrameHeader.byteCount)
        exchange.enqueue(encodeForWire(frame))
        return true
    }

    @inlinable
    func frame<M: Message>(_ message: M) throws -> ByteBuffer {
        let byteCount = message.encodedByteCount
        var frame = try emptyFrame(payloadByteCount: byteCount)
        frame.writeWithUnsafeMutableBytes(minimumWritableBytes: byteCount) { memory in
            message.encode(into: UnsafeMutableRawBufferPointer(rebasing: memory.prefix(byteCount)))
            return byteCount
        }
        return frame
    }

    /// A frame's five bytes, and room for its payload.
    @usableFromInline
    func emptyFrame(payloadByteCount: Int) throws -> ByteBuffer {
        try checkSize(payloadByteCount)
        var frame = ByteBufferAllocator().buffer(capacity: FrameHeader.byteCount + payloadByteCount)
        frame.writeWithUnsafeMutableBytes(minimumWritableBytes: FrameHeader.byteCount) { memory in
            FrameHeader(flags: [], payloadByteCount: UInt32(truncatingIfNeeded: payloadByteCount)).write(into: memory)
            return FrameHeader.byteCount
        }
        return frame
    }

    /// Sends one message given as its bytes; as ``send(_:)``.
    public func send(bytes: ByteBuffer) async throws {
        var frame = try emptyFrame(payloadByteCount: bytes.readableBytes)
        frame.writeImmutableBuffer(bytes)
        try await send(frame: frame)
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

    @usableFromInline
    func send(frame: ByteBuffer) async throws {
        guard exchange.eventLoop.inEventLoop else {
            return try await onEventLoop { try await self.send(frame: frame) }
        }
        try startStreaming()
        traffic.didSend(frame.readableBytes &- FrameHeader.byteCount)
        do {
            try await exchange.send(encodeForWire(frame))
        } catch {
            throw deadlinePassed ? Self.deadlineError : RPCError(streamError: error)
        }
    }

    private func startStreaming() throws {
        if phase == .headNotSent {
            sendHead(metadata: answer { $0.headers })
            phase = .streaming
        }
        guard phase == .streaming else { throw deadlinePassed ? Self.deadlineError : Self.finishedError }
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
    func finish(_ error: RPCError?) {
        guard exchange.eventLoop.inEventLoop else { return exchange.eventLoop.execute { self.finish(error) } }
        guard phase != .finished else { return }
        let added = answer { $0 }
        let trailers = StatusFields.fields(error, trailing: added.trailers)
        if phase == .streaming {
            finishStream(trailers)
        } else if !added.headers.isEmpty {
            sendHead(metadata: added.headers)
            finishStream(trailers)
        } else {
            finishTrailersOnly(trailers)
        }
        phase = .finished
        didEnd(error)
    }

    private func didEnd(_ error: RPCError?) {
        let now = NIODeadline.now()
        traffic.duration = now > exchange.receivedAt ? now - exchange.receivedAt : .zero
        served.counters.didFinish(shard: exchange.eventLoopIndex, code: error?.code ?? .ok, traffic)
        if let observer = configuration.values.observer {
            observer.callDidEnd(EndedCall(exchange: exchange, method: served, error: error, traffic: traffic, notes: answer { $0.notes }))
        }
    }

    /// Status in the response head and no body (rules S9, W7): only when nothing was sent and no header was set.
    private func finishTrailersOnly(_ trailers: HTTPFields) {
        var fields = answerForm.responseFields
        trailers.forEach { name, value in fields.append(name: name, value: value) }
        configuration.values.crossOrigin.permitReading(&fields, by: exchange.fields)
        exchange.sendHead(HTTPResponseHead(status: 200, fields: fields))
        exchange.finish(trailers: nil)
    }

    private func finishStream(_ trailers: HTTPFields) {
        guard answerForm.isWeb else { return exchange.finish(trailers: trailers) }
        // gRPC-Web never uses HTTP trailers (rule W5): the status is the body's last frame (rule W4).
        exchange.sendLast(encodeForWire(StatusFields.trailerFrame(trailers)))
    }

    private func sendHead(metadata: Metadata) {
        var fields = answerForm.responseFields
        metadata.fields.forEach { name, value in fields.append(name: name, value: value) }
        configuration.values.crossOrigin.permitReading(&fields, by: exchange.fields)
        exchange.sendHead(HTTPResponseHead(status: 200, fields: fields))
    }


    // MARK: Deadline

    /// On the event loop, before the handler runs.
    func startDeadline() {
        if let deadline { exchange.setDeadline(deadline, handler: self) }
    }

    static let deadlineError = RPCError(.deadlineExceeded, "the call's deadline has passed")
    private static let finishedError = RPCError(.cancelled, "the call has ended")
}

extension ServerCall: CallState {
    var metadata: Metadata { Metadata(fields: exchange.fields) }
    var remoteAddress: SocketAddress? { exchange.remoteAddress }
    var isObserved: Bool { configuration.values.observer != nil }

    func answer<R>(_ body: (inout AnswerMetadata) -> R) -> R {
        answerMetadata.withLock { body(&$0) }
    }
}

extension ServerCall: NIOScheduledCallbackHandler {
    /// The deadline has passed: answer at once and stop the handler (rule T6).
    public func handleScheduledCallback(eventLoop: some EventLoop) {
        deadlinePassed = true
        finish(Self.deadlineError)
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
    ///
    /// `body` is `@concurrent`, or it would begin on the caller's executor, and so ask for the event loop again for ever.
    private func onEventLoop<R: Sendable>(_ body: @escaping @concurrent @Sendable () async throws -> R) async throws -> R {
        try await withTaskExecutorPreference(exchange.taskExecutor, operation: body)
    }
}
