import FrameCodec
import HTTPTransport
import NIOCore
import ServiceContextModule
import Synchronization

/// One call on the server: messages in, messages out, then a status. Unary is the case of one message each way.
///
/// ```
///  head not sent --send--> streaming --finish--> finished
///       |  ^                                        ^
///       |  +-- send (the answer is one HTTP body: the message waits for finish)
///       +--------- finish (trailers-only) ----------+
/// ```
///
/// The same for every wire protocol; what differs is in `InboundMessages` and in `ServerCall+Ending.swift`.
/// Safe to use from any task; one reader and one writer at a time.
//
// @unchecked Sendable: every `var` here is touched only on `exchange.eventLoop`: every method that uses one checks
// `inEventLoop` first and hops there otherwise.
public final class ServerCall: HTTPExchangeTask, @unchecked Sendable {
    enum Phase { case headNotSent, streaming, finished }

    enum Interruption {
        case deadline, fullDuplex

        var error: RPCError {
            switch self {
            case .deadline: ServerCall.deadlineError
            case .fullDuplex:
                RPCError(
                    .unimplemented,
                    "full duplex needs HTTP/2; over HTTP/1.1 end the request before you wait for the answer"
                )
            }
        }
    }

    private let terms: CallTerms
    let deadline: NIODeadline?
    @usableFromInline
    let usesJSON: Bool
    /// Made when a message is read that is not the whole body; elsewhere, so that calls without are small.
    private lazy var inboundBox = InboundBox(
        InboundMessages(requestForm.wireProtocol, algorithm: encodings.request, configuration: configuration.values)
    )
    var inbound: InboundMessages {
        _read { yield inboundBox.messages }
        _modify { yield &inboundBox.messages }
    }
    /// Replaced and never changed in place: else every look at it would be checked for exclusive access at run time.
    var encodings: CallEncodings
    private let answerMetadata = Mutex(AnswerMetadata())
    /// Whether there may be something behind that lock: most calls never take it.
    private let mayHaveAnswerMetadata = Atomic(false)
    private let keepsAnswer = Atomic(false)
    private let keptAnswer = Mutex<(any Message)?>(nil)
    var textEncoder = Base64StreamEncoder()
    /// The frame of an answer that is sent when the call has ended.
    var heldFrame: ByteBuffer?
    var phase = Phase.headNotSent
    var traffic = CallTraffic()
    /// Set when the call has been ended from outside the handler.
    private(set) var interruption: Interruption?
    /// What `run` has to do.
    var rest: Rest?

    private final class InboundBox {
        var messages: InboundMessages
        init(_ messages: InboundMessages) { self.messages = messages }
    }

    struct Rest {
        let serviceContext: ServiceContext
        let caller: (any AnyObject & Sendable)?
        /// Interceptors that have let the call through at once.
        let passed: Int
    }

    init(_ exchange: HTTPExchange, _ terms: CallTerms) {
        self.terms = terms
        encodings = terms.encodings
        deadline = terms.timeout.map { exchange.receivedAt + .nanoseconds($0) }
        usesJSON = terms.form.codec == .json
        terms.method.counters.didStart(shard: exchange.eventLoopIndex)
        super.init(exchange)
    }

    var served: ServedMethod { terms.method }
    var answerForm: WireForm { terms.answerForm }
    private var requestForm: WireForm { terms.form }
    @usableFromInline
    var method: MethodDescriptor { served.descriptor }
    var configuration: RPCServerConfiguration.Shared { served.configuration }

    /// Keeps the answer of a unary method for ``answer``: for interceptors that look at it after the handler.
    public func keepAnswer() { keepsAnswer.store(true, ordering: .relaxed) }

    /// What the handler of a unary method has answered; nil unless ``keepAnswer()`` was called before it ran.
    public var answer: (any Message)? { keptAnswer.withLock { $0 } }

    @usableFromInline
    package var isAnswerKept: Bool { keepsAnswer.load(ordering: .relaxed) }

    @usableFromInline
    package func keep(_ message: any Message) { keptAnswer.withLock { $0 = message } }

    /// Whether the body of a text request is not base64.
    var isRequestTextBroken: Bool { requestForm.isText && inbound.isTextBroken }

    /// How the messages are written. A handler of raw bytes reads and writes in this codec.
    public var codec: MessageCodec { requestForm.codec }

    // MARK: Messages in

    /// The bytes of the next request message; nil at the end of the request.
    ///
    /// - Throws: ``RPCError``: RESOURCE_EXHAUSTED over the size limit, INTERNAL for a broken frame, CANCELLED when
    ///   the client has gone, DEADLINE_EXCEEDED.
    public func nextMessage() async throws -> ByteBuffer? {
        guard exchange.eventLoop.inEventLoop else { return try await onEventLoop { try await self.nextMessage() } }
        while true {
            if let interruption { throw interruption.error }
            if let message = try nextInbound() {
                traffic.didReceive(message.readableBytes)
                return message
            }
            if inbound.hasEnded { return nil }
            try await fill()
        }
    }

    private func nextInbound() throws -> ByteBuffer? {
        let message = Result { try inbound.next() }
        let growth = inbound.takeGrowth()
        if growth > 0, let limit = exchange.didInflate(growth) {
            throw RPCError(
                .resourceExhausted,
                "messages of this connection grow too much when inflated: HTTPLimits.inflatedBytesPerSecond (\(limit))"
            )
        }
        return try message.get()
    }

    /// Decodes the next request message; nil at the end of the request.
    ///
    /// - Throws: as ``nextMessage()``, and INTERNAL (Connect and JSON: INVALID_ARGUMENT) when the bytes are not such a
    ///   message (rule P13).
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
    package func receiveWhole<M: Message>(_ type: M.Type) throws -> M? {
        var message: M?
        try withWholeMessage { message = try decode($0) }
        return message
    }

    @usableFromInline
    func withWholeMessage(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        guard requestForm.wireProtocol == .grpc || requestForm.wireProtocol == .web else { return }
        let limit = configuration.values.maximumRequestMessageByteCount
        try exchange.withCompleteBody { bytes in
            guard let range = InboundMessages.onlyMessage(in: bytes, maximumMessageByteCount: limit) else {
                return false
            }
            traffic.didReceive(range.count)
            try body(UnsafeRawBufferPointer(rebasing: bytes[range]))
            return true
        }
    }

    @inlinable
    func decode<M: Message>(_ bytes: ByteBuffer) throws -> M {
        try bytes.withUnsafeReadableBytes { try decode($0) }
    }

    // Inlinable, and so the frame's own generic functions: the code is then made for the very message type.
    @inlinable
    func decode<M: Message>(_ bytes: UnsafeRawBufferPointer) throws -> M {
        if usesJSON { return try decodeJSON(bytes) }
        do {
            return try M(serializedBytes: bytes)
        } catch {
            throw undecodable(error)
        }
    }

    @usableFromInline
    func decodeJSON<M: Message>(_ bytes: UnsafeRawBufferPointer) throws -> M {
        // Unknown members are skipped, as unknown fields are in the binary format: clients may be newer.
        let options = JSONDecodingOptions(ignoresUnknownFields: true, types: configuration.values.jsonTypes)
        do {
            return try M(jsonBytes: bytes, options: options)
        } catch {
            throw RPCError(.invalidArgument, "request message of \(method.path) is not valid JSON for it: \(error)")
        }
    }

    @usableFromInline
    func undecodable(_ error: any Error) -> RPCError {
        RPCError(
            requestForm.wireProtocol.badInputCode, "request message of \(method.path) is not valid protobuf: \(error)"
        )
    }

    /// Waits for more body.
    ///
    /// - Parameter show: gets the bytes as they travelled.
    func fill(_ show: (ByteBuffer) -> Void = { _ in }) async throws {
        do {
            guard let chunk = try await exchange.readBody() else { return try inbound.finish() }
            show(chunk)
            try inbound.append(chunk)
        } catch let error as HTTPStreamError {
            if let interruption { throw interruption.error }
            var failure = RPCError(streamError: error)
            // Broken chunks and a body that was cut are what rule P13 calls bad input.
            if failure.code == .internalError { failure.code = requestForm.wireProtocol.badInputCode }
            throw failure
        }
    }

    // MARK: Half duplex

    /// A bidirectional call over HTTP/1.1, where an answer cannot overtake its request (rule O5).
    var isHalfDuplex: Bool { exchange.version != .http2 && method.kind == .bidirectionalStreaming }

    /// Reads the request to its end before the handler runs, so that the handler may read and answer in any order.
    ///
    /// A client that waits for an answer before it ends its request gets UNIMPLEMENTED after the grace time.
    func collectRequest() async throws {
        guard exchange.eventLoop.inEventLoop else { return try await onEventLoop { try await self.collectRequest() } }
        let limit = configuration.values.maximumHalfDuplexByteCount
        while !inbound.hasEnded {
            let timer = exchange.eventLoop.scheduleTask(in: configuration.halfDuplexGrace) {
                self.interrupt(.fullDuplex)
            }
            defer { timer.cancel() }
            try await fill()
            guard inbound.unreadByteCount <= limit else {
                throw RPCError(
                    .resourceExhausted,
                    "a bidirectional request over HTTP/1.1 exceeds maximumHalfDuplexByteCount (\(limit)); use HTTP/2"
                )
            }
        }
    }

    // MARK: Interruption

    /// Answers at once and stops the handler. On the event loop.
    private func interrupt(_ reason: Interruption) {
        guard phase != .finished else { return }
        interruption = reason
        // Nothing comes after this, and behind a shut window not even this may leave.
        exchange.resetWhenStalled()
        finish(reason.error)
        exchange.cancelHandler()
    }

    static let deadlineError = RPCError(.deadlineExceeded, "the call's deadline has passed")

    /// What a sender gets when the call is over.
    var endedError: RPCError { interruption?.error ?? RPCError(.cancelled, "the call has ended") }

    /// Why the handler was stopped from outside, if it was.
    var interruptingError: RPCError? {
        get async {
            guard exchange.eventLoop.inEventLoop else { return try? await onEventLoop { self.interruption?.error } }
            return interruption?.error
        }
    }

    /// Continues `body` on the event loop, whatever executor the caller is on.
    ///
    /// `body` is `@concurrent`, or it would begin on the caller's executor, and so ask for the event loop again for
    /// ever.
    func onEventLoop<R: Sendable>(_ body: @escaping @concurrent @Sendable () async throws -> R) async throws -> R {
        try await withTaskExecutorPreference(exchange.taskExecutor, operation: body)
    }

    // MARK: The transport's part

    /// Runs the handler.
    public override func run() async {
        guard let rest = rest.take() else { return }
        let context = CallContext(self, rest.serviceContext, caller: rest.caller)
        do {
            try await served.chain[rest.passed].handler(self, context)
            terms.server.didReturn(self, context, rest.passed)
            finish(nil)
        } catch {
            let error = terms.server.didThrow(error, self, context, rest.passed)
            let interruption = error is CancellationError ? await interruptingError : nil
            finish(terms.server.status(of: error, in: self, interruptedBy: interruption))
        }
    }

    public override func startTimers() {
        if let deadline { exchange.setDeadline(deadline, handler: self) }
    }
}

extension ServerCall: NIOScheduledCallbackHandler {
    /// The deadline has passed: answer at once and stop the handler (rule T6).
    public func handleScheduledCallback(eventLoop: some EventLoop) {
        interrupt(.deadline)
    }
}

extension ServerCall: CallState {
    var metadata: Metadata { Metadata(fields: exchange.fields) }
    var remoteAddress: SocketAddress? { exchange.remoteAddress }
    var isObserved: Bool { configuration.isObserved }
    var isMessageCompressed: Bool {
        get async {
            guard exchange.eventLoop.inEventLoop else {
                return (try? await onEventLoop { self.inbound.wasCompressed }) ?? false
            }
            return inbound.wasCompressed
        }
    }
    var peerIdentity: TLSPeerIdentity? { exchange.peerIdentity }

    func answer<R>(_ body: (inout AnswerMetadata) -> R) -> R {
        mayHaveAnswerMetadata.store(true, ordering: .releasing)
        return answerMetadata.withLock { body(&$0) }
    }

    /// What has been added to the answer so far; nil for nothing.
    var addedMetadata: (headers: Metadata, trailers: Metadata)? {
        guard mayHaveAnswerMetadata.load(ordering: .acquiring) else { return nil }
        return answerMetadata.withLock { ($0.headers, $0.trailers) }
    }

    func compressResponses(_ isOn: Bool) {
        guard exchange.eventLoop.inEventLoop else {
            return exchange.eventLoop.execute { self.compressResponses(isOn) }
        }
        let policy = configuration.values.compression
        if !isOn {
            encodings.response = nil
        } else if let announced = encodings.announced {
            encodings.response = announced
        } else if phase == .headNotSent, policy.responses != .never, encodings.response == nil {
            var chosen = encodings
            chosen.chooseResponse(exchange.fields, answerForm.wireProtocol, method, policy)
            encodings = chosen
        }
    }
}
