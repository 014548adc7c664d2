import NIOCore

/// What ends a connection although its peer does not: shutdown, age, and timers, which ``ServerLoop``'s ticks look at.
extension ServerConnection {
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
        if !isDraining, MonotonicTime.isPast(own, since: startTime, now) { beginDrain() }
        if isDraining, MonotonicTime.isPast(own + timeouts.connectionAgeGrace, since: startTime, now) {
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
            if MonotonicTime.isPast(timeouts.tlsHandshake, since: startTime, now) {
                server.limitHits.add("tlsHandshake")
                close(reason: "HTTPTimeouts.tlsHandshake passed")
            }
        case .sniffing:
            if MonotonicTime.isPast(timeouts.requestHead, since: startTime, now) {
                server.limitHits.add("requestHead")
                close(reason: "HTTPTimeouts.requestHead passed before the first request")
            }
        case .http1(let driver): driver.tick(now: now)
        case .http2(let driver): driver.tick(now: now)
        case .lingering(let since):
            if let since, MonotonicTime.isPast(timeouts.lingeringClose, since: since, now) { close(reason: "closed") }
        case .closed: break
        }
        guard let context else { return }
        let buffered = bufferedByteCount(context)
        let progress = writtenByteCount &- buffered
        if buffered == 0 { isOverdue = false }
        if stall.isStalled(
            bufferedByteCount: buffered, progress: progress,
            period: isOverdue ? timeouts.lingeringClose : timeouts.writeStall,
            bytesPerSecond: timeouts.writeBytesPerSecond, now: now)
        {
            return closeStalled()
        }
        if case .http2(let driver) = mode {
            driver.checkKeepalive(bufferedByteCount: buffered, progress: progress, now: now)
        }
    }

    /// What is written from now on is the end of an answer whose time is over: nobody waits long for it.
    func hurryWriting() {
        isOverdue = true
        stall = StallWatch()
    }

    func logOverdue() {
        log(
            "the peer takes next to nothing of an answer whose time is over: HTTPTimeouts.lingeringClose passed",
            limit: "lingeringClose")
    }

    private func closeStalled() {
        if isOverdue {
            logOverdue()
        } else {
            log("the peer takes next to nothing: HTTPTimeouts.writeStall passed", limit: "writeStall")
        }
        close(reason: "HTTPTimeouts.\(isOverdue ? "lingeringClose" : "writeStall") passed")
    }

    private func bufferedByteCount(_ context: ChannelHandlerContext) -> Int {
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }
}
