import Foundation
import SiloRPC
import Synchronization

/// Packs and cleans up copies, one at a time and at the lowest priority, beside fetches and readers: git lets all of
/// them see a whole repository.
///
/// ```
/// add -> waiting -> running -> done      remove: out of the queue, or its process is killed
/// ```
final class MirrorMaintenance: Sendable {
    /// Packs of which each fetch adds one; more make every look-up slower.
    static let maximumPackCount = 20
    /// A copy that was fetched since is cleaned up after this long in any case: 7 days, in milliseconds.
    static let maximumAge: Int64 = 604_800_000

    private struct State {
        var waiting: [StoredRepository] = []
        var running: (id: Int64, task: Task<Void, Never>)?
        var isOver = false
    }

    private let state = Mutex(State())
    private let work: @Sendable (StoredRepository) async -> Void

    /// - Parameter work: cleans one copy up.
    init(_ work: @escaping @Sendable (StoredRepository) async -> Void) {
        self.work = work
    }

    /// Whether a copy needs it. Blocks on the file system.
    static func isDue(_ row: StoredRepository, now: Int64) -> Bool {
        guard let mirror = row.mirror else { return false }
        if now - mirror.maintainedAt > maximumAge { return true }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: row.gitFolder + "/objects/pack")) ?? []
        return names.count { $0.hasSuffix(".pack") } > maximumPackCount
    }

    func add(_ row: StoredRepository) {
        state.withLock { state in
            guard !state.isOver, state.running?.id != row.id, !state.waiting.contains(where: { $0.id == row.id }) else {
                return
            }
            state.waiting.append(row)
            startNext(&state)
        }
    }

    private func startNext(_ state: inout State) {
        guard state.running == nil, !state.isOver, !state.waiting.isEmpty else { return }
        let row = state.waiting.removeFirst()
        state.running = (row.id, Task(priority: .background) { [weak self] in
            await self?.work(row)
            self?.state.withLock { state in
                state.running = nil
                self?.startNext(&state)
            }
        })
    }

    /// Returns when nothing is done with this copy any more.
    func remove(_ id: Int64) async {
        let task = state.withLock { state in
            state.waiting.removeAll { $0.id == id }
            return state.running.flatMap { $0.id == id ? $0.task : nil }
        }
        task?.cancel()
        await task?.value
    }

    func shutDown() async {
        let task = state.withLock { state in
            state.isOver = true
            state.waiting = []
            return state.running?.task
        }
        task?.cancel()
        await task?.value
    }
}
