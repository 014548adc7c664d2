import Logging
import Synchronization

/// How often each limit has refused or ended something, since the server started; and the log lines about it, which are
/// themselves limited: a flood must not fill the disk.
final class LimitHits: Sendable {
    /// Lines per second that are written; the number of those left out follows with the next line that is.
    static let linesPerSecond = 20

    private struct State {
        var counts: [String: Int] = [:]
        var second: UInt64 = 0
        var lines = 0
        var leftOut = 0
    }

    private let state = Mutex(State())

    var counts: [String: Int] { state.withLock { $0.counts } }

    func add(_ limit: String) { state.withLock { $0.counts[limit, default: 0] += 1 } }

    /// Whether a line may be written now, and how many were left out before it; `now` in nanoseconds.
    func admitLine(now: UInt64) -> (isAdmitted: Bool, leftOut: Int) {
        state.withLock { state in
            let second = now / 1_000_000_000
            if second != state.second {
                state.second = second
                state.lines = 0
            }
            guard state.lines < Self.linesPerSecond else {
                state.leftOut += 1
                return (false, 0)
            }
            state.lines += 1
            defer { state.leftOut = 0 }
            return (true, state.leftOut)
        }
    }
}
