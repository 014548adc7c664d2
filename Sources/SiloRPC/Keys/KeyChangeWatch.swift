import Storage
import Synchronization

/// Sees what another process, such as the command line, has changed of keys, before a remembered key is believed again.
///
/// ```
/// call --- looked within `interval`? --- yes --> what is remembered counts
///               | no
///               +--> one read for all calls that wait: changes after the last number seen --> those keys are forgotten
/// ```
///
/// Nothing runs while nobody calls, and however many call, the database is asked once each interval. A look that fails
/// leaves things as they were: a remembered key then ends with its own time.
final class KeyChangeWatch: Sendable {
    /// How long after a change was committed a remembered key may still be accepted.
    static let interval: Duration = .milliseconds(50)

    private struct State {
        var place: ChangeHistory.Place?
        var running: Task<Void, Never>?
    }

    private let store: APIKeyStore
    private let verified: VerifiedKeys
    private let interval: Duration
    private let state = Mutex(State())

    /// - Parameter verified: believes what it remembers only as long as this watch says
    ///   (``VerifiedKeys/confirm(until:)``).
    init(_ store: APIKeyStore, _ verified: VerifiedKeys, interval: Duration = KeyChangeWatch.interval) {
        self.store = store
        self.verified = verified
        self.interval = interval
        verified.confirm(until: .now)
    }

    /// Returns when a look that began after the call, or shortly before it, has ended.
    func look() async {
        let running = state.withLock { state in
            if let running = state.running { return running }
            // Not a child of the caller: others wait for it too, when the caller has given up.
            let task = Task { await self.run() }
            state.running = task
            return task
        }
        await running.value
    }

    private func run() async {
        let begin = ContinuousClock.now
        let place = state.withLock { $0.place }
        let changes = try? await store.changes(after: place)
        if let changes {
            // Without a place to begin at, or with too many changes, everything may have changed.
            changes.keyIDs.map(verified.forget) ?? verified.forgetAll()
        }
        verified.confirm(until: begin + interval)
        state.withLock { state in
            state.running = nil
            state.place = changes?.place ?? state.place
        }
    }
}
