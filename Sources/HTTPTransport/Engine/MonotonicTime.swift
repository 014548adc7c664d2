/// Moments in nanoseconds of one monotonic clock.
enum MonotonicTime {
    /// Whether more than `limit` has gone by; never without a limit.
    static func isPast(_ limit: Duration?, since start: UInt64, _ now: UInt64) -> Bool {
        guard let limit, now > start else { return false }
        return now - start > UInt64(clamping: limit.nanoseconds)
    }
}

extension Duration {
    /// Whole nanoseconds; clamped.
    var nanoseconds: Int64 {
        let parts = components
        let (scaled, overflow) = parts.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return parts.seconds < 0 ? .min : .max }
        let (sum, carried) = scaled.addingReportingOverflow(parts.attoseconds / 1_000_000_000)
        return carried ? .max : sum
    }
}
