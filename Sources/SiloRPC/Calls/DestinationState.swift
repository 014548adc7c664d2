import NIOCore
import Synchronization

/// What one process knows of one destination: calls in progress, breaker, budget of repetitions.
final class DestinationState: Sendable {
    enum Refusal: Sendable, Equatable {
        case full(limit: Int)
        case open(for: Duration)
    }

    private struct State {
        var running = 0
        var breaker: CircuitBreaker
        var retryTokens: Double
    }

    private let policy: SiloCallPolicy
    private let state: Mutex<State>

    init(_ policy: SiloCallPolicy, now: NIODeadline) {
        self.policy = policy
        state = Mutex(State(breaker: CircuitBreaker(policy, now: now), retryTokens: policy.retryReserve))
    }

    /// Takes a place for one call; give it back with ``end()``.
    func begin() -> Refusal? {
        state.withLock { state in
            guard state.running < policy.maximumConcurrentCalls else {
                return .full(limit: policy.maximumConcurrentCalls)
            }
            state.running += 1
            state.retryTokens = min(policy.retryReserve, state.retryTokens + policy.retryShare)
            return nil
        }
    }

    func end() { state.withLock { $0.running -= 1 } }

    /// Whether an attempt may go out.
    func admit(_ now: NIODeadline) -> Refusal? {
        state.withLock { $0.breaker.admit(now).map { .open(for: $0) } }
    }

    func didAnswer(_ now: NIODeadline) { state.withLock { $0.breaker.didAnswer(now) } }

    func didFail(_ now: NIODeadline) { state.withLock { $0.breaker.didFail(now) } }

    /// Takes a repetition out of the budget.
    func mayRetry() -> Bool {
        state.withLock { state in
            guard state.retryTokens >= 1 else { return false }
            state.retryTokens -= 1
            return true
        }
    }

    var breakerState: CircuitBreaker.State { state.withLock { $0.breaker.state } }
    var runningCount: Int { state.withLock { $0.running } }
}
