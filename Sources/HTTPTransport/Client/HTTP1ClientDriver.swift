import NIOCore

/// HTTP/1.1 on the client: one exchange at a time, the connection is kept alive between them.
///
/// `@unchecked Sendable`: every `var` is touched on the event loop of its channel only: SwiftNIO calls the handler
/// there, ``HTTPClientConnection`` and ``HTTPClientExchange`` hop there before each call, and its timers are that
/// loop's.
final class HTTP1ClientDriver: ChannelDuplexHandler, ClientDriver, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let eventLoop: any EventLoop
    private let configuration: HTTPClientConfiguration
    private let limits: HTTPLimits
    private let authority: String
    private let state: ClientConnectionState
    let deadlines: ExchangeDeadlines
    private var context: ChannelHandlerContext?
    private var endReason: String?
    private var waiting = CircularBuffer<HTTPClientExchange>()

    private var parser: HTTP1Parser
    private var unparsed = ByteBuffer()
    private var current: HTTPClientExchange?
    private var keepsAlive = true
    private var isHeadWritten = false
    private var framing = HTTP1Writer.Framing.none
    private var body = BodyQueue()
    private var isRequestSent = false
    private var isResponseDone = false
    private var isReadPaused = false
    private var isReadWanted = false
    private var isDraining = false
    private var timers: ClientTimers?
    private var clock: TickClock
    private var ticker: RepeatedTask?

    init(
        _ eventLoop: any EventLoop, _ configuration: HTTPClientConfiguration, authority: String,
        state: ClientConnectionState
    ) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        limits = configuration.limits
        self.authority = authority
        self.state = state
        deadlines = ExchangeDeadlines(eventLoop)
        parser = HTTP1Parser(.response, limits: configuration.limits)
        clock = TickClock(ClientTimers.interval(configuration), now: .now())
    }

    // MARK: Channel

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        guard let interval = ClientTimers.interval(configuration) else { return }
        let now = NIODeadline.now()
        timers = ClientTimers(configuration, now: now)
        clock.start(now: now.uptimeNanoseconds)
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in
            self?.tick()
        }
    }

    private func tick() {
        guard let now = clock.tick() else { return }
        // A place that was given out is about to be used.
        let active = max((current == nil ? 0 : 1) + waiting.count, state.leaseCount)
        guard case .drain(let idle) = timers?.check(now: now, activeCount: active) else { return }
        if idle { state.endedIdle.store(true, ordering: .relaxed) }
        drain()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if parser.endsAtClose, let current {
            isResponseDone = true
            current.didReceiveEnd(trailers: nil)
        }
        end("the server closed the connection", inBody: parser.isInBody)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end("the connection was closed", inBody: false)
        // It holds this driver in turn.
        self.context = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end("socket error: \(ErrorText.describe(error))", inBody: parser.isInBody)
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if unparsed.readableBytes == 0 { unparsed = bytes } else { unparsed.writeImmutableBuffer(bytes) }
        // An answer before its question belongs to none: servers say 408 to connections that they find idle.
        guard current != nil, isHeadWritten else {
            end("the server sent something unasked", inBody: false)
            return context.close(promise: nil)
        }
        parse()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { flushBody() }
        context.fireChannelWritabilityChanged()
    }

    func read(context: ChannelHandlerContext) {
        if isReadPaused { isReadWanted = true } else { context.read() }
    }

    // MARK: Responses

    private func parse() {
        do {
            while current != nil, !isResponseDone {
                var consumed = 0
                let event = try unparsed.withUnsafeReadableBytes { bytes throws(HTTP1Error) in
                    try parser.next(bytes, consumed: &consumed)
                }
                // Cut before the reader index moves: a buffer gives slices of its readable bytes only.
                var piece: ByteBuffer?
                if case .body(let range) = event {
                    piece = unparsed.getSlice(
                        at: unparsed.readerIndex + range.lowerBound, length: range.count)
                }
                unparsed.moveReaderIndex(forwardBy: consumed)
                guard let event else { break }
                handle(event, piece)
            }
        } catch {
            current?.fail(.protocolViolation(error.description))
            end(error.description, inBody: false)
            context?.close(promise: nil)
            return
        }
        if unparsed.readableBytes == 0 { unparsed = ByteBuffer() }
        settleReading()
    }

    private func handle(_ event: HTTP1Event, _ piece: ByteBuffer?) {
        guard let exchange = current else { return }
        switch event {
        case .head(let head):
            keepsAlive = head.keepsAlive
            if case .response(let response) = head.start { exchange.didReceiveHead(response) }
        case .body:
            guard let bytes = piece else { return }
            exchange.receivedByteCount += bytes.readableBytes
            if let limit = limits.bodyByteCount, exchange.receivedByteCount > limit {
                exchange.fail(.bodyTooLarge(limit: limit))
                return cancel(exchange)
            }
            exchange.didReceive(bytes)
        case .end:
            isResponseDone = true
            // Before the caller wakes and asks for a place.
            if keepsAlive, isRequestSent, unparsed.readableBytes == 0 { exchange.releaseLease() }
            exchange.didReceiveEnd(trailers: nil)
            nextIfDone()
        }
    }

    private func nextIfDone() {
        guard isResponseDone else { return }
        guard keepsAlive, unparsed.readableBytes == 0 else {
            end("the server ended the connection after its response", inBody: false)
            context?.close(promise: nil)
            return
        }
        // After an early answer the request is still sent to its end; only then can the next one follow.
        guard isRequestSent else { return }
        let finished = current
        current = nil
        isResponseDone = false
        isRequestSent = false
        isHeadWritten = false
        body.removeAll()
        parser.startNextMessage()
        finished?.releaseLease()
        startNext()
        if isDraining, current == nil { close() }
    }

    private func settleReading() {
        isReadPaused = (current?.inbox.unreadByteCount ?? 0) > limits.unreadBodyByteCount
        guard !isReadPaused, isReadWanted else { return }
        isReadWanted = false
        context?.read()
    }

    private func end(_ reason: String, inBody: Bool) {
        guard endReason == nil else { return }
        endReason = reason
        state.markClosed()
        ticker?.cancel()
        if let ended = current {
            current = nil
            let lost: HTTPStreamError = isHeadWritten ? .connectionClosed(reason: reason) : .notSent(reason: reason)
            if !isResponseDone { ended.fail(inBody ? .truncatedBody : lost) }
            ended.gate.open(lost)
            ended.releaseLease()
        }
        deadlines.removeAll()
        while let next = waiting.popFirst() { next.didNotStart(.notSent(reason: reason)) }
    }

    // MARK: ClientDriver

    func start(_ exchange: HTTPClientExchange) {
        if let endReason { return exchange.didNotStart(.notSent(reason: endReason)) }
        if isDraining { return exchange.didNotStart(.refused) }
        waiting.append(exchange)
        startNext()
    }

    private func startNext() {
        while current == nil, let next = waiting.popFirst() {
            parser.answersHEAD = next.head.method == .head
            current = next
            next.didStart()
        }
    }

    func wake(_ receiver: any HTTPResponseReceiver) { receiver.wake() }

    func send(_ bytes: ByteBuffer, _ exchange: HTTPClientExchange) {
        guard exchange === current else { return }
        body.append(bytes)
        flushBody()
    }

    func queue(_ bytes: ByteBuffer, _ exchange: HTTPClientExchange) {
        guard exchange === current else { return }
        body.append(bytes)
    }

    func finish(_ exchange: HTTPClientExchange) {
        guard exchange === current, let context else { return }
        isRequestSent = true
        var output = ByteBuffer()
        writeHead(isLast: true, into: &output)
        writeBody(into: &output)
        if framing == .chunked { output.writeStaticString(HTTP1Writer.lastChunk) }
        context.writeAndFlush(wrapOutboundOut(output), promise: nil)
        nextIfDone()
    }

    private func flushBody() {
        guard current != nil, let context, context.channel.isWritable, !body.isEmpty else {
            return openGate()
        }
        var output = ByteBuffer()
        writeHead(isLast: false, into: &output)
        writeBody(into: &output)
        context.writeAndFlush(wrapOutboundOut(output), promise: nil)
        openGate()
    }

    private func openGate() {
        if let current, !isCongested(current) { current.gate.open() }
    }

    /// Content-Length when the caller has set it or the body is complete, else chunked.
    private func writeHead(isLast: Bool, into output: inout ByteBuffer) {
        guard !isHeadWritten, let head = current?.head else { return }
        isHeadWritten = true
        if let declared = head.fields.first(.contentLength).flatMap(Int.init), declared >= 0 {
            framing = .contentLength(declared)
        } else if !isLast {
            framing = .chunked
        } else if body.isEmpty, [.get, .head, .delete, .options].contains(head.method) {
            framing = .none
        } else {
            framing = .contentLength(body.byteCount)
        }
        HTTP1Writer.writeRequest(head, authority: authority, framing: framing, into: &output)
    }

    private func writeBody(into output: inout ByteBuffer) {
        while let piece = body.popFirst() {
            if framing == .chunked { HTTP1Writer.writeChunkHead(piece.readableBytes, into: &output) }
            output.writeImmutableBuffer(piece)
            if framing == .chunked { output.writeStaticString("\r\n") }
        }
    }

    func isCongested(_ exchange: HTTPClientExchange) -> Bool {
        exchange === current
            && (body.byteCount > limits.unsentBodyByteCount || context?.channel.isWritable == false)
    }

    func consumed(_ count: Int, _ exchange: HTTPClientExchange) {
        if exchange === current { settleReading() }
    }

    func cancel(_ exchange: HTTPClientExchange) {
        guard exchange === current else { return cancelWaiting(exchange) }
        end("a request was cancelled", inBody: false)
        context?.close(promise: nil)
    }

    private func cancelWaiting(_ exchange: HTTPClientExchange) {
        guard let index = waiting.firstIndex(where: { $0 === exchange }) else { return }
        waiting.remove(at: index).didNotStart(.cancelled)
    }

    func drain() {
        guard endReason == nil, !isDraining else { return }
        isDraining = true
        state.markClosed()
        if current == nil, waiting.isEmpty { close() }
    }

    func whenReady(_ promise: EventLoopPromise<Void>) {
        if let endReason {
            promise.fail(HTTPStreamError.connectionClosed(reason: endReason))
        } else {
            promise.succeed()
        }
    }

    func close() {
        end("closed on this side", inBody: false)
        context?.close(promise: nil)
    }
}
