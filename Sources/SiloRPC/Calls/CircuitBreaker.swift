import NIOCore

/// Stops calls to a silo that does not answer, and finds out by itself when it answers again.
///
/// ```
///   closed --failures in the window, more than half--> open --pause has passed--> trying (one call)
///     ^                                                 ^                          |        |
///     +------------------------ it was answered --------|--------------------------+        |
///                                                       +------ it failed, or never ended --+
/// ```
///
/// A failure is silence or overload, never an error that the silo has answered with.
struct CircuitBreaker: Sendable {
    enum State: Sendable, Equatable {
        case closed
        case open(until: NIODeadline)
        /// One call is on its way; another one may go when that has not ended by then.
        case trying(until: NIODeadline)
    }

    private(set) var state = State.closed
    private let policy: SiloCallPolicy
    private var windowEnd: NIODeadline
    private var failures = 0
    private var answers = 0

    init(_ policy: SiloCallPolicy, now: NIODeadline) {
        self.policy = policy
        windowEnd = now + TimeAmount(policy.breakerWindow)
    }

    /// - Returns: nil when a call may go; else how long to wait.
    mutating func admit(_ now: NIODeadline) -> Duration? {
        switch state {
        case .closed: return nil
        case .open(let end), .trying(let end):
            guard now >= end else { return Duration(end - now) }
            state = .trying(until: now + TimeAmount(policy.breakerPause))
            return nil
        }
    }

    mutating func didAnswer(_ now: NIODeadline) {
        if state != .closed {
            state = .closed
            startWindow(now)
        }
        moveWindow(now)
        answers += 1
    }

    mutating func didFail(_ now: NIODeadline) {
        moveWindow(now)
        failures += 1
        switch state {
        case .closed:
            if failures >= policy.breakerFailures, failures > answers { open(now) }
        case .trying: open(now)
        // A call from before: known already.
        case .open: break
        }
    }

    private mutating func open(_ now: NIODeadline) {
        state = .open(until: now + TimeAmount(policy.breakerPause))
        startWindow(now)
    }

    private mutating func moveWindow(_ now: NIODeadline) {
        if now >= windowEnd { startWindow(now) }
    }

    private mutating func startWindow(_ now: NIODeadline) {
        windowEnd = now + TimeAmount(policy.breakerWindow)
        failures = 0
        answers = 0
    }
}
