import NIOCore

/// Joins the HTTP/1.1 parser to one exchange after another. On the event loop only.
///
/// One request at a time: bytes of the next one wait (and reading pauses) until the response is finished.
final class HTTP1ServerDriver: ExchangeDriver {
    private let connection: ServerConnection
    private let limits: HTTPLimits
    private var parser: HTTP1Parser
    private var unparsed = ByteBuffer()
    private var isPumping = false
    private var isOver = false
    private var inputEnded = false
    private var isDraining = false
    /// Where the next message starts is unknown: input is dropped.
    private var hasLostSync = false

    // The request in progress.
    private var exchange: HTTPExchange?
    private var head: HTTP1Head?
    private var isRequestComplete = false
    private var owesContinue = false
    private var drainedByteCount = 0
    private var pace = BodyPace()
    /// Since when there has been no request, or a part of one only; nil when the next tick is to note it.
    private var waitStart: UInt64?
    private var waitsForFirstByte = true

    // Its response.
    private var body = BodyQueue()
    private var isHeadWritten = false
    private var framing = HTTP1Writer.Framing.none
    private var keepsAlive = true
    private var isResponseDone = false
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

    // MARK: Input

    func receive(_ bytes: ByteBuffer) {
        guard !hasLostSync else { return }
        if unparsed.readableBytes == 0 { unparsed = bytes } else { unparsed.writeImmutableBuffer(bytes) }
        pump()
    }

    /// Parses what is there, starts handlers, goes on to the next message when one is done. Never recursive.
    private func pump() {
        guard !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        while !isOver {
            let starts = parseAvailable()
            if starts {
                if let exchange, !isOver {
                    HandlerBatch.start([exchange], service: connection.server.service, on: connection.loop.executor)
                } else {
                    connection.handlerDidReturn()
                }
            }
            guard !isOver, isRequestComplete, isResponseDone else { break }
            nextMessage()
            if isOver { break }
        }
        guard !isOver else { return }
        settleReading()
    }

    /// Parses until more input is needed. True when a new exchange is to be started.
    private func parseAvailable() -> Bool {
        var starts = false
        do {
            while !isOver {
                var consumed = 0
                let event = try unparsed.withUnsafeReadableBytes { bytes throws(HTTP1Error) in
                    try parser.next(bytes, consumed: &consumed)
                }
                if case .head(let head) = event {
                    starts = begin(head)
                } else if case .body(let range) = event {
                    take(unparsed.getSlice(at: unparsed.readerIndex + range.lowerBound, length: range.count))
                } else if case .end = event {
                    isRequestComplete = true
                    exchange?.inbox.end()
                    exchange?.wakeReader()
                }
                unparsed.moveReaderIndex(forwardBy: consumed)
                guard event != nil else { break }
            }
        } catch {
            refuse(error)
            return starts
        }
        if unparsed.readableBytes == 0 { unparsed = ByteBuffer() }
        exchange?.inbox.compact()
        return starts
    }

    private func begin(_ head: HTTP1Head) -> Bool {
        guard case .request(let request) = head.start else { return false }
        keepsAlive = head.keepsAlive && !isDraining
        self.head = head
        if case .bytes(let count) = head.bodyLength, let limit = limits.bodyByteCount,
            count > UInt64(max(limit, 0))
        {
            refuse(.over("bodyByteCount", limit, status: 413, "body"))
            return false
        }
        guard !connection.isMisdirected(request.target) else {
            refuse(HTTP1Error(status: 421, description: "this connection was made for another host (SNI)"))
            return false
        }
        if let limit = connection.takeHandlerSlot() {
            let value = limits.value(of: limit) ?? 0
            refuse(HTTP1Error(status: 503, description: "busy: HTTPLimits.\(limit) = \(value) reached"))
            return false
        }
        owesContinue = head.expectsContinue
        exchange = HTTPExchange(
            head: request, version: head.version, connection: connection, driver: self, receivedAt: connection.now)
        return true
    }

    private func take(_ bytes: ByteBuffer?) {
        guard let bytes else { return }
        owesContinue = false
        guard let exchange, !exchange.isFinished, !exchange.inbox.isOver else {
            drainedByteCount += bytes.readableBytes
            if drainedByteCount > limits.drainedBodyByteCount, isResponseDone { closeAfterResponse() }
            return
        }
        exchange.receivedByteCount += bytes.readableBytes
        pace.didReceive(bytes.readableBytes)
        if let limit = limits.bodyByteCount, exchange.receivedByteCount > limit {
            keepsAlive = false
            connection.log("body larger than HTTPLimits.bodyByteCount = \(limit)", limit: "bodyByteCount")
            exchange.failBody(.bodyTooLarge(limit: limit), cancelsTask: false)
            return
        }
        exchange.inbox.append(bytes)
        exchange.wakeReader()
    }

    /// The request cannot be understood: answer if nobody has, and end the connection.
    private func refuse(_ error: HTTP1Error) {
        keepsAlive = false
        isRequestComplete = true
        connection.log("HTTP/1.1 request refused (\(error.status)): \(error.description)", limit: error.limit)
        if let exchange {
            // Inside a body. The handler learns about it; its answer still goes out, as the last one.
            unparsed = ByteBuffer()
            hasLostSync = true
            exchange.failBody(.protocolViolation(error.description), cancelsTask: false)
            if isResponseDone { closeAfterResponse() }
            return
        }
        var output = connection.loop.takeScratch()
        var fields: HTTPFields = [.contentType: "text/plain; charset=utf-8"]
        if let added = connection.server.configuration.refusalFields, case .request(let request) = head?.start {
            added(request.fields).forEach { name, value in fields.append(name: name, value: value) }
        }
        let version = head?.version ?? .http1_1
        let text = error.description
        let hasBody = head.map {
            if case .request(let request) = $0.start { request.method != .head } else { true }
        }
        HTTP1Writer.writeResponse(
            HTTPResponseHead(status: error.status, fields: fields),
            framing: .contentLength(text.utf8.count + 1), keepsAlive: false, version: version, into: &output)
        if hasBody ?? true {
            output.writeString(text)
            output.writeStaticString("\n")
        }
        connection.write(output)
        connection.loop.returnScratch(output)
        closeAfterResponse()
    }

    func inputDidEnd() {
        inputEnded = true
        keepsAlive = false
        guard let exchange else { return connection.close(reason: "the peer closed the connection") }
        if !isRequestComplete {
            isRequestComplete = true
            exchange.failBody(.truncatedBody, cancelsTask: true)
        } else {
            // Either a client that only shut its sending side, or one that has gone: stop what can be
            // stopped, but let an answer that is made anyway go out.
            exchange.cancelTask()
        }
        if isResponseDone { closeAfterResponse() }
    }

    // MARK: Back-pressure

    private func settleReading() {
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

    override func finish(_ exchange: HTTPExchange, _ trailers: HTTPFields?) {
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
    private func closeAfterResponse() {
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

    private func nextMessage() {
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

    // MARK: Drain and timers

    func beginDrain() {
        isDraining = true
        keepsAlive = false
        // A request whose head is not complete was not begun: its client can safely send it elsewhere.
        if exchange == nil { closeAfterResponse() }
    }

    /// The clock of the head starts at the first tick that sees a part of it, the clock of idleness at the first tick
    /// after a response: no request pays for reading the time.
    private func checkHead(_ timeouts: HTTPTimeouts, _ now: UInt64) {
        let isIdle = parser.isAtMessageStart && unparsed.readableBytes == 0
        guard let waitStart, isIdle == waitsForFirstByte else {
            waitsForFirstByte = isIdle
            waitStart = now
            return
        }
        guard ServerConnection.isPast(isIdle ? timeouts.idleHTTP1 : timeouts.requestHead, since: waitStart, now) else {
            return
        }
        if isIdle { return closeAfterResponse() }
        let limit = timeouts.requestHead.map { "\($0)" } ?? "off"
        refuse(
            HTTP1Error(
                status: 408, description: "request head took longer than HTTPTimeouts.requestHead = \(limit)",
                limit: "requestHead"))
    }

    func tick(now: UInt64) {
        let timeouts = connection.server.timeouts
        if exchange == nil {
            return checkHead(timeouts, now)
        }
        guard !isRequestComplete, isResponseDone || exchange?.inbox.isWaiting == true else {
            return pace.pause(now)
        }
        if pace.isTooSlow(timeouts, now: now) {
            let text = "request body slower than HTTPTimeouts.bodyBytesPerSecond = \(timeouts.bodyBytesPerSecond)"
            connection.log(text, limit: "bodyBytesPerSecond")
            keepsAlive = false
            connection.close(reason: text)
        }
    }
}

/// How fast a request body comes, counting only the time in which somebody waits for it.
struct BodyPace {
    private var byteCount = 0
    private var waited: UInt64 = 0
    private var lastLook: UInt64?

    mutating func didReceive(_ count: Int) { byteCount &+= count }
    mutating func pause(_ now: UInt64) { lastLook = nil }

    mutating func isTooSlow(_ timeouts: HTTPTimeouts, now: UInt64) -> Bool {
        if let lastLook, now > lastLook { waited += now - lastLook }
        lastLook = now
        guard let grace = timeouts.bodyGrace, waited > UInt64(clamping: grace.nanoseconds) else {
            return false
        }
        return Double(byteCount) < Double(timeouts.bodyBytesPerSecond) * Double(waited) / 1e9
    }
}
