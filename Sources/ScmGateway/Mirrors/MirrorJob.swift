import Synchronization

/// A clone or fetch that runs, whoever waits for it.
final class MirrorJob: Sendable {
    private let watchers: ProgressWatchers
    private let task: Task<MirrorFailure?, Never>

    init(_ body: @escaping @Sendable (@escaping @Sendable (TransferProgress) -> Void) async -> MirrorFailure?) {
        let watchers = ProgressWatchers()
        self.watchers = watchers
        task = Task {
            let failure = await body { watchers.tell($0) }
            watchers.end()
            return failure
        }
    }

    /// What it tells from now on, only the newest when the reader is slow; ends with the job.
    func watch() -> AsyncStream<TransferProgress> { watchers.add() }

    /// Why it failed; nil when it did not.
    func end() async -> MirrorFailure? { await task.value }

    func cancel() { task.cancel() }
}

/// Who wants to know how far a job got.
private final class ProgressWatchers: Sendable {
    private struct State {
        var watchers: [Int: AsyncStream<TransferProgress>.Continuation] = [:]
        var nextID = 0
        var isOver = false
    }

    private let state = Mutex(State())

    func tell(_ progress: TransferProgress) {
        for watcher in state.withLock({ Array($0.watchers.values) }) { watcher.yield(progress) }
    }

    func end() {
        let watchers = state.withLock { state in
            state.isOver = true
            defer { state.watchers = [:] }
            return Array(state.watchers.values)
        }
        for watcher in watchers { watcher.finish() }
    }

    func add() -> AsyncStream<TransferProgress> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: TransferProgress.self, bufferingPolicy: .bufferingNewest(1)
        )
        let id = state.withLock { state -> Int? in
            guard !state.isOver else { return nil }
            state.nextID += 1
            state.watchers[state.nextID] = continuation
            return state.nextID
        }
        guard let id else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.state.withLock { $0.watchers.removeValue(forKey: id) }
        }
        return stream
    }
}
