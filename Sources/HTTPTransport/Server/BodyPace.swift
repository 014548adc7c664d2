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
