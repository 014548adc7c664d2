import NIOCore

/// Which protocol a connection speaks, and how what comes in gets to its driver.
extension ServerConnection {
    private static let preface: StaticString = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isInRead = true
        var bytes = unwrapInboundIn(data)
        if listener.credentials == nil { loop.readBuffer.didRead(bytes) }
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
}
