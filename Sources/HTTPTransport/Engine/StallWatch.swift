/// Finds out that something waits to be written and the peer takes next to nothing of it.
///
///     nothing waits: idle --bytes wait--> measuring --a period of `writeStall` passes--> enough taken? --no--> stalled
///                      ^-----------------------+------------------------------------------ yes: next period
struct StallWatch {
    private var periodStart: UInt64 = 0
    private var progressAtStart = 0
    private var isMeasuring = false

    /// - Parameters:
    ///   - progress: number of bytes that the peer has taken so far.
    ///   - bytesPerSecond: what it must take at least, on average over `period`; 0 for anything at all.
    ///   - now: nanoseconds of any monotonic clock.
    mutating func isStalled(
        bufferedByteCount: Int, progress: Int, period: Duration?, bytesPerSecond: Int, now: UInt64
    ) -> Bool {
        guard bufferedByteCount > 0, let period else {
            isMeasuring = false
            return false
        }
        guard isMeasuring else {
            begin(progress, now)
            return false
        }
        guard MonotonicTime.isPast(period, since: periodStart, now) else { return false }
        let taken = progress &- progressAtStart
        let expected = Double(bytesPerSecond) * Double(period.nanoseconds) / 1e9
        begin(progress, now)
        return taken == 0 || Double(taken) < expected
    }

    private mutating func begin(_ progress: Int, _ now: UInt64) {
        isMeasuring = true
        periodStart = now
        progressAtStart = progress
    }
}
