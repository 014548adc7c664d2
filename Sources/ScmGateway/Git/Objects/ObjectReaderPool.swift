import Synchronization

/// Keeps `git cat-file` processes for reuse: bounded per repository and in total, ended when unused for a while.
///
/// A caller waits for a reader only when all of its repository's are in use; the total is kept by ending the reader
/// that has been idle longest, and callers wait when none is idle.
final class ObjectReaderPool: Sendable {
    private struct Idle {
        let reader: ObjectReader
        let repository: RepositoryLocation
        let since: ContinuousClock.Instant
    }

    private struct State {
        /// Oldest first.
        var idle: [Idle] = []
        var busy: [ObjectIdentifier: (reader: ObjectReader, since: ContinuousClock.Instant)] = [:]
        var isSweeping = false
        var isShutDown = false
    }

    private let process: GitProcess
    private let configuration: GitConfiguration
    private let total: AsyncSemaphore
    private let state = Mutex(State())

    init(process: GitProcess, configuration: GitConfiguration) {
        self.process = process
        self.configuration = configuration
        total = AsyncSemaphore(limit: configuration.maximumObjectReaders, queueLimit: .max, knob: "")
    }

    /// Asks a reader of the repository.
    ///
    /// - Throws: ``GitError``, `CancellationError`.
    func ask(_ answers: ObjectAnswers, in repository: GitRepository) async throws {
        try await repository.readers.withUnit {
            try await total.withUnit {
                let reader = try lend(repository.location)
                do {
                    try await reader.ask(answers.question, answer: answers)
                } catch {
                    reader.breakOff()
                    let timedOut = takeBack(reader, repository.location) > configuration.commandTimeout
                    try Task.checkCancellation()
                    throw timedOut
                        ? GitError.timedOut(limit: configuration.commandTimeout, knob: "commandTimeout") : error
                }
                _ = takeBack(reader, repository.location)
            }
        }
    }

    /// Ends the idle readers of a repository, for example because its folder has gone.
    func discard(_ repository: RepositoryLocation) {
        let gone = state.withLock { state in
            let gone = state.idle.filter { $0.repository == repository }
            state.idle.removeAll { $0.repository == repository }
            return gone
        }
        for entry in gone { entry.reader.breakOff() }
    }

    /// Ends all readers and waits until their processes are reaped. Later calls fail.
    func shutDown() async {
        let readers = state.withLock { state in
            state.isShutDown = true
            defer { state.idle = [] }
            return state.idle.map(\.reader) + state.busy.values.map(\.reader)
        }
        for reader in readers { await reader.stop() }
    }

    /// Processes that exist now.
    var count: Int { state.withLock { $0.idle.count + $0.busy.count } }

    // MARK: Lending

    private func lend(_ repository: RepositoryLocation) throws(GitError) -> ObjectReader {
        let (reader, surplus) = try state.withLock { state throws(GitError) in
            guard !state.isShutDown else { throw GitError.shutDown }
            let found = state.idle.lastIndex { $0.repository == repository && $0.reader.isUsable }
            let reader = found.map { state.idle.remove(at: $0).reader }
                ?? ObjectReader(process: process, location: repository, limits: configuration.readerLimits)
            state.busy[ObjectIdentifier(reader)] = (reader, .now)
            let isFull = state.idle.count + state.busy.count > configuration.maximumObjectReaders
            return (reader, isFull && !state.idle.isEmpty ? state.idle.removeFirst().reader : nil)
        }
        surplus?.breakOff()
        startSweeping()
        return reader
    }

    /// - Returns: how long it was lent.
    private func takeBack(_ reader: ObjectReader, _ repository: RepositoryLocation) -> Duration {
        let now = ContinuousClock.now
        let (since, isShutDown) = state.withLock { state in
            let since = state.busy.removeValue(forKey: ObjectIdentifier(reader))?.since ?? now
            if reader.isUsable, !state.isShutDown {
                state.idle.append(Idle(reader: reader, repository: repository, since: now))
            }
            return (since, state.isShutDown)
        }
        if isShutDown { reader.breakOff() }
        return now - since
    }

    // MARK: Sweeping

    /// Starts the task that ends unused and stuck readers, unless it runs. It ends itself with the last reader.
    private func startSweeping() {
        let isNeeded = state.withLock { state in
            defer { state.isSweeping = true }
            return !state.isSweeping
        }
        guard isNeeded else { return }
        let period = min(configuration.objectReaderIdleTimeout, configuration.commandTimeout) / 2
        Task { [weak self] in
            repeat { try? await Task.sleep(for: max(period, .milliseconds(10))) } while self?.sweep() == true
        }
    }

    /// - Returns: whether there is anything left to look after.
    private func sweep() -> Bool {
        let now = ContinuousClock.now
        let (ended, goesOn) = state.withLock { state in
            let isOld = { (entry: Idle) in now - entry.since > self.configuration.objectReaderIdleTimeout }
            var ended = state.idle.filter(isOld).map(\.reader)
            state.idle.removeAll(where: isOld)
            ended += state.busy.values.filter { now - $0.since > configuration.commandTimeout }.map(\.reader)
            state.isSweeping = !state.isShutDown && !(state.idle.isEmpty && state.busy.isEmpty)
            return (ended, state.isSweeping)
        }
        for reader in ended { reader.breakOff() }
        return goesOn
    }
}
