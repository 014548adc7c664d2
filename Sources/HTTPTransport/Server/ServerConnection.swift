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

    enum Mode {
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
    var tls: TLSSession?
    private(set) var remoteAddress: SocketAddress?
    private var addressKey: String?
    private var isAdmitted = false
    var mode: Mode
    var context: ChannelHandlerContext?
    var isDraining = false
    /// Handlers that have not returned, also of streams that are gone (rapid reset).
    private(set) var runningHandlers = 0
    var isInRead = false
    var isDirty = false
    var isReadPaused = false
    var isReadWanted = false
    private(set) var acceptedAt: UInt64 = 0
    /// ``acceptedAt`` as timers see it.
    var startTime: UInt64 = 0
    /// Requests so far whose head was complete.
    private(set) var requestCount = 0
    /// Made by the first message that grows when it is decompressed.
    private var inflated: FrameBudget?
    let id: Int
    var stall = StallWatch()
    /// The end of an answer waits whose time is over.
    var isOverdue = false
    var writtenByteCount = 0

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
