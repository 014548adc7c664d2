/// How many events of one kind a peer may cause in one window of time.
///
/// Counting restarts when a window has passed. Time is a parameter (nanoseconds of any monotonic clock), so
/// the budget can be tested without one.
struct FrameBudget {
    let limit: Int
    let windowNanoseconds: UInt64
    private var count = 0
    private var windowStart: UInt64 = 0

    init(limit: Int, seconds: Int) {
        self.limit = limit
        windowNanoseconds = UInt64(max(seconds, 1)) * 1_000_000_000
    }

    /// Counts events; false when that is more than the limit allows.
    mutating func spend(_ events: Int = 1, now: UInt64) -> Bool {
        if now < windowStart || now - windowStart >= windowNanoseconds || count == 0 {
            windowStart = now
            count = 0
        }
        count += events
        return count <= limit
    }
}

/// A bucket of tokens: `burst` events at once, `perSecond` of them for ever.
struct TokenBucket {
    let burst: Int
    let perSecond: Int
    private var tokens: Double
    private var last: UInt64 = 0

    init(burst: Int, perSecond: Int) {
        self.burst = burst
        self.perSecond = perSecond
        tokens = Double(burst)
    }

    /// Counts one event; false when there is no token for it.
    mutating func spend(now: UInt64) -> Bool {
        if now > last, last > 0 {
            tokens = min(tokens + Double(now - last) * Double(perSecond) / 1e9, Double(burst))
        }
        last = now
        tokens -= 1
        return tokens >= 0
    }
}

/// The budgets that nghttp2 1.52 does not keep by itself (protocol rules, attack table), and those that it keeps
/// without saying which one has acted.
///
///     received frame --> credit left? --yes--> free
///                             | no
///                             v
///                        budget left? --no--> GOAWAY(ENHANCE_YOUR_CALM)
struct FrameBudgets {
    private var sentResets: FrameBudget
    private var control: FrameBudget
    private var windowUpdates: FrameBudget
    private var emptyData: FrameBudget
    private var headerFields: FrameBudget
    private var receivedResets: TokenBucket
    private let settingsEntries: Int
    /// Frames that our own DATA and HEADERS pay for: clients that measure bandwidth answer them with PING
    /// (the idea of gRFC A8's ping strikes) and window updates. A PING of ours pays for its acknowledgement.
    private var pingCredit = 0
    private var windowCredit = 0
    /// Why the connection must end. Set once.
    private(set) var exhausted: (limit: String, value: Int)?

    init(limits: HTTPLimits) {
        sentResets = FrameBudget(limit: limits.sentResets, seconds: limits.budgetSeconds)
        control = FrameBudget(limit: limits.controlFrames, seconds: limits.budgetSeconds)
        windowUpdates = FrameBudget(limit: limits.windowUpdates, seconds: limits.budgetSeconds)
        emptyData = FrameBudget(limit: limits.emptyDataFrames, seconds: limits.budgetSeconds)
        receivedResets = TokenBucket(burst: limits.receivedResetBurst, perSecond: limits.receivedResetsPerSecond)
        settingsEntries = limits.settingsEntries
        headerFields = FrameBudget(limit: limits.headerFieldsPerSecond, seconds: 1)
    }

    mutating func didSendHeadersOrData() {
        pingCredit = min(pingCredit + 1, 1_000)
        windowCredit = min(windowCredit + 2, 10_000)
    }

    /// Its acknowledgement is free.
    mutating func didSendPing() { pingCredit = min(pingCredit + 1, 1_000) }

    mutating func didSendReset(now: UInt64) {
        if !sentResets.spend(now: now) { exhaust("sentResets", sentResets.limit) }
    }

    mutating func didReceiveReset(now: UInt64) {
        if !receivedResets.spend(now: now) { exhaust("receivedResetBurst", receivedResets.burst) }
    }

    /// An entry has six bytes (RFC 9113 section 6.5.1).
    mutating func didReceiveSettings(byteCount: Int, now: UInt64) {
        if byteCount / 6 > settingsEntries { exhaust("settingsEntries", settingsEntries) }
        didReceiveControlFrame(now: now)
    }

    mutating func didReceivePing(now: UInt64) {
        if pingCredit > 0 { pingCredit -= 1 } else { didReceiveControlFrame(now: now) }
    }

    mutating func didReceiveControlFrame(now: UInt64) {
        if !control.spend(now: now) { exhaust("controlFrames", control.limit) }
    }

    mutating func didReceiveWindowUpdate(now: UInt64) {
        if windowCredit > 0 {
            windowCredit -= 1
        } else if !windowUpdates.spend(now: now) {
            exhaust("windowUpdates", windowUpdates.limit)
        }
    }

    mutating func didReceiveEmptyData(now: UInt64) {
        if !emptyData.spend(now: now) { exhaust("emptyDataFrames", emptyData.limit) }
    }

    mutating func didReceiveFields(_ count: Int, now: UInt64) {
        if !headerFields.spend(count, now: now) { exhaust("headerFieldsPerSecond", headerFields.limit) }
    }

    mutating func didQueueTooManyFrames(limit: Int) { exhaust("queuedFrames", limit) }

    private mutating func exhaust(_ name: String, _ limit: Int) {
        if exhausted == nil { exhausted = (name, limit) }
    }
}
