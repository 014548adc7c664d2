import NIOCore
import Synchronization

/// Pulls that somebody waits for: a call needs what the replica lacks and control may have already.
///
/// ```
///        refresh()                 refresh()
/// idle ------------> pulling ---------------------> pulling, the next pull has waiters
///   ^                   |  nobody waits                 | after `spacing`
///   +-------------------+                               +--> pulling
///
/// control silent: whoever waits goes on without, and nobody waits for `pause`
/// ```
///
/// A pull that runs may have passed the row already, so whoever comes waits for the next one, together with all who
/// come meanwhile. However many unknown things are asked for, control gets one pull each ``Limits/spacing``.
public final class ReplicaDemand: Sendable {
    public struct Limits: Sendable {
        /// Between the end of a pull and the beginning of the next. Default 100 ms.
        public var spacing: Duration = .milliseconds(100)
        /// How long a call waits. Default 1 s.
        public var patience: Duration = .seconds(1)
        /// How long nobody waits after control did not answer. Default 1 s.
        public var pause: Duration = .seconds(1)
        /// Calls that wait at a time; one more goes on without. Default 256.
        public var maximumWaitingCount = 256

        public init() {}
    }

    private struct State {
        var isRunning = false
        var waitingCount = 0
        /// For the pull that begins next.
        var next: [Waiter] = []
        var pausedUntil: ContinuousClock.Instant?
    }

    private let limits: Limits
    private let pull: @Sendable () async throws -> Void
    private let state = Mutex(State())

    /// - Parameter pull: brings the replicas up to date, with changes of after it was called.
    public init(limits: Limits = Limits(), pull: @escaping @Sendable () async throws -> Void) {
        self.limits = limits
        self.pull = pull
    }

    /// Calls that wait now.
    var waitingCount: Int { state.withLock { $0.waitingCount } }

    /// - Returns: true when control was asked since, so that looking again may help; false when it could not be asked,
    ///   or not in time.
    public func refresh() async -> Bool {
        let waiter = Waiter()
        let begins: Bool? = state.withLock { state in
            guard state.waitingCount < limits.maximumWaitingCount, state.pausedUntil.map({ $0 <= .now }) ?? true else {
                return nil
            }
            state.waitingCount += 1
            state.next.append(waiter)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard let begins else { return false }
        // Not a child of the caller: others wait for it too, when the caller has given up.
        if begins { Task { await self.run() } }
        let outcome = await waiter.outcome(within: limits.patience)
        state.withLock { state in
            state.waitingCount -= 1
            // A caller that has gone says nothing about control.
            if outcome == nil, !Task.isCancelled { pause(&state) }
        }
        return outcome ?? false
    }

    private func run() async {
        while let waiting = begin() {
            do {
                let end = NIODeadline.now() + TimeAmount(limits.patience)
                try await SiloScope.with({ $0.deadline = end }) { try await pull() }
                for waiter in waiting { waiter.end(true) }
                try? await Task.sleep(for: limits.spacing)
            } catch {
                let all = state.withLock { state in
                    pause(&state)
                    defer { state.next = [] }
                    return waiting + state.next
                }
                for waiter in all { waiter.end(false) }
            }
        }
    }

    private func begin() -> [Waiter]? {
        state.withLock { state in
            guard !state.next.isEmpty else {
                state.isRunning = false
                return nil
            }
            defer { state.next = [] }
            return state.next
        }
    }

    private func pause(_ state: inout State) { state.pausedUntil = ContinuousClock.now + limits.pause }
}

/// One who waits, no longer than it can bear.
private final class Waiter: Sendable {
    private struct State {
        var isEnded = false
        var outcome: Bool?
        var continuation: CheckedContinuation<Bool?, Never>?
    }

    private let state = Mutex(State())

    /// The first end counts.
    func end(_ outcome: Bool?) {
        let continuation = state.withLock { state -> CheckedContinuation<Bool?, Never>? in
            guard !state.isEnded else { return nil }
            (state.isEnded, state.outcome) = (true, outcome)
            return state.continuation
        }
        continuation?.resume(returning: outcome)
    }

    /// nil when time is up, or the caller was cancelled.
    func outcome(within limit: Duration) async -> Bool? {
        let timer = Task {
            try? await Task.sleep(for: limit)
            self.end(nil)
        }
        defer { timer.cancel() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Bool?, Never>) in
                let isEnded = state.withLock { state in
                    if !state.isEnded { state.continuation = continuation }
                    return state.isEnded
                }
                if isEnded { continuation.resume(returning: state.withLock { $0.outcome }) }
            }
        } onCancel: {
            end(nil)
        }
    }
}
