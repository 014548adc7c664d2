import Synchronization

/// Answers to "whose key is this" for a few seconds, so that calls need no database read.
///
/// Bounded: when full, refused and expired keys are forgotten, so that a flood of wrong keys cannot push out the right
/// ones; should all be right, everything is. That costs one read per key in use, and no bookkeeping per call.
final class VerifiedKeys: Sendable {
    static let maximumCount = 10_000
    private struct Entry {
        /// nil: unknown or revoked.
        let principal: Principal?
        let expiry: ContinuousClock.Instant
    }

    private let entries = Mutex<[[UInt8]: Entry]>([:])

    /// nil when nothing is known; `.some(nil)` when the key is known to be invalid.
    func principal(of hash: [UInt8], at now: ContinuousClock.Instant) -> Principal?? {
        entries.withLock { entries in
            guard let entry = entries[hash], entry.expiry > now else { return nil }
            return .some(entry.principal)
        }
    }

    func remember(_ principal: Principal?, for hash: [UInt8], until expiry: ContinuousClock.Instant) {
        entries.withLock { entries in
            if entries.count >= Self.maximumCount {
                let now = ContinuousClock.now
                entries = entries.filter { $0.value.principal != nil && $0.value.expiry > now }
            }
            if entries.count >= Self.maximumCount {
                guard principal != nil else { return }
                entries.removeAll(keepingCapacity: true)
            }
            entries[hash] = Entry(principal: principal, expiry: expiry)
        }
    }

    var count: Int { entries.withLock { $0.count } }
}
