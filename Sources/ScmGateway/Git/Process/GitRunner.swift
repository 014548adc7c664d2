import Foundation
import Subprocess
import Synchronization

/// Runs one-shot git commands under limits of number, time and output.
///
/// Cancelling the calling task kills the command's process group; the call returns when the process is reaped.
struct GitRunner: Sendable {
    let process: GitProcess
    let configuration: GitConfiguration
    let commands: AsyncSemaphore

    init(process: GitProcess, configuration: GitConfiguration) {
        self.process = process
        self.configuration = configuration
        // The queue of each repository is the one that refuses.
        commands = AsyncSemaphore(limit: configuration.maximumConcurrentCommands, queueLimit: .max, knob: "")
    }

    /// Runs a command and gives its whole output.
    ///
    /// - Throws: ``GitError``, `CancellationError`.
    nonisolated(nonsending) func output(
        of command: GitCommand,
        in repository: GitRepository,
        input: [UInt8] = []
    ) async throws -> [UInt8] {
        var output: [UInt8] = []
        try await stream(command, in: repository, input: input) { output.append(contentsOf: $0) }
        return output
    }

    /// Runs a command and hands its output over piece by piece. While `consume` waits, git waits, too (its pipe is
    /// full); an error it throws kills the command.
    ///
    /// - Parameter outputLimit: most bytes of output; nil means `maximumOutputByteCount`.
    /// - Throws: ``GitError``, `CancellationError`, and what `consume` throws.
    nonisolated(nonsending) func stream(
        _ command: GitCommand,
        in repository: GitRepository,
        input: [UInt8] = [],
        outputLimit: Int? = nil,
        consume: nonisolated(nonsending) ([UInt8]) async throws -> Void
    ) async throws {
        let limit = outputLimit ?? configuration.maximumOutputByteCount
        try await repository.commands.withUnit {
            try await commands.withUnit {
                try Task.checkCancellation()
                // Parsing is the consumer's; it may take long, so it must not happen on a caller's event loop.
                try await withTaskExecutorPreference(globalConcurrentExecutor) {
                    // The closure begins on the caller's executor, and leaves it when it first suspends.
                    await Task.yield()
                    try repository.objectFolders.check()
                    return try await run(command, in: repository.location, input: input, limit: limit, consume: consume)
                }
            }
        }
    }

    nonisolated(nonsending) private func run(
        _ command: GitCommand,
        in location: RepositoryLocation,
        input: [UInt8],
        limit: Int,
        consume: nonisolated(nonsending) ([UInt8]) async throws -> Void
    ) async throws {
        let processConfiguration = try process.configuration(command, in: location)
        let limits = configuration.limits(of: command)
        let pipe = try OutputPipe()
        defer { pipe.close() }
        let output = FileDescriptorOutput.fileDescriptor(pipe.writeEnd, closeAfterSpawningProcess: true)
        let outcome: (status: TerminationStatus, end: CommandEnd)
        do {
            if input.isEmpty {
                let result = try await Subprocess.run(
                    processConfiguration, input: .none, output: output, error: .sequence
                ) { try await supervise($0, limits, pipe, limit, consume) }
                outcome = (result.terminationStatus, result.closureResult)
            } else {
                let result = try await Subprocess.run(
                    processConfiguration, input: .array(input), output: output, error: .sequence
                ) { try await supervise($0, limits, pipe, limit, consume) }
                outcome = (result.terminationStatus, result.closureResult)
            }
        } catch let error as SubprocessError {
            try Task.checkCancellation()
            throw GitError.failed(status: "not started", message: "\(error)")
        }
        try Task.checkCancellation()
        guard !outcome.end.timedOut else {
            throw GitError.timedOut(limit: configuration.commandTimeout, knob: "commandTimeout")
        }
        if let status = command.subcommand.nothingFoundStatus, outcome.status == .exited(status) { return }
        guard outcome.status.isSuccess else { throw failure(of: command, outcome.status, outcome.end.errorText) }
    }

    /// Why a command ended badly: one of our limits, or anything else.
    private func failure(of command: GitCommand, _ status: TerminationStatus, _ text: String) -> GitError {
        #if os(Linux)
            if status == .signaled(SIGXCPU) {
                return .timedOut(limit: configuration.commandProcessorTime, knob: "gitProcessorTime")
            }
        #endif
        guard Self.saysOutOfMemory(text) else { return .failed(status: "\(status)", message: text) }
        let limit = configuration.maximumCommandMemoryByteCount
        if let own = command.memoryLimit, own <= limit {
            return .tooLarge(what: "the search's memory", limit: own, knob: "maximumSearchMemoryByteCount")
        }
        return .tooLarge(what: "the memory of git", limit: limit, knob: "maximumCommandMemoryByteCount")
    }

    /// git's texts are stable in the locale that it runs in; only the beginning of a line counts, because names of
    /// files follow.
    private static func saysOutOfMemory(_ text: String) -> Bool {
        let beginnings = [
            "fatal: Out of memory", "fatal: inflateInit: out of memory", "error: inflate: out of memory",
            "fatal: mmap failed: Cannot allocate memory",
        ]
        return text.split(separator: "\n").contains { line in beginnings.contains { line.hasPrefix($0) } }
    }

    /// What the supervision of a command saw.
    private struct CommandEnd: Sendable {
        var errorText: String
        var timedOut: Bool
    }

    /// Reads both outputs to their ends, with a timer beside it that kills the group. Every signal is sent in here,
    /// that is, before the process is reaped and its number can be given to another one.
    nonisolated(nonsending) private func supervise<Input: InputProtocol>(
        _ execution: Execution<Input, FileDescriptorOutput, SequenceOutput>,
        _ limits: ProcessLimits,
        _ pipe: OutputPipe,
        _ limit: Int,
        _ consume: nonisolated(nonsending) ([UInt8]) async throws -> Void
    ) async throws -> CommandEnd {
        try limits.apply(to: execution.processIdentifier)
        let timeout = configuration.commandTimeout
        let hasTimedOut = Flag()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                guard (try? await Task.sleep(for: timeout)) != nil else { return }
                hasTimedOut.set()
                try? execution.send(signal: .kill, toProcessGroup: true)
            }
            defer { group.cancelAll() }
            async let errorText = drain(execution.standardError)
            do {
                try await consumeAll(pipe, limit, until: hasTimedOut, consume)
            } catch {
                try? execution.send(signal: .kill, toProcessGroup: true)
                throw error
            }
            return await CommandEnd(errorText: errorText, timedOut: hasTimedOut.isSet)
        }
    }

    nonisolated(nonsending) private func consumeAll(
        _ pipe: OutputPipe,
        _ limit: Int,
        until hasTimedOut: Flag,
        _ consume: nonisolated(nonsending) ([UInt8]) async throws -> Void
    ) async throws {
        var byteCount = 0
        while let chunk = try await pipe.next(isFirst: byteCount == 0) {
            guard !chunk.isEmpty else {
                try Task.checkCancellation()
                // The group is killed then; what has left it may still hold the pipe.
                guard !hasTimedOut.isSet else { return }
                continue
            }
            byteCount += chunk.count
            guard byteCount <= limit else {
                throw GitError.tooLarge(what: "the output of git", limit: limit, knob: "maximumOutputByteCount")
            }
            try await consume(chunk)
        }
    }

    /// Keeps the first bytes and reads the rest, so that git never blocks on a full pipe.
    private func drain(_ output: SubprocessOutputSequence) async -> String {
        var kept: [UInt8] = []
        var iterator = output.makeAsyncIterator()
        while let chunk = try? await iterator.next() {
            let room = max(0, configuration.maximumErrorByteCount - kept.count)
            chunk.withUnsafeBytes { kept.append(contentsOf: $0.prefix(room)) }
        }
        return String(decoding: kept, as: UTF8.self)
    }
}

extension GitConfiguration {
    /// Of one command.
    func limits(of command: GitCommand) -> ProcessLimits {
        ProcessLimits(
            processorSeconds: Int(clamping: max(1, commandProcessorTime.components.seconds)),
            memoryByteCount: min(maximumCommandMemoryByteCount, command.memoryLimit ?? .max),
            fileByteCount: maximumWrittenFileByteCount
        )
    }

    /// Of a process that answers many questions, each of which has a time limit.
    var readerLimits: ProcessLimits {
        ProcessLimits(
            processorSeconds: nil, memoryByteCount: maximumCommandMemoryByteCount,
            fileByteCount: maximumWrittenFileByteCount
        )
    }
}

/// A boolean that goes from false to true, once, on any thread.
final class Flag: Sendable {
    private let value = Atomic(false)
    func set() { value.store(true, ordering: .releasing) }
    var isSet: Bool { value.load(ordering: .acquiring) }
}
