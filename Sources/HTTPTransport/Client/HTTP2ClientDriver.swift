import NIOCore

/// HTTP/2 on the client: one engine, any number of exchanges.
///
/// `@unchecked Sendable`: confined to the event loop of its channel.
final class HTTP2ClientDriver: ChannelInboundHandler, ClientDriver, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let eventLoop: any EventLoop
    private let engine: HTTP2Engine
    private let configuration: HTTPClientConfiguration
    private let authority: String
    private let state: ClientConnectionState
    private var context: ChannelHandlerContext?
    private var isInRead = false
    private var isFlushScheduled = false
    private var endReason: String?
    private var stall = StallWatch()
    private var timer: RepeatedTask?

    init(
        _ eventLoop: any EventLoop, _ configuration: HTTPClientConfiguration, authority: String,
        state: ClientConnectionState
    ) throws(HTTPConnectionError) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.authority = authority
        self.state = state
        engine = try HTTP2Engine(role: .client, limits: configuration.limits)
    }

    // MARK: Channel

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        if configuration.writeStall != nil {
            timer = eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) {
                [weak self] _ in
                self?.tick()
            }
        }
        flush()
    }

    func channelInactive(context: ChannelHandlerContext) { end("the server closed the connection") }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end("socket error: \(ErrorText.describe(error))")
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isInRead = true
        var input = unwrapInboundIn(data)
        let now = NIODeadline.now().uptimeNanoseconds
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

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { flush() }
        context.fireChannelWritabilityChanged()
    }

    private func tick() {
        guard
            stall.isStalled(
                bufferedByteCount: engine.unsentByteCount, progress: engine.sentDataByteCount,
                period: configuration.writeStall, bytesPerSecond: 0, now: NIODeadline.now().uptimeNanoseconds)
        else { return }
        end("the server takes nothing: HTTPClientConfiguration.writeStall passed")
        context?.close(promise: nil)
    }

    // MARK: Events

    private func handleEvents(_ input: ByteBuffer) {
        let events = engine.takeEvents()
        guard !events.isEmpty else { return }
        for event in events {
            switch event {
            case .head(let reference):
                let stream = reference.takeUnretainedValue()
                if let head = stream.responseHead { exchange(of: stream)?.didReceiveHead(head) }
            case .data(let stream, let offset, let count):
                let bytes = input.getSlice(at: input.readerIndex + offset, length: count)
                didReceiveData(stream.takeUnretainedValue(), bytes, count)
            case .end(let reference):
                let stream = reference.takeUnretainedValue()
                exchange(of: stream)?.didReceiveEnd(trailers: stream.trailers)
            case .closed(let stream, let code): didClose(stream.takeUnretainedValue(), code)
            case .drained(let stream): openGate(stream.takeUnretainedValue())
            case .goAway: state.markClosed()
            case .pingAcknowledged, .settings: break
            }
        }
        engine.returnEvents(events)
    }

    private func openGate(_ stream: HTTP2Stream) {
        guard stream.outbound.byteCount <= configuration.limits.unsentBodyByteCount / 2 else { return }
        stream.wantsDrainEvents = false
        exchange(of: stream)?.gate.open()
    }

    private func exchange(of stream: HTTP2Stream) -> HTTPClientExchange? {
        // Only exchanges are ever attached by this driver.
        stream.owner.map { unsafeDowncast($0, to: HTTPClientExchange.self) }
    }

    private func didReceiveData(_ stream: HTTP2Stream, _ bytes: ByteBuffer?, _ count: Int) {
        guard let exchange = exchange(of: stream), let bytes, !exchange.inbox.isOver else {
            return engine.consume(count, on: stream)
        }
        exchange.receivedByteCount += count
        if let limit = configuration.limits.bodyByteCount, exchange.receivedByteCount > limit {
            engine.consume(count, on: stream)
            exchange.fail(.bodyTooLarge(limit: limit))
            return engine.reset(stream, .cancel)
        }
        exchange.didReceive(bytes)
        exchange.inbox.compact()
    }

    private func didClose(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        if let exchange = exchange(of: stream) {
            stream.owner = nil
            exchange.stream = nil
            if !exchange.isReceivingDone { exchange.fail(error(for: stream, code)) }
            exchange.gate.open()
        }
    }

    private func error(for stream: HTTP2Stream, _ code: HTTP2ErrorCode) -> HTTPStreamError {
        if stream.wasNeverSent || code == .refusedStream { return .refused }
        if stream.isRejected {
            return .protocolViolation(
                "header block over HTTPLimits.headerListByteCount"
                    + " = \(configuration.limits.headerListByteCount)"
            )
        }
        return .reset(code)
    }

    // MARK: ClientDriver

    func start(
        _ head: HTTPRequestHead, _ ticket: WaitTicket,
        _ done: @escaping @Sendable (Result<HTTPClientExchange, HTTPStreamError>) -> Void
    ) {
        if ticket.isCancelled { return done(.failure(.cancelled)) }
        if let endReason { return done(.failure(.connectionClosed(reason: endReason))) }
        guard !engine.isGoingAway, let stream = engine.request(head, authority: authority, endsStream: false)
        else {
            return done(.failure(.refused))
        }
        let exchange = HTTPClientExchange(head: head, eventLoop: eventLoop, driver: self)
        exchange.stream = stream
        stream.owner = exchange
        setNeedsFlush()
        done(.success(exchange))
    }

    func cancelStart(_ ticket: WaitTicket) { ticket.isCancelled = true }

    func send(_ bytes: ByteBuffer, _ exchange: HTTPClientExchange) {
        guard let stream = exchange.stream else { return }
        engine.send(bytes, on: stream)
        setNeedsFlush()
    }

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
        timer?.cancel()
        handleEvents(ByteBuffer())
        for stream in engine.openStreams {
            guard let exchange = exchange(of: stream) else { continue }
            stream.owner = nil
            exchange.stream = nil
            if !exchange.isReceivingDone { exchange.fail(.connectionClosed(reason: reason)) }
            exchange.gate.open(.connectionClosed(reason: reason))
        }
        engine.abandonStreams()
    }
}
