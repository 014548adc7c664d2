import Synchronization

/// A counting semaphore for tasks: first come, first served; a waiting task can be cancelled; the queue is bounded.
final class AsyncSemaphore: Sendable {
    private struct State {
        var available: Int
        var waiting: [(id: UInt64, continuation: CheckedContinuation<Void, any Error>)] = []
        var nextID: UInt64 = 0
    }

    private let limit: Int
    private let queueLimit: Int
    private let knob: String
    private let state: Mutex<State>

    /// - Parameters:
    ///   - queueLimit: how many may wait before the next one is refused.
    ///   - knob: the name of the queue limit's setting, for the error message.
    init(limit: Int, queueLimit: Int, knob: String) {
        self.limit = max(1, limit)
        self.queueLimit = queueLimit
        self.knob = knob
        state = Mutex(State(available: max(1, limit)))
    }

    /// Runs `body` while holding one unit.
    ///
    /// - Throws: ``GitError/overloaded(limit:knob:)``, `CancellationError`, or what `body` throws.
    nonisolated(nonsending) func withUnit<R>(_ body: nonisolated(nonsending) () async throws -> R) async throws -> R {
        try await acquire()
        defer { release() }
        return try await body()
    }

    private func acquire() async throws {
        let id = state.withLock { state in
            state.nextID &+= 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                switch enqueue(id, continuation) {
                case .granted: continuation.resume()
                case .refused: continuation.resume(throwing: GitError.overloaded(limit: queueLimit, knob: knob))
                case .cancelled: continuation.resume(throwing: CancellationError())
                case .waiting: break
                }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiting.firstIndex { $0.id == id }.map { state.waiting.remove(at: $0) }
            }
            waiter?.continuation.resume(throwing: CancellationError())
        }
    }

    private enum Admission { case granted, waiting, refused, cancelled }

    private func enqueue(_ id: UInt64, _ continuation: CheckedContinuation<Void, any Error>) -> Admission {
        state.withLock { state in
            // A cancellation that came before this point found nobody to remove.
            if Task.isCancelled { return .cancelled }
            if state.available > 0 {
                state.available -= 1
                return .granted
            }
            guard state.waiting.count < queueLimit else { return .refused }
            state.waiting.append((id, continuation))
            return .waiting
        }
    }

    private func release() {
        let next = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            if state.waiting.isEmpty {
                state.available += 1
                return nil
            }
            return state.waiting.removeFirst().continuation
        }
        next?.resume()
    }

    /// Nobody holds or awaits a unit.
    var isIdle: Bool { state.withLock { $0.available == limit && $0.waiting.isEmpty } }
}
