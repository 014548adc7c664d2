import Synchronization

/// Which signatures were seen, for as long as their time would let them pass again.
///
/// Bounded: when it is full of nonces that still count, nothing more is accepted; to forget one would let a recorded
/// request be sent again.
final class NonceMemory: Sendable {
    enum Answer { case new, seen, full }

    private struct Entry: Hashable {
        let keyID: Int64
        let nonce: String
    }

    private struct State {
        var expiries: [Entry: Int64] = [:]
        var nextSweep: Int64 = 0
        /// What expired by then is forgotten.
        var forgottenUntil: Int64 = .min
    }

    private let state = Mutex(State())
    private let maximumCount: Int

    init(maximumCount: Int) {
        self.maximumCount = maximumCount
    }

    var count: Int { state.withLock { $0.expiries.count } }

    /// - Parameters:
    ///   - expiry: when the nonce need not be known any more, in milliseconds since 1970 UTC.
    ///   - now: likewise.
    func take(_ nonce: String, keyID: Int64, until expiry: Int64, now: Int64) -> Answer {
        state.withLock { state in
            if state.expiries.count >= maximumCount, now >= state.nextSweep {
                state.expiries = state.expiries.filter { $0.value > now }
                state.forgottenUntil = max(state.forgottenUntil, now)
                // Once a second: a flood of signed calls must not pay for a walk over all nonces each.
                state.nextSweep = now + 1000
            }
            // Its head was checked in time, its body took longer: whether it was seen is not known any more.
            guard expiry > state.forgottenUntil else { return .seen }
            let entry = Entry(keyID: keyID, nonce: nonce)
            if let known = state.expiries[entry], known > now { return .seen }
            guard state.expiries.count < maximumCount else { return .full }
            state.expiries[entry] = expiry
            return .new
        }
    }
}
