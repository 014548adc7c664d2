/// Asks a silent HTTP/2 peer for a sign of life, and finds out that none comes. A value without a clock.
///
///     silent --keepaliveInterval passes--> asked (PING) --keepaliveTimeout passes--> gone
///       ^----------sign of life--------------+
///
/// Any byte that is received is a sign of life. So is that the peer takes from what waits to be written: a PING comes
/// behind that, and a slow reader with a large window says nothing for minutes. What the socket takes while nothing
/// waits is none, since it takes some for a dead peer, too.
struct KeepaliveWatch {
    enum Finding: Equatable {
        case nothing
        /// Send a PING.
        case ask
        /// The PING was not answered.
        case gone
    }

    /// The last look that found a sign of life, or when the PING was sent.
    private var since: UInt64
    private var isAsked = false
    /// What the socket had taken at the last look, if more waited then.
    private var backlogProgress: Int?

    init(now: UInt64) { since = now }

    /// - Parameters:
    ///   - hasReceived: whether anything has come since the last look.
    ///   - bufferedByteCount: number of bytes that wait to be written.
    ///   - progress: number of bytes that the socket has taken so far.
    ///   - now: nanoseconds of any monotonic clock.
    mutating func look(
        hasReceived: Bool, bufferedByteCount: Int, progress: Int, _ timeouts: HTTPTimeouts, now: UInt64
    ) -> Finding {
        let takesBacklog = backlogProgress.map { progress > $0 } ?? false
        backlogProgress = bufferedByteCount > 0 ? progress : nil
        if hasReceived || takesBacklog {
            isAsked = false
            since = now
        } else if isAsked {
            if MonotonicTime.isPast(timeouts.keepaliveTimeout, since: since, now) { return .gone }
        } else if MonotonicTime.isPast(timeouts.keepaliveInterval, since: since, now) {
            isAsked = true
            since = now
            return .ask
        }
        return .nothing
    }
}
