/// Drain, and the clocks of silence, idleness, header blocks and shut windows.
extension HTTP2ServerDriver {
    /// A connection without calls for that long gives its memory back.
    private static let restlessTime = Duration.milliseconds(500)

    func beginDrain() {
        guard drain == .none else { return }
        drain = .noticeSent
        drainStarted = connection.timerNow
        _ = engine.resetUnwanted(after: .zero, now: drainStarted)
        engine.submitShutdownNotice()
        connection.setNeedsFlush()
    }

    func sendFinalGoAway() {
        drain = .final
        engine.submitFinalGoAway()
        connection.setNeedsFlush()
    }

    func tick(now: UInt64) {
        let timeouts = connection.server.timeouts
        if !engine.receivedSettings, MonotonicTime.isPast(timeouts.requestHead, since: startTime, now) {
            return giveUp("requestHead", "before the first SETTINGS")
        }
        if isHeaderBlockLate(timeouts, now) { return giveUp("requestHead", "inside a header block") }
        // A peer that never acknowledges the PING still gets the final GOAWAY.
        if drain == .noticeSent, MonotonicTime.isPast(.seconds(1), since: drainStarted, now) {
            sendFinalGoAway()
        }
        if !engine.hasOpenStreams, connection.runningHandlers == 0 {
            // Between two calls it keeps what the next one needs.
            if MonotonicTime.isPast(Self.restlessTime, since: idleSince, now) { trim() }
            if drain == .none, MonotonicTime.isPast(timeouts.idleHTTP2, since: idleSince, now) {
                sendFinalGoAway()
            }
        } else {
            idleSince = now
        }
        let grace = drain == .none ? timeouts.lingeringClose : .zero
        if engine.resetUnwanted(after: grace, now: now) { connection.setNeedsFlush() }
        resetOverdue(timeouts, now)
        checkStall(now)
    }

    /// Streams whose time is over, and whose peer does not take the end of the answer.
    private func resetOverdue(_ timeouts: HTTPTimeouts, _ now: UInt64) {
        guard hasOverdue else { return }
        hasOverdue = false
        for stream in engine.openStreams where !stream.localEnded {
            guard var watch = stream.overdue else { continue }
            // At least the end of the stream waits.
            let isStalled = watch.isStalled(
                bufferedByteCount: max(1, stream.outbound.byteCount), progress: stream.sentByteCount,
                period: timeouts.lingeringClose, bytesPerSecond: timeouts.writeBytesPerSecond, now: now)
            stream.overdue = watch
            hasOverdue = true
            guard isStalled else { continue }
            connection.logOverdue()
            engine.reset(stream, .cancel)
            connection.setNeedsFlush()
        }
    }

    private func isHeaderBlockLate(_ timeouts: HTTPTimeouts, _ now: UInt64) -> Bool {
        guard let begin = engine.headerBlockStart else {
            headerBlock = nil
            return false
        }
        guard let headerBlock, headerBlock.begin == begin else {
            headerBlock = (begin, now)
            return false
        }
        return MonotonicTime.isPast(timeouts.requestHead, since: headerBlock.seen, now)
    }

    /// Streams have bytes to send but the peer's windows stay shut.
    private func checkStall(_ now: UInt64) {
        let timeouts = connection.server.timeouts
        if stall.isStalled(
            bufferedByteCount: engine.unsentByteCount, progress: engine.sentDataByteCount,
            period: timeouts.writeStall, bytesPerSecond: timeouts.writeBytesPerSecond, now: now)
        {
            giveUp("writeStall", "with the peer's flow-control window shut")
        }
    }

    /// Called at each tick.
    ///
    /// - Parameters:
    ///   - bufferedByteCount: number of bytes that the socket has not taken.
    ///   - progress: number of bytes that it has taken so far.
    func checkKeepalive(bufferedByteCount: Int, progress: Int, now: UInt64) {
        let timeouts = connection.server.timeouts
        let finding = keepalive.look(
            hasReceived: hasReceived, bufferedByteCount: bufferedByteCount, progress: progress, timeouts, now: now)
        hasReceived = false
        switch finding {
        case .nothing: break
        case .ask:
            engine.submitPing()
            connection.setNeedsFlush()
        case .gone:
            let text = "HTTPTimeouts.keepaliveTimeout = \(timeouts.keepaliveTimeout) passed after a keepalive PING"
            engine.terminate(.noError, limit: "keepaliveTimeout", reason: text)
            finishConnection()
            // Nobody takes what waits to be written.
            connection.close(reason: text)
        }
    }

    private func giveUp(_ timer: String, _ where: String) {
        engine.terminate(.enhanceYourCalm, limit: timer, reason: "HTTPTimeouts.\(timer) passed \(`where`)")
        finishConnection()
    }
}
