import Synchronization

/// Remembers for a few seconds where organizations live, and that some live nowhere; asks once for many who ask at the
/// same time.
public final class OrganizationCellCache: OrganizationCells {
    public struct Lifetimes: Sendable {
        /// Of a cell's name. Five seconds.
        public var known: Duration = .seconds(5)
        /// Of "there is no such organization". One second.
        public var unknown: Duration = .seconds(1)

        public init() {}
    }

    /// Entries beyond which all are forgotten.
    public static let maximumCount = 100_000

    private struct Entry {
        let cell: String?
        let expiry: ContinuousClock.Instant
    }

    private struct State {
        var entries: [OrganizationReference: Entry] = [:]
        var running: [Question: Task<String?, any Error>] = [:]
        /// How often something was forgotten: an answer to a question of before may be of before, too.
        var forgotten = 0
    }

    private struct Question: Hashable {
        let organization: OrganizationReference
        let isRefresh: Bool
    }

    private let source: any OrganizationCells
    private let lifetimes: Lifetimes
    private let state = Mutex(State())

    public init(_ source: any OrganizationCells, lifetimes: Lifetimes = Lifetimes()) {
        self.source = source
        self.lifetimes = lifetimes
    }

    public func cell(of organization: OrganizationReference) async throws -> String? {
        let now = ContinuousClock.now
        let entry = state.withLock { $0.entries[organization] }
        if let entry, entry.expiry > now { return entry.cell }
        return try await ask(Question(organization: organization, isRefresh: false))
    }

    public func refreshedCell(of organization: OrganizationReference) async throws -> String? {
        try await ask(Question(organization: organization, isRefresh: true))
    }

    public func someCells() async throws -> [String] { try await source.someCells() }

    /// Forgets organizations whose rows have changed; nil for all.
    public func forget(_ organizations: [OrganizationReference]?) {
        guard organizations?.isEmpty != true else { return }
        state.withLock { state in
            state.forgotten &+= 1
            if let organizations {
                for organization in organizations { state.entries[organization] = nil }
            } else {
                state.entries.removeAll()
            }
            // Who asks from now on must not get the answer to a question of before.
            state.running.removeAll()
        }
    }

    private func ask(_ question: Question) async throws -> String? {
        let task = state.withLock { state in
            if let running = state.running[question] { return running }
            let age = state.forgotten
            // Not a child of the caller: others wait for it too, when the caller has given up.
            let task = Task { [source] in
                defer { self.end(question, age) }
                let cell =
                    if question.isRefresh {
                        try await source.refreshedCell(of: question.organization)
                    } else {
                        try await source.cell(of: question.organization)
                    }
                self.remember(cell, for: question.organization, age)
                return cell
            }
            state.running[question] = task
            return task
        }
        return try await task.value
    }

    private func end(_ question: Question, _ age: Int) {
        state.withLock { state in
            if state.forgotten == age { state.running[question] = nil }
        }
    }

    private func remember(_ cell: String?, for organization: OrganizationReference, _ age: Int) {
        let expiry = ContinuousClock.now + (cell == nil ? lifetimes.unknown : lifetimes.known)
        state.withLock { state in
            guard state.forgotten == age else { return }
            if state.entries.count >= Self.maximumCount { state.entries.removeAll(keepingCapacity: true) }
            state.entries[organization] = Entry(cell: cell, expiry: expiry)
        }
    }
}
