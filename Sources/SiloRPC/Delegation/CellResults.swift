import NIOCore

/// What every cell has answered to one question: an answer or an error for each, so that what is missing cannot be
/// overlooked.
public struct CellResults<Value: Sendable>: Sendable {
    public struct Outcome: Sendable {
        public let cell: CellName
        public let result: Result<Value, any Error>
    }

    /// In the order of the cells that were asked.
    public let outcomes: [Outcome]

    /// Of the cells that have answered.
    public var values: [CellName: Value] {
        let answered = outcomes.compactMap { outcome in (try? outcome.result.get()).map { (outcome.cell, $0) } }
        return Dictionary(answered) { one, _ in one }
    }

    /// Of the cells that have not.
    public var failures: [CellName: any Error] {
        var failures: [CellName: any Error] = [:]
        for outcome in outcomes {
            if case .failure(let error) = outcome.result { failures[outcome.cell] = error }
        }
        return failures
    }

    public var isComplete: Bool { outcomes.allSatisfy { if case .success = $0.result { true } else { false } } }

    /// For who needs all of them.
    ///
    /// - Throws: ``IncompleteCells`` that names the cells that have not answered, and why.
    public func complete() throws(IncompleteCells) -> [CellName: Value] {
        let failures = failures
        guard failures.isEmpty else { throw IncompleteCells(failures: failures, count: outcomes.count) }
        return values
    }
}

/// Some of the cells that were asked have not answered.
public struct IncompleteCells: Error, Sendable, CustomStringConvertible {
    public let failures: [CellName: any Error]
    /// How many cells were asked.
    public let count: Int

    public var description: String {
        let causes = failures.map { "\($0.key): \($0.value)" }.sorted().joined(separator: "; ")
        return "\(failures.count) of \(count) cells did not answer: \(causes)"
    }
}

extension Silo {
    /// Asks every cell the same, a few at a time.
    ///
    ///     let counts = try await silo.onCells { try await notes.count(cellName: $0.description) }
    ///
    /// From control all cells; in a monolith the one that it is.
    ///
    /// - Parameters:
    ///   - cells: which ones; nil for all of the directory, hidden ones included.
    ///   - maximumConcurrentCalls: cells that are asked at a time; at least 1.
    ///   - limit: for all of them together; what has not answered then has failed. nil leaves it to the calls.
    /// - Throws: ``SiloError/forbidden(_:)`` in a cell, which calls no others; ``SiloError/cellResolution(_:)`` for a
    ///   cell that there is not; `CancellationError`.
    public func onCells<Value: Sendable>(
        _ cells: [CellName]? = nil, maximumConcurrentCalls: Int = 16, within limit: Duration? = nil,
        _ body: @escaping @Sendable (CellName) async throws -> Value
    ) async throws -> CellResults<Value> {
        guard mode != .cell else { throw SiloError.forbidden("a cell does not call other cells; ask control") }
        let directory = directory
        let names = try (cells ?? directory.cellNames()).map { try directory.cell(named: $0.description).name }
        let end = limit.map { NIODeadline.now() + TimeAmount($0) } ?? SiloScope.current.deadline
        let deadline = SiloScope.current.deadline.flatMap { own in end.map { min($0, own) } } ?? end
        let results = try await SiloScope.with({ $0.deadline = deadline }) {
            try await withThrowingTaskGroup(of: (Int, Result<Value, any Error>).self) { group in
                var results: [Int: Result<Value, any Error>] = [:]
                for (index, name) in names.enumerated() {
                    if index >= max(1, maximumConcurrentCalls), let (done, result) = try await group.next() {
                        results[done] = result
                    }
                    group.addTask {
                        do { return (index, .success(try await body(name))) } catch { return (index, .failure(error)) }
                    }
                }
                while let (done, result) = try await group.next() { results[done] = result }
                return results
            }
        }
        try Task.checkCancellation()
        return CellResults(outcomes: names.enumerated().compactMap { index, name in
            results[index].map { CellResults<Value>.Outcome(cell: name, result: $0) }
        })
    }
}
