import Logging
import NIOCore

/// One accepted socket: finds out which HTTP it speaks, and joins that protocol's driver to NIO.
///
///     handshaking --(ALPN h2, http/1.1)-----------> http2, http1
///         | (TLS only; no ALPN)
///     sniffing --(24 bytes of the HTTP/2 preface)--> http2 --+
///         |                                                  +--> lingering --> closed
///         +-----(anything else)--------------------> http1 --+
///
/// While lingering, output is shut and input is dropped, so that the last answer is not lost to a TCP reset.
///
/// `@unchecked Sendable`: everything is touched on the event loop of the channel only.
final class ServerConnection: ChannelDuplexHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Mode {
        case handshaking
        case sniffing(ByteBuffer)
        case http1(HTTP1ServerDriver)
        case http2(HTTP2ServerDriver)
        /// `since` is nil until the last bytes have left.
        case lingering(since: UInt64?)
        case closed
    }

    let server: ServerShared
    let loop: ServerLoop
    let listener: ServerListener
    /// Set before the first exchange, never changed afterwards.
    private(set) var tls: TLSSession?
    private(set) var remoteAddress: SocketAddress?
    private var addressKey: String?
    private var isAdmitted = false
    private var mode: Mode
    private var context: ChannelHandlerContext?
    private(set) var isDraining = false
    /// Handlers that have not returned, also of streams that are gone (rapid reset).
    private(set) var runningHandlers = 0
    private var isInRead = false
    private var isDirty = false
    private var isReadPaused = false
    private var isReadWanted = false
    private(set) var acceptedAt: UInt64 = 0
    /// ``acceptedAt`` as timers see it.
    private var startTime: UInt64 = 0
    /// Requests so far whose head was complete.
    private(set) var requestCount = 0
    /// Made by the first message that grows when it is decompressed.
    private var inflated: FrameBudget?
    let id: Int
    private var stall = StallWatch()
    private var writtenByteCount = 0

    private static let preface: StaticString = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    init(server: ServerShared, loop: ServerLoop, listener: ServerListener) {
        self.server = server
        self.loop = loop
        id = server.nextConnectionID()
        self.listener = listener
        mode = listener.credentials == nil ? .sniffing(ByteBuffer()) : .handshaking
    }

    var now: UInt64 { NIODeadline.now().uptimeNanoseconds }
    /// This moment as timers see it (``TickClock``).
    var timerNow: UInt64 { loop.timerTime(now) }
    var isWritable: Bool { context?.channel.isWritable ?? false }

    // MARK: Life

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        remoteAddress = peerAddress(context)
        addressKey = remoteAddress?.ipAddress
        if let limit = server.admitConnection(from: addressKey) {
            let value = server.limits.value(of: limit) ?? 0
            log("connection refused: HTTPLimits.\(limit) = \(value) reached", limit: limit)
            mode = .closed
            context.close(promise: nil)
            return
        }
        isAdmitted = true
        acceptedAt = now
        startTime = loop.timerTime(acceptedAt)
        loop.add(self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(reason: "the peer closed the connection")
        self.context = nil
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end(reason: "the connection was closed")
        self.context = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? TLSError else { return close(reason: "socket error: \(error)") }
        log("TLS: \(error)")
        // The alert still has to reach the peer.
        closeGracefully()
    }

    /// The peer of a Unix socket has no address: it goes by the path it has come to.
    private func peerAddress(_ context: ChannelHandlerContext) -> SocketAddress? {
        guard case .unix(let path, _) = listener.address else { return context.remoteAddress }
        return try? SocketAddress(unixDomainSocketPath: path)
    }

    private func end(reason: String) {
        let ended = mode
        mode = .closed
        switch ended {
        case .http1(let driver): driver.connectionDidEnd(reason: reason)
        case .http2(let driver): driver.connectionDidEnd(reason: reason)
        case .handshaking, .sniffing, .lingering, .closed: break
        }
        guard isAdmitted else { return }
        isAdmitted = false
        server.releaseConnection(from: addressKey)
        // Last: it may complete a shutdown.
        loop.remove(self)
    }

    /// At once; exchanges fail with that reason.
    func close(reason: String) {
        let context = context
        end(reason: reason)
        context?.close(promise: nil)
    }

    /// After everything written so far: shuts the output, drops input for a while, closes.
    func closeGracefully() {
        guard let context else { return }
        if case .closed = mode { return }
        if case .lingering = mode { return }
        let ended = mode
        mode = .lingering(since: nil)
        switch ended {
        case .http1(let driver): driver.connectionDidEnd(reason: "the connection is closing")
        case .http2(let driver): driver.connectionDidEnd(reason: "the connection is closing")
        case .handshaking, .sniffing, .lingering, .closed: break
        }
        resumeReading()
        let bound = NIOLoopBound((connection: self, context: context), eventLoop: context.eventLoop)
        let flushed = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: flushed)
        flushed.futureResult.whenSuccess { bound.value.connection.lastBytesLeft(bound.value.context) }
    }

    /// Only now does the time of lingering begin: a slow reader still gets the end of its answer, for as long as it
    /// takes bytes at all (``HTTPTimeouts/writeStall``).
    private func lastBytesLeft(_ context: ChannelHandlerContext) {
        guard case .lingering = mode else { return }
        mode = .lingering(since: timerNow)
        context.close(mode: .output, promise: nil)
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isInRead = true
        var bytes = unwrapInboundIn(data)
        switch mode {
        case .http2(let driver): driver.receive(&bytes, now: now)
        case .http1(let driver): driver.receive(bytes)
        case .sniffing(let begin): sniff(begin, bytes)
        case .handshaking, .lingering, .closed: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        loop.executor.runReadyJobs()
        isInRead = false
        if case .http2(let driver) = mode { driver.didCompleteRead() }
        isDirty = true
        flushIfDirty()
        loop.flushDirty()
    }

    /// TLS is up. A protocol that was agreed on is spoken; it is not guessed.
    private func didCompleteHandshake(_ session: TLSSession) {
        guard case .handshaking = mode else { return }
        tls = session
        var nothing = ByteBuffer()
        switch session.applicationProtocol {
        case .http2: startHTTP2(&nothing)
        case .http1: startHTTP1(nothing)
        case nil: mode = .sniffing(nothing)
        }
    }

    /// Whether a request may be for `authority`. Where client certificates are asked for, the name in the handshake
    /// has decided who may come; a request for another name must come by another connection (421).
    func isMisdirected(_ target: RequestTarget) -> Bool {
        guard listener.checksAuthority, let name = tls?.serverName else { return false }
        return !(target.withAuthority { Self.isHost(name, in: $0) } ?? false)
    }

    private static func isHost(_ name: String, in authority: UnsafeRawBufferPointer) -> Bool {
        let end = authority.lastIndex(of: ASCII.colon) ?? authority.count
        return authority[..<end].lazy.map(ASCII.lowercased).elementsEqual(name.utf8.lazy.map(ASCII.lowercased))
    }

    private func sniff(_ begin: ByteBuffer, _ bytes: ByteBuffer) {
        var all = begin
        if all.readableBytes == 0 { all = bytes } else { all.writeImmutableBuffer(bytes) }
        let expected = UnsafeRawBufferPointer(
            start: Self.preface.utf8Start, count: Self.preface.utf8CodeUnitCount)
        let matching = min(all.readableBytes, expected.count)
        let isPrefix = all.withUnsafeReadableBytes { readable in
            UnsafeRawBufferPointer(rebasing: readable[..<matching]).elementsAre(
                UnsafeRawBufferPointer(rebasing: expected[..<matching]))
        }
        if isPrefix, matching < expected.count {
            mode = .sniffing(all)
        } else if isPrefix {
            startHTTP2(&all)
        } else {
            startHTTP1(all)
        }
    }

    private func startHTTP1(_ bytes: ByteBuffer) {
        let driver = HTTP1ServerDriver(self)
        mode = .http1(driver)
        if isDraining { driver.beginDrain() }
        if bytes.readableBytes > 0 { driver.receive(bytes) }
    }

    private func startHTTP2(_ bytes: inout ByteBuffer) {
        do {
            let driver = try HTTP2ServerDriver(self, startTime: startTime)
            mode = .http2(driver)
            if isDraining { driver.beginDrain() }
            driver.receive(&bytes, now: now)
        } catch {
            close(reason: "\(error)")
        }
    }

    /// HTTP/1.1 back-pressure: while paused, NIO's reads wait here.
    func read(context: ChannelHandlerContext) {
        if isReadPaused { isReadWanted = true } else { context.read() }
    }

    func pauseReading() { isReadPaused = true }

    func resumeReading() {
        guard isReadPaused else { return }
        isReadPaused = false
        guard isReadWanted else { return }
        isReadWanted = false
        context?.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSHandshakeCompleted { return didCompleteHandshake(event.session) }
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            return context.fireUserInboundEventTriggered(event)
        }
        switch mode {
        case .http1(let driver): driver.inputDidEnd()
        // A peer that cannot send cannot open windows or cancel: nothing sensible can go on.
        case .http2, .handshaking, .sniffing, .lingering, .closed: close(reason: "the peer closed the connection")
        }
    }

    // MARK: Writing

    func write(_ bytes: ByteBuffer) {
        writtenByteCount &+= bytes.readableBytes
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    /// Something is to be sent: it leaves at the end of this read, or after the current round of jobs.
    func setNeedsFlush() {
        guard !isDirty else { return }
        isDirty = true
        if !isInRead { loop.markDirty(self) }
    }

    func flushIfDirty() {
        guard isDirty else { return }
        isDirty = false
        switch mode {
        case .http1(let driver): driver.flush()
        case .http2(let driver): driver.flush()
        case .handshaking, .sniffing, .lingering, .closed: break
        }
    }

    func flushSocket() { context?.flush() }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            isDirty = true
            flushIfDirty()
            switch mode {
            case .http1(let driver): driver.openGate()
            case .http2, .handshaking, .sniffing, .lingering, .closed: break
            }
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Handlers

    /// Takes a slot for a handler.
    ///
    /// - Returns: nil, or the name of the limit that is reached.
    func takeHandlerSlot() -> String? {
        requestCount &+= 1
        guard runningHandlers < server.limits.concurrentStreams else { return refuse("concurrentStreams") }
        guard server.takeHandlerSlot() else { return refuse("runningHandlers") }
        runningHandlers += 1
        return nil
    }

    /// Counts bytes that decompressing has added.
    ///
    /// - Returns: nil, or the limit that is passed, by its value.
    func didInflate(_ byteCount: Int) -> Int? {
        let limit = server.limits.inflatedBytesPerSecond
        var budget = inflated ?? FrameBudget(limit: limit, seconds: 1)
        let isWithin = budget.spend(byteCount, now: now)
        inflated = budget
        guard !isWithin else { return nil }
        refuse("inflatedBytesPerSecond")
        return limit
    }

    /// Notes that a request is refused; returns `limit`.
    @discardableResult
    func refuse(_ limit: String) -> String {
        log("request refused: HTTPLimits.\(limit) = \(server.limits.value(of: limit) ?? 0) reached", limit: limit)
        return limit
    }

    func handlerDidReturn() {
        runningHandlers -= 1
        server.releaseHandlerSlot()
    }

    // MARK: Timers and drain

    func beginDrain() {
        isDraining = true
        switch mode {
        case .handshaking, .sniffing: close(reason: "the server is shutting down")
        case .http1(let driver): driver.beginDrain()
        case .http2(let driver): driver.beginDrain()
        case .lingering, .closed: break
        }
    }

    /// Lets go of a connection that has become old: drains it, then closes it.
    private func checkAge(_ timeouts: HTTPTimeouts, now: UInt64) {
        guard let age = timeouts.connectionAge else { return }
        // A hash of where the object lies spreads the ends of connections that began together.
        let share = 100 - Int(UInt(bitPattern: ObjectIdentifier(self).hashValue) % 10)
        let own = age * share / 100
        if !isDraining, Self.isPast(own, since: startTime, now) { beginDrain() }
        if isDraining, Self.isPast(own + timeouts.connectionAgeGrace, since: startTime, now) {
            log("connection closed: HTTPTimeouts.connectionAgeGrace passed", limit: "connectionAgeGrace")
            close(reason: "HTTPTimeouts.connectionAge and connectionAgeGrace passed")
        }
    }

    /// - Parameter now: as timers see it.
    func tick(now: UInt64) {
        let timeouts = server.timeouts
        checkAge(timeouts, now: now)
        switch mode {
        case .handshaking:
            if Self.isPast(timeouts.tlsHandshake, since: startTime, now) {
                server.limitHits.add("tlsHandshake")
                close(reason: "HTTPTimeouts.tlsHandshake passed")
            }
        case .sniffing:
            if Self.isPast(timeouts.requestHead, since: startTime, now) {
                server.limitHits.add("requestHead")
                close(reason: "HTTPTimeouts.requestHead passed before the first request")
            }
        case .http1(let driver): driver.tick(now: now)
        case .http2(let driver): driver.tick(now: now)
        case .lingering(let since):
            if let since, Self.isPast(timeouts.lingeringClose, since: since, now) { close(reason: "closed") }
        case .closed: break
        }
        guard let context else { return }
        let buffered = bufferedByteCount(context)
        if stall.isStalled(
            bufferedByteCount: buffered, progress: writtenByteCount &- buffered, period: timeouts.writeStall,
            bytesPerSecond: timeouts.writeBytesPerSecond, now: now)
        {
            log("the peer takes next to nothing: HTTPTimeouts.writeStall passed", limit: "writeStall")
            close(reason: "HTTPTimeouts.writeStall passed")
        }
    }

    private func bufferedByteCount(_ context: ChannelHandlerContext) -> Int {
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    static func isPast(_ limit: Duration?, since start: UInt64, _ now: UInt64) -> Bool {
        guard let limit, now > start else { return false }
        return now - start > UInt64(clamping: limit.nanoseconds)
    }

    var logMetadata: Logger.Metadata { ["peer": "\(addressKey ?? remoteAddress?.pathname ?? "unknown")"] }

    /// - Parameter limit: the limit that is the reason, where one is.
    func log(_ text: String, limit: String? = nil) { server.didHit(limit, text, logMetadata) }

    // MARK: Looking in

    var protocolName: String {
        switch mode {
        case .http1: "http/1.1"
        case .http2: "h2"
        case .handshaking, .sniffing, .lingering, .closed: "unknown"
        }
    }

    var isTLS: Bool { listener.credentials != nil }

    /// Requests in progress.
    var exchanges: [HTTPExchange] {
        switch mode {
        case .http1(let driver): driver.exchanges
        case .http2(let driver): driver.exchanges
        case .handshaking, .sniffing, .lingering, .closed: []
        }
    }
}
