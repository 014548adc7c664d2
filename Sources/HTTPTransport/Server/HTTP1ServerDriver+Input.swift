import NIOCore

/// Bytes in, requests out: parsing, the bodies of requests, and requests that cannot be served.
extension HTTP1ServerDriver {
    func receive(_ bytes: ByteBuffer) {
        guard !hasLostSync else { return }
        if unparsed.readableBytes == 0 { unparsed = bytes } else { unparsed.writeImmutableBuffer(bytes) }
        pump()
    }

    /// Parses what is there, starts handlers, goes on to the next message when one is done. Never recursive.
    func pump() {
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
    func refuse(_ error: HTTP1Error) {
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
}
