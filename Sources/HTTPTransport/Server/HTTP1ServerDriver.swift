import NIOCore

/// Joins the HTTP/1.1 parser to one exchange after another. On the event loop only.
///
/// One request at a time: bytes of the next one wait (and reading pauses) until the response is finished.
final class HTTP1ServerDriver: ExchangeDriver {
    let connection: ServerConnection
    let limits: HTTPLimits
    var parser: HTTP1Parser
    var unparsed = ByteBuffer()
    var isPumping = false
    var isOver = false
    var inputEnded = false
    var isDraining = false
    /// Where the next message starts is unknown: input is dropped.
    var hasLostSync = false

    // The request in progress.
    var exchange: HTTPExchange?
    var head: HTTP1Head?
    var isRequestComplete = false
    var owesContinue = false
    var drainedByteCount = 0
    var pace = BodyPace()
    /// Since when there has been no request, or a part of one only; nil when the next tick is to note it.
    var waitStart: UInt64?
    var waitsForFirstByte = true

    // Its response.
    private var body = BodyQueue()
    private var isHeadWritten = false
    private var framing = HTTP1Writer.Framing.none
    var keepsAlive = true
    var isResponseDone = false
    /// The handler asked for the head to go out although there is no body yet.
    private var isHeadWanted = false
    /// False for HEAD and for statuses without a body.
    private var sendsBody = true

    init(_ connection: ServerConnection) {
        self.connection = connection
        limits = connection.server.limits
        parser = HTTP1Parser(
            .request, limits: limits, scheme: connection.listener.schemes == .https ? .https : .http)
        waitStart = connection.timerNow
    }

    /// The request in progress, if any.
    var exchanges: [HTTPExchange] { exchange.map { [$0] } ?? [] }

    // MARK: Back-pressure

    func settleReading() {
        let isFull = (exchange?.inbox.unreadByteCount ?? 0) > limits.unreadBodyByteCount
        let isAhead = isRequestComplete && !isResponseDone && unparsed.readableBytes > 0
        if isFull || isAhead { connection.pauseReading() } else { connection.resumeReading() }
    }

    override func didConsume(_ count: Int, _ exchange: HTTPExchange) {
        if !isPumping, !isOver { settleReading() }
    }

    override func readerWaits(_ exchange: HTTPExchange) {
        guard owesContinue, !isHeadWritten, !isOver else { return }
        owesContinue = false
        connection.write(ByteBuffer(staticString: HTTP1Writer.continueHead))
        connection.setNeedsFlush()
    }

    // MARK: Output

    override func isHeadSent(_ exchange: HTTPExchange) -> Bool { isHeadWritten }

    override func send(_ bytes: ByteBuffer, _ exchange: HTTPExchange) {
        if bytes.readableBytes == 0 { isHeadWanted = true }
        body.append(bytes)
        connection.setNeedsFlush()
    }

    override func isCongested(_ exchange: HTTPExchange) -> Bool { isCongested }

    private var isCongested: Bool {
        body.byteCount > limits.unsentBodyByteCount || !body.isEmpty && !connection.isWritable
    }

    func openGate() {
        if !isCongested { exchange?.gate.open() }
    }

    func flush() {
        guard !isOver else { return }
        if exchange != nil, !isResponseDone, connection.isWritable, !body.isEmpty || isHeadWanted {
            writeResponse(isLast: false, trailers: nil)
        }
        connection.flushSocket()
        openGate()
    }

    override func finish(_ exchange: HTTPExchange, _ trailers: consuming HTTPFields?) {
        let trailers = trailers
        guard !isOver, exchange === self.exchange, !isResponseDone else { return }
        writeResponse(isLast: true, trailers: trailers.flatMap { $0.isEmpty ? nil : $0 })
        isResponseDone = true
        exchange.detach()
        drainedByteCount += exchange.inbox.dropUnread()
        connection.setNeedsFlush()
        if !keepsAlive {
            closeAfterResponse()
        } else if isRequestComplete {
            pump()
        } else if drainedByteCount > limits.drainedBodyByteCount {
            closeAfterResponse()
        } else {
            settleReading()
        }
    }

    private func writeResponse(isLast: Bool, trailers: HTTPFields?) {
        guard let exchange else { return }
        var output = connection.loop.takeScratch()
        let responseHead = exchange.pendingHead ?? HTTPResponseHead(status: 200)
        if !isHeadWritten {
            isHeadWritten = true
            isHeadWanted = false
            exchange.pendingHead = nil
            decideFraming(responseHead.status, isLast: isLast && trailers == nil)
            if !isRequestComplete, isLast || owesContinue { keepsAlive = keepsAlive && canDrain }
            HTTP1Writer.writeResponse(
                responseHead, framing: framing, keepsAlive: keepsAlive, version: exchange.version,
                into: &output)
            if framing == .none || exchange.method == .head { sendsBody = false }
        }
        writeBody(into: &output)
        if isLast, framing == .chunked, sendsBody {
            if let trailers {
                HTTP1Writer.writeTrailers(trailers, into: &output)
            } else {
                output.writeStaticString(HTTP1Writer.lastChunk)
            }
        }
        if output.readableBytes > 0 { connection.write(output) }
        connection.loop.returnScratch(output)
    }

    private func decideFraming(_ status: Int, isLast: Bool) {
        if status < 200 || status == 204 || status == 304 {
            framing = .none
        } else if isLast {
            framing = .contentLength(body.byteCount)
        } else if head?.version == .http1_1 {
            framing = .chunked
        } else {
            framing = .untilClose
            keepsAlive = false
        }
    }

    /// An early answer may keep the connection only if the rest of the request is known to be small, or
    /// unknown but surely coming (rule O2). After `Expect: 100-continue` without 100 nobody knows whether it
    /// comes.
    private var canDrain: Bool {
        if owesContinue { return false }
        guard case .bytes(let count) = head?.bodyLength else { return true }
        return count - min(count, UInt64(exchange?.receivedByteCount ?? 0))
            <= UInt64(limits.drainedBodyByteCount)
    }

    private func writeBody(into output: inout ByteBuffer) {
        guard sendsBody else { return body.removeAll() }
        while let piece = body.popFirst() {
            if framing == .chunked { HTTP1Writer.writeChunkHead(piece.readableBytes, into: &output) }
            if piece.readableBytes < 16 * 1024 {
                output.writeImmutableBuffer(piece)
            } else {
                connection.write(output)
                connection.write(piece)
                output = ByteBuffer()
            }
            if framing == .chunked { output.writeStaticString("\r\n") }
        }
    }

    /// The connection ends when everything written has left.
    func closeAfterResponse() {
        guard !isOver else { return }
        isOver = true
        exchange?.detach()
        exchange = nil
        connection.closeGracefully()
    }

    /// HTTP/1.1's only way to reset.
    override func reset(_ exchange: HTTPExchange, _ code: HTTP2ErrorCode) {
        guard !isOver else { return }
        self.exchange = nil
        isOver = true
        connection.close(reason: "the exchange was reset")
    }

    override func resetWhenStalled(_ exchange: HTTPExchange) { connection.hurryWriting() }

    func nextMessage() {
        exchange = nil
        head = nil
        isRequestComplete = false
        isResponseDone = false
        isHeadWritten = false
        isHeadWanted = false
        sendsBody = true
        drainedByteCount = 0
        pace = BodyPace()
        waitStart = nil
        if inputEnded || isDraining && unparsed.readableBytes == 0 { return closeAfterResponse() }
        parser.startNextMessage()
    }

    func connectionDidEnd(reason: String) {
        isOver = true
        guard let ended = exchange else { return }
        exchange = nil
        ended.detach()
        if !isResponseDone { ended.fail(.connectionClosed(reason: reason)) }
    }
}
