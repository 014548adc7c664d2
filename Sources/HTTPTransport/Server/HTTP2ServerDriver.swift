import NIOCore

/// Joins one HTTP/2 engine to the exchanges of a server connection. On the event loop only.
///
/// For each slice of input: feed, record events, make exchanges and fill their inboxes, and only then start
/// handlers: a stream that was reset in the same slice never starts one (rapid reset).
final class HTTP2ServerDriver: ExchangeDriver {
    let connection: ServerConnection
    let engine: HTTP2Engine
    private let limits: HTTPLimits
    /// Behind a pointer, as ``HTTP2Engine/state``: no run-time exclusivity checks.
    private let starting: UnsafeMutablePointer<[HTTPExchange]>
    /// Exchanges with body bytes of this read that nobody has taken: they are made compact.
    private var touched: [HTTPExchange] = []
    private var isOver = false
    // Times as timers see them (``TickClock``).
    let startTime: UInt64
    var idleSince: UInt64
    /// The incomplete header block that the last tick saw, by its begin, and when it did.
    var headerBlock: (begin: UInt64, seen: UInt64)?
    var drain = DrainStep.none
    var drainStarted: UInt64 = 0
    var stall = StallWatch()
    var keepalive: KeepaliveWatch
    /// Some streams may have an ``HTTP2Stream/overdue``.
    var hasOverdue = false
    /// Something was received since the last tick.
    var hasReceived = false

    enum DrainStep { case none, noticeSent, final }

    /// Output that is handed to the socket at once.
    private static let flushByteCount = 64 * 1024

    init(_ connection: ServerConnection, startTime: UInt64) throws(HTTPConnectionError) {
        self.connection = connection
        self.startTime = startTime
        idleSince = startTime
        keepalive = KeepaliveWatch(now: startTime)
        limits = connection.server.limits
        engine = try HTTP2Engine(
            role: .server, limits: limits,
            schemes: connection.listener.schemes)
        starting = .allocate(capacity: 1)
        starting.initialize(to: [])
    }

    deinit {
        starting.deinitialize(count: 1)
        starting.deallocate()
    }

    /// The requests in progress.
    var exchanges: [HTTPExchange] { engine.openStreams.compactMap { exchange(of: $0) } }

    // MARK: Input

    func receive(_ input: inout ByteBuffer, now: UInt64) {
        hasReceived = true
        while !isOver, input.readableBytes > 0 {
            let count = min(input.readableBytes, HTTP2Engine.sliceByteCount)
            let goesOn = input.withUnsafeReadableBytes { readable in
                engine.feed(UnsafeRawBufferPointer(rebasing: readable[..<count]), now: now)
            }
            if !engine.refusingLimits.isEmpty { countRefusals() }
            handleEvents(input)
            startHandlers()
            input.moveReaderIndex(forwardBy: count)
            guard goesOn else { return finishConnection() }
            // Answers to this slice (acknowledgements, resets) before the next one.
            if input.readableBytes > 0 { flush() }
        }
        connection.setNeedsFlush()
    }

    private func countRefusals() {
        for limit in engine.refusingLimits {
            connection.log("request refused: HTTPLimits.\(limit) = \(limits.value(of: limit) ?? 0)", limit: limit)
        }
        engine.refusingLimits.removeAll()
    }

    /// Gives back what is kept for the next read.
    func trim() {
        engine.trim()
        if starting.pointee.isEmpty { starting.pointee = [] }
        if touched.isEmpty { touched = [] }
    }

    func didCompleteRead() {
        for exchange in touched { exchange.inbox.compact() }
        touched.removeAll(keepingCapacity: true)
    }

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
            case .noticeAcknowledged: if drain == .noticeSent { sendFinalGoAway() }
            case .goAway, .settings: break
            }
        }
        engine.returnEvents(events)
    }

    private func noteUnread(_ exchange: HTTPExchange) {
        if exchange.inbox.unreadByteCount > 0 { touched.append(exchange) }
    }

    private func didReceiveEnd(_ stream: HTTP2Stream) {
        withExchange(of: stream) { exchange in
            exchange.inbox.end()
            if exchange.isStarted { exchange.wakeReader() }
        }
    }

    private func exchange(of stream: HTTP2Stream) -> HTTPExchange? {
        // Only exchanges are ever attached by this driver.
        stream.owner.map { unsafeDowncast($0, to: HTTPExchange.self) }
    }

    /// As ``exchange(of:)``, without counting references: the stream holds the exchange, and `body` must not change
    /// that.
    @discardableResult
    @inline(__always)
    private func withExchange<R>(of stream: HTTP2Stream, _ body: (HTTPExchange) -> R) -> R? {
        guard let owner = stream.uncountedOwner else { return nil }
        return owner._withUnsafeGuaranteedRef { body(unsafeDowncast($0, to: HTTPExchange.self)) }
    }

    /// The stream of an exchange that goes on, without counting references: the exchange holds it.
    @inline(__always)
    private func withStream<R>(of exchange: HTTPExchange, _ body: (HTTP2Stream) throws -> R) rethrows -> R? {
        guard exchange.isAttached, let stream = exchange.uncountedStream else { return nil }
        return try stream._withUnsafeGuaranteedRef(body)
    }

    /// The stream object's own exchange of an earlier request, or a new one.
    private func makeExchange(_ head: consuming HTTPRequestHead, _ stream: HTTP2Stream) -> HTTPExchange {
        guard let spare = stream.spareOwner.take() else {
            return HTTPExchange(
                head: head, version: .http2, connection: connection, driver: self, stream: stream,
                receivedAt: engine.now)
        }
        let exchange = unsafeDowncast(spare, to: HTTPExchange.self)
        exchange.reuse(consume head, receivedAt: engine.now)
        return exchange
    }

    /// Keeps the exchange of a closed stream for the next one, unless somebody still holds it.
    private func keepExchange(of stream: HTTP2Stream) {
        guard stream.holdsOwnerAlone else { return stream.detachOwner() }
        if let storage = withExchange(of: stream, { $0.recycle() }) ?? nil { engine.reuse(storage) }
        stream.keepOwner()
    }

    private func didReceiveHead(_ stream: HTTP2Stream) {
        guard !stream.isClosed, let head = stream.requestHead.take() else { return }
        guard !connection.isMisdirected(head.target) else {
            return engine.respond(stream, HTTPResponseHead(status: 421), endsStream: true)
        }
        guard engine.unsentByteCount <= limits.unsentConnectionByteCount else {
            connection.refuse("unsentConnectionByteCount")
            return engine.reset(stream, .refusedStream)
        }
        guard connection.takeHandlerSlot() == nil else { return engine.reset(stream, .refusedStream) }
        let exchange = makeExchange(consume head, stream)
        stream.attach(exchange)
        starting.pointee.append(exchange)
    }

    /// - Parameter offset: of the bytes, from where `input` is read.
    private func didReceiveData(_ stream: HTTP2Stream, _ input: ByteBuffer, _ offset: Int, _ count: Int) {
        let isTaken = withExchange(of: stream) { exchange in
            guard !exchange.isFinished, !exchange.inbox.isOver,
                let bytes = input.getSlice(at: input.readerIndex + offset, length: count)
            else { return false }
            exchange.receivedByteCount += count
            if let limit = limits.bodyByteCount, exchange.receivedByteCount > limit {
                connection.log("body larger than HTTPLimits.bodyByteCount = \(limit)", limit: "bodyByteCount")
                exchange.failBody(.bodyTooLarge(limit: limit), cancelsTask: false)
                return false
            }
            exchange.inbox.append(bytes)
            guard exchange.isStarted else { return true }
            exchange.wakeReader()
            noteUnread(exchange)
            return true
        }
        if isTaken != true { engine.consume(count, on: stream) }
    }

    private func didClose(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        if let isOver = withExchange(of: stream, { didClose($0, stream, code) }) {
            if isOver { keepExchange(of: stream) } else { stream.detachOwner() }
        }
        if !engine.hasOpenStreams { idleSince = connection.loop.timerTime(engine.now) }
    }

    /// True when nothing of the exchange is left to be done.
    private func didClose(_ exchange: HTTPExchange, _ stream: HTTP2Stream, _ code: HTTP2ErrorCode) -> Bool {
        let isComplete = exchange.isFinished && stream.localEnded
        exchange.detach()
        engine.consume(exchange.inbox.dropUnread(), on: nil)
        if isComplete { exchange.gate.open() } else { exchange.fail(.reset(code)) }
        return isComplete && exchange.hasReturned
    }

    private func startHandlers() {
        guard !starting.pointee.isEmpty else { return }
        var taken: [HTTPExchange] = []
        swap(&taken, &starting.pointee)
        HandlerBatch.start(taken, service: connection.server.service, on: connection.loop.executor)
        for exchange in taken where !exchange.isClosed { noteUnread(exchange) }
        taken.removeAll(keepingCapacity: true)
        if starting.pointee.isEmpty { starting.pointee = taken }
    }

    // MARK: Output

    func flush() {
        while !isOver, connection.isWritable {
            var output = connection.loop.takeScratch()
            let hasMore = engine.drain(into: &output, upTo: Self.flushByteCount, now: engine.now)
            handleEvents(output)
            guard output.readableBytes > 0 else {
                connection.loop.returnScratch(output)
                break
            }
            connection.write(output)
            connection.flushSocket()
            connection.loop.returnScratch(output)
            guard hasMore else { break }
        }
        if !isOver, !engine.isAlive { finishConnection() }
    }

    /// The engine has said its last word: send it, then close.
    func finishConnection() {
        guard !isOver else { return }
        isOver = true
        if let failure = engine.failure {
            connection.log("connection closed: \(failure)", limit: engine.failedLimit)
        }
        var output = connection.loop.takeScratch()
        _ = engine.drain(into: &output, upTo: Self.flushByteCount, now: engine.now)
        if output.readableBytes > 0 { connection.write(output) }
        connection.loop.returnScratch(output)
        connection.closeGracefully()
    }

    func connectionDidEnd(reason: String) {
        isOver = true
        let reason = engine.failure ?? reason
        handleEvents(ByteBuffer())
        for stream in engine.openStreams {
            guard let exchange = exchange(of: stream) else { continue }
            stream.detachOwner()
            exchange.detach()
            exchange.fail(.connectionClosed(reason: reason))
        }
        startHandlers()
        // They hold this driver in turn, and no read of this connection completes any more.
        touched.removeAll()
        engine.abandonStreams()
    }

    // MARK: From exchanges

    override func didConsume(_ count: Int, _ exchange: HTTPExchange) {
        if withStream(of: exchange, { engine.consume(count, on: $0) }) == nil { engine.consume(count, on: nil) }
        connection.setNeedsFlush()
    }

    override func isHeadSent(_ exchange: HTTPExchange) -> Bool {
        withStream(of: exchange) { $0.isHeadSubmitted } ?? true
    }

    override func send(_ bytes: ByteBuffer, _ exchange: HTTPExchange) {
        withStream(of: exchange) { stream in
            submitHead(exchange, stream, endsStream: false)
            if !exchange.isHeadRequest { engine.send(bytes, on: stream) }
            connection.setNeedsFlush()
        }
    }

    override func send(
        count: Int, _ exchange: HTTPExchange, _ write: (UnsafeMutableRawBufferPointer) throws -> Void
    ) rethrows {
        try withStream(of: exchange) { stream in
            // Before the head: when `write` throws, nothing has been sent.
            if !exchange.isHeadRequest { try engine.send(count: count, on: stream, write) }
            submitHead(exchange, stream, endsStream: false)
            connection.setNeedsFlush()
        }
    }

    override func isCongested(_ exchange: HTTPExchange) -> Bool {
        withStream(of: exchange) { stream in
            guard stream.outbound.byteCount > limits.unsentBodyByteCount else { return false }
            stream.wantsDrainEvents = true
            return true
        } ?? false
    }

    override func finish(_ exchange: HTTPExchange, _ trailers: consuming HTTPFields?) {
        var trailers = trailers
        withStream(of: exchange) { stream in
            engine.consume(exchange.inbox.dropUnread(), on: stream)
            if stream.isHeadSubmitted {
                engine.end(stream, trailers: trailers.take())
            } else if let trailers, !trailers.isEmpty {
                engine.respond(stream, exchange.pendingHead ?? HTTPResponseHead(status: 200), trailers: trailers)
            } else {
                submitHead(exchange, stream, endsStream: true)
            }
            connection.setNeedsFlush()
        }
    }

    override func reset(_ exchange: HTTPExchange, _ code: HTTP2ErrorCode) {
        guard let stream = exchange.stream else { return }
        engine.reset(stream, code)
        connection.setNeedsFlush()
    }

    override func resetWhenStalled(_ exchange: HTTPExchange) {
        guard let stream = exchange.stream else { return }
        stream.overdue = StallWatch()
        hasOverdue = true
    }

    private func submitHead(_ exchange: HTTPExchange, _ stream: HTTP2Stream, endsStream: Bool) {
        guard !stream.isHeadSubmitted else { return }
        engine.respond(stream, exchange.pendingHead.take() ?? HTTPResponseHead(status: 200), endsStream: endsStream)
    }

    private func openGate(_ stream: HTTP2Stream) {
        guard stream.outbound.byteCount <= limits.unsentBodyByteCount / 2, let exchange = exchange(of: stream)
        else {
            return
        }
        stream.wantsDrainEvents = false
        exchange.gate.open()
    }
}
