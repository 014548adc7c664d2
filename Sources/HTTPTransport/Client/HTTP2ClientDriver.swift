import NIOCore

/// HTTP/2 on the client: one engine, any number of exchanges.
///
/// `@unchecked Sendable`: every `var` is touched on the event loop of its channel only: SwiftNIO calls the handler
/// there, ``HTTPClientConnection`` and ``HTTPClientExchange`` hop there before each call, and its timers are that
/// loop's.
final class HTTP2ClientDriver: ChannelInboundHandler, ClientDriver, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let eventLoop: any EventLoop
    private let engine: HTTP2Engine
    private let configuration: HTTPClientConfiguration
    private let authority: [UInt8]
    private let state: ClientConnectionState
    let deadlines: ExchangeDeadlines
    private var context: ChannelHandlerContext?
    private var isInRead = false
    private var isFlushScheduled = false
    private var endReason: String?
    private var stall = StallWatch()
    private var ticker: RepeatedTask?
    private var timers: ClientTimers
    private var clock: TickClock
    private var activeCount = 0
    private var isDraining = false
    private var readyPromises: [EventLoopPromise<Void>] = []
    private var isHandlingInput = false
    /// Whose answers are complete; woken when the input is handled.
    private var waking: [any HTTPResponseReceiver] = []

    init(
        _ eventLoop: any EventLoop, _ configuration: HTTPClientConfiguration, authority: String,
        state: ClientConnectionState, isTLS: Bool = false
    ) throws(HTTPConnectionError) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.authority = Array(authority.utf8)
        self.state = state
        deadlines = ExchangeDeadlines(eventLoop)
        let now = NIODeadline.now()
        timers = ClientTimers(configuration, now: now)
        clock = TickClock(ClientTimers.interval(configuration), now: now)
        engine = try HTTP2Engine(role: .client, limits: configuration.limits, schemes: isTLS ? .https : .http)
    }

    // MARK: Channel

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        clock.start(now: NIODeadline.now().uptimeNanoseconds)
        if let interval = ClientTimers.interval(configuration) {
            ticker = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { [weak self] _ in
                self?.tick()
            }
        }
        flush()
    }

    func channelInactive(context: ChannelHandlerContext) { end("the server closed the connection") }

    func handlerRemoved(context: ChannelHandlerContext) {
        end("the connection was closed")
        // It holds this driver in turn.
        self.context = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end("socket error: \(ErrorText.describe(error))")
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isInRead = true
        var input = unwrapInboundIn(data)
        let now = NIODeadline.now().uptimeNanoseconds
        timers.didRead(now: .uptimeNanoseconds(clock.time(now)))
        isHandlingInput = true
        defer { wakeAll() }
        while input.readableBytes > 0, endReason == nil {
            let count = min(input.readableBytes, HTTP2Engine.sliceByteCount)
            let goesOn = input.withUnsafeReadableBytes { readable in
                engine.feed(UnsafeRawBufferPointer(rebasing: readable[..<count]), now: now)
            }
            handleEvents(input)
            input.moveReaderIndex(forwardBy: count)
            guard goesOn else { break }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isInRead = false
        flush()
    }

    private func wakeAll() {
        isHandlingInput = false
        guard !waking.isEmpty else { return }
        for receiver in waking { receiver.wake() }
        waking.removeAll(keepingCapacity: true)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { flush() }
        context.fireChannelWritabilityChanged()
    }

    private func tick() {
        guard let now = clock.tick() else { return }
        // A place that was given out is about to be used.
        switch timers.check(now: now, activeCount: max(activeCount, state.leaseCount)) {
        case .none: break
        case .ping:
            engine.submitPing()
            setNeedsFlush()
        case .drain(let idle):
            if idle { state.endedIdle.store(true, ordering: .relaxed) }
            drain()
        case .close(let reason): abort(reason)
        }
        guard endReason == nil,
            stall.isStalled(
                bufferedByteCount: engine.unsentByteCount, progress: engine.sentDataByteCount,
                period: configuration.writeStall, bytesPerSecond: 0, now: now.uptimeNanoseconds)
        else { return }
        abort("the server takes nothing: HTTPClientConfiguration.writeStall passed")
    }

    private func abort(_ reason: String) {
        end(reason)
        context?.close(promise: nil)
    }

    // MARK: Events

    private func handleEvents(_ input: ByteBuffer) {
        let events = engine.takeEvents()
        guard !events.isEmpty else { return }
        for event in events {
            switch event {
            case .head(let stream): stream._withUnsafeGuaranteedRef { didReceiveHead($0) }
            case .data(let stream, let offset, let count):
                stream._withUnsafeGuaranteedRef { didReceiveData($0, input, offset, count) }
            case .end(let stream): stream._withUnsafeGuaranteedRef { didReceiveEnd($0) }
            case .closed(let stream, let code): stream._withUnsafeGuaranteedRef { didClose($0, code) }
            case .drained(let stream): stream._withUnsafeGuaranteedRef { openGate($0) }
            case .goAway(_, let code):
                if code == .enhanceYourCalm { state.wasToldToCalmDown.store(true, ordering: .relaxed) }
                state.markClosed()
            case .settings: didReceiveSettings()
            case .noticeAcknowledged: break
            }
        }
        engine.returnEvents(events)
    }

    private func didReceiveSettings() {
        state.setCapacity(min(engine.peerConcurrentStreams, configuration.concurrentStreams))
        for promise in readyPromises { promise.succeed() }
        readyPromises.removeAll()
    }

    private func openGate(_ stream: HTTP2Stream) {
        guard stream.outbound.byteCount <= configuration.limits.unsentBodyByteCount / 2 else { return }
        stream.wantsDrainEvents = false
        withExchange(of: stream) { $0.gate.open() }
    }

    private func exchange(of stream: HTTP2Stream) -> HTTPClientExchange? {
        // Only exchanges are ever attached by this driver.
        stream.owner.map { unsafeDowncast($0, to: HTTPClientExchange.self) }
    }

    /// As ``exchange(of:)``, without counting references: the stream holds the exchange, and `body` must not change
    /// that.
    @discardableResult
    @inline(__always)
    private func withExchange<R>(of stream: HTTP2Stream, _ body: (HTTPClientExchange) -> R) -> R? {
        guard let owner = stream.uncountedOwner else { return nil }
        return owner._withUnsafeGuaranteedRef { body(unsafeDowncast($0, to: HTTPClientExchange.self)) }
    }

    private func didReceiveHead(_ stream: HTTP2Stream) {
        guard let head = stream.responseHead.take() else { return }
        withExchange(of: stream) { $0.didReceiveHead(head) }
    }

    /// - Parameter offset: of the bytes, from where `input` is read.
    private func didReceiveData(_ stream: HTTP2Stream, _ input: ByteBuffer, _ offset: Int, _ count: Int) {
        let isTaken = withExchange(of: stream) { exchange in
            guard !exchange.inbox.isOver, let bytes = input.getSlice(at: input.readerIndex + offset, length: count)
            else { return false }
            exchange.receivedByteCount += count
            if let limit = configuration.limits.bodyByteCount, exchange.receivedByteCount > limit {
                exchange.fail(.bodyTooLarge(limit: limit))
                engine.reset(stream, .cancel)
                return false
            }
            exchange.didReceive(bytes)
            return true
        }
        if isTaken != true { engine.consume(count, on: stream) }
    }

    private func didReceiveEnd(_ stream: HTTP2Stream) {
        let trailers = stream.trailers.take()
        withExchange(of: stream) { $0.didReceiveEnd(trailers: trailers) }
    }

    private func didClose(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        if let exchange = exchange(of: stream) {
            stream.detachOwner()
            exchange.stream = nil
            if !exchange.isReceivingDone { exchange.fail(error(for: stream, code)) }
            exchange.gate.open()
            didEnd(exchange)
        }
    }

    private func didEnd(_ exchange: HTTPClientExchange) {
        activeCount -= 1
        exchange.releaseLease()
        if isDraining, activeCount == 0, endReason == nil { eventLoop.execute { self.close() } }
    }

    private func error(for stream: HTTP2Stream, _ code: HTTP2ErrorCode) -> HTTPStreamError {
        if stream.wasNeverSent || code == .refusedStream { return .refused }
        if stream.rejection == .enhanceYourCalm {
            return .protocolViolation(
                "header block over HTTPLimits.headerListByteCount"
                    + " = \(configuration.limits.headerListByteCount)"
            )
        }
        return .reset(code)
    }

    // MARK: ClientDriver

    func start(_ exchange: HTTPClientExchange) {
        if let endReason { return exchange.didNotStart(.notSent(reason: endReason)) }
        guard !isDraining, !engine.isGoingAway,
            let stream = engine.request(exchange.head, authority: authority, endsStream: false)
        else {
            return exchange.didNotStart(.refused)
        }
        exchange.stream = stream
        stream.attach(exchange)
        activeCount += 1
        setNeedsFlush()
        exchange.didStart()
    }

    func wake(_ receiver: any HTTPResponseReceiver) {
        if isHandlingInput { waking.append(receiver) } else { receiver.wake() }
    }

    func send(_ bytes: ByteBuffer, _ exchange: HTTPClientExchange) {
        guard let stream = exchange.stream else { return }
        engine.send(bytes, on: stream)
        setNeedsFlush()
    }

    func queue(_ bytes: ByteBuffer, _ exchange: HTTPClientExchange) { send(bytes, exchange) }

    func finish(_ exchange: HTTPClientExchange) {
        guard let stream = exchange.stream else { return }
        engine.end(stream, trailers: nil)
        setNeedsFlush()
    }

    func isCongested(_ exchange: HTTPClientExchange) -> Bool {
        guard let stream = exchange.stream,
            stream.outbound.byteCount > configuration.limits.unsentBodyByteCount
        else {
            return false
        }
        stream.wantsDrainEvents = true
        return true
    }

    func consumed(_ count: Int, _ exchange: HTTPClientExchange) {
        guard endReason == nil, count > 0 else { return }
        engine.consume(count, on: exchange.stream)
        setNeedsFlush()
    }

    func cancel(_ exchange: HTTPClientExchange) {
        guard let stream = exchange.stream else { return }
        engine.reset(stream, .cancel)
        setNeedsFlush()
    }

    func drain() {
        guard endReason == nil, !isDraining else { return }
        isDraining = true
        state.markClosed()
        if activeCount == 0 { close() }
    }

    func whenReady(_ promise: EventLoopPromise<Void>) {
        if let endReason { return promise.fail(HTTPStreamError.connectionClosed(reason: endReason)) }
        if engine.receivedSettings { return promise.succeed() }
        readyPromises.append(promise)
    }

    func close() {
        guard endReason == nil else { return }
        engine.terminate(.noError, reason: "closed on this side")
        flush()
        end("closed on this side")
        context?.close(promise: nil)
    }

    // MARK: Output

    private func setNeedsFlush() {
        guard !isInRead, !isFlushScheduled else { return }
        isFlushScheduled = true
        eventLoop.execute {
            self.isFlushScheduled = false
            self.flush()
        }
    }

    private func flush() {
        guard let context, endReason == nil else { return }
        while context.channel.isWritable {
            var output = ByteBuffer()
            let hasMore = engine.drain(
                into: &output, upTo: 64 * 1024, now: NIODeadline.now().uptimeNanoseconds)
            handleEvents(output)
            guard output.readableBytes > 0 else { break }
            context.writeAndFlush(wrapOutboundOut(output), promise: nil)
            guard hasMore else { break }
        }
        guard !engine.isAlive else { return }
        let reason = engine.failure ?? "the server ended the connection (GOAWAY)"
        end(reason)
        context.close(promise: nil)
    }

    private func end(_ reason: String) {
        guard endReason == nil else { return }
        endReason = reason
        state.markClosed()
        ticker?.cancel()
        for promise in readyPromises { promise.fail(HTTPStreamError.connectionClosed(reason: reason)) }
        readyPromises.removeAll()
        handleEvents(ByteBuffer())
        for stream in engine.openStreams {
            guard let exchange = exchange(of: stream) else { continue }
            stream.detachOwner()
            exchange.stream = nil
            // What never left is safe to send again elsewhere.
            let lost: HTTPStreamError =
                stream.isHeadSent ? .connectionClosed(reason: reason) : .notSent(reason: reason)
            if !exchange.isReceivingDone { exchange.fail(lost) }
            exchange.gate.open(.connectionClosed(reason: reason))
            exchange.releaseLease()
        }
        activeCount = 0
        deadlines.removeAll()
        engine.abandonStreams()
    }
}
