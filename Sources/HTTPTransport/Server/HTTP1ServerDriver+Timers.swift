/// Drain, and the clocks of idleness, heads and bodies.
extension HTTP1ServerDriver {
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
        guard MonotonicTime.isPast(isIdle ? timeouts.idleHTTP1 : timeouts.requestHead, since: waitStart, now) else {
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
