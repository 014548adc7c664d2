import Foundation
import Subprocess
import Synchronization
import SystemPackage

/// Runs ``TransferCommand``s under limits of time and size.
///
/// Cancelling the calling task kills the command's process group; the call returns when the process is reaped.
struct MirrorTransfer: Sendable {
    /// git's absolute path.
    let program: String
    let configuration: MirrorConfiguration

    /// - Parameters:
    ///   - addresses: as ``RemoteAddress/vetted(_:)`` gave them.
    ///   - growing: the folder whose size is watched.
    ///   - report: told how far it got, often.
    /// - Returns: standard output, at most 64 KiB of it.
    /// - Throws: ``MirrorFailure``.
    func run(
        _ command: TransferCommand, _ addresses: [String], timeout: (limit: Duration, knob: String),
        growing folder: String? = nil, report: @escaping @Sendable (TransferProgress) -> Void = { _ in }
    ) async throws -> [UInt8] {
        let end: End
        let status: TerminationStatus
        do {
            let result = try await Subprocess.run(
                processConfiguration(command, addresses), input: .none, output: .sequence, error: .sequence
            ) { try await supervise($0, timeout.limit, folder, report) }
            (end, status) = (result.closureResult, result.terminationStatus)
        } catch {
            throw Task.isCancelled ? MirrorFailure.cancelled : MirrorFailure.failed("\(error)")
        }
        if Task.isCancelled { throw MirrorFailure.cancelled }
        if end.isTooLarge { throw tooLarge }
        if end.hasTimedOut { throw MirrorFailure.timedOut(limit: timeout.limit, knob: timeout.knob) }
        guard status.isSuccess else { throw failure(end.text) }
        return end.output
    }

    private var tooLarge: MirrorFailure {
        .tooLarge(limit: configuration.maximumByteCount, knob: "maximumMirrorByteCount")
    }

    private func processConfiguration(_ command: TransferCommand, _ addresses: [String]) -> Configuration {
        var options = PlatformOptions()
        options.processGroupID = 0
        options.teardownSequence = [.send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .seconds(1))]
        // No file may grow beyond the limit: the system stops what would, between two looks at the folder. The shell
        // sees a fixed text; what git gets are its positional parameters.
        // With the signal ignored, git says that the file is too large instead of being killed.
        let nice = command.isInBackground ? "nice -n 19 " : ""
        let script = """
            trap '' XFSZ; ulimit -c 0 && ulimit -f \(configuration.maximumByteCount / 512 + 1) \
            && ulimit -d \(configuration.maximumMemoryByteCount / 1024) \
            && ulimit -t \(max(1, configuration.transferTimeout.components.seconds)) && exec \(nice)"$0" "$@"
            """
        let arguments = ["-c", script, program] + command.arguments
        let variables = command.environment(configuration, addresses).map { Array("\($0.key)=\($0.value)".utf8) + [0] }
        return Configuration(
            executable: .path(FilePath("/bin/sh")), arguments: Arguments(arguments), environment: .custom(variables),
            workingDirectory: FilePath("/"), platformOptions: options
        )
    }

    private struct End: Sendable {
        var output: [UInt8]
        var text: String
        var hasTimedOut: Bool
        var isTooLarge: Bool
    }

    private func supervise<Input: InputProtocol>(
        _ execution: Execution<Input, SequenceOutput, SequenceOutput>, _ timeout: Duration, _ folder: String?,
        _ report: @escaping @Sendable (TransferProgress) -> Void
    ) async throws -> End {
        let hasTimedOut = Flag()
        let isTooLarge = Flag()
        let limit = configuration.maximumByteCount
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                guard (try? await Task.sleep(for: timeout)) != nil else { return }
                hasTimedOut.set()
                try? execution.send(signal: .kill, toProcessGroup: true)
            }
            if let folder {
                group.addTask {
                    while (try? await Task.sleep(for: .seconds(1))) != nil {
                        guard (try? await offLoop({ FolderSize.of(folder) })) ?? 0 > limit else { continue }
                        isTooLarge.set()
                        try? execution.send(signal: .kill, toProcessGroup: true)
                    }
                }
            }
            defer { group.cancelAll() }
            async let text = Self.read(execution.standardError, report)
            var output: [UInt8] = []
            for try await chunk in execution.standardOutput {
                let room = max(0, 64 * 1024 - output.count)
                chunk.withUnsafeBytes { output.append(contentsOf: $0.prefix(room)) }
            }
            return await End(output: output, text: text, hasTimedOut: hasTimedOut.isSet, isTooLarge: isTooLarge.isSet)
        }
    }

    private static func read(
        _ output: SubprocessOutputSequence, _ report: @Sendable (TransferProgress) -> Void
    ) async -> String {
        var reader = TransferProgressReader()
        var chunks = output.makeAsyncIterator()
        while let chunk = try? await chunks.next() {
            if let progress = reader.feed(chunk.withUnsafeBytes { Array($0) }) { report(progress) }
        }
        return reader.finish()
    }

    /// What git's texts mean; they are stable under `LC_ALL=C`, those of servers and curl are not, and what is not
    /// recognised is a failure whose text goes to the log.
    private func failure(_ text: String) -> MirrorFailure {
        let lowered = text.lowercased()
        func says(_ words: String...) -> Bool { words.contains { lowered.contains($0) } }
        if says("no space left", "disk quota") { return .diskFull }
        if says("file too large") { return tooLarge }
        if says("out of memory") {
            return .tooLarge(limit: configuration.maximumMemoryByteCount, knob: "maximumMirrorMemoryByteCount")
        }
        if says("not found", "could not read username", "authentication failed", "permission denied", "access denied",
            "does not appear to be a git repository", "dubious ownership", "returned error: 40", "redirect",
            "host key verification failed", "not allowed")
        { return .refused }
        if says("could not resolve", "failed to connect", "couldn't connect", "connection refused", "timed out", "ssl",
            "certificate", "connection reset", "too slow", "returned error: 5", "hung up", "unreachable")
        { return .unreachable }
        return .failed(text)
    }
}

/// Sizes of folders. Blocks on the file system.
enum FolderSize {
    /// Bytes of all regular files below, links not followed.
    static func of(_ folder: String) -> Int {
        guard let names = FileManager.default.enumerator(atPath: folder) else { return 0 }
        var total = 0
        while let name = names.nextObject() as? String {
            var status = stat()
            guard lstat("\(folder)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            total += Int(status.st_size)
        }
        return total
    }
}
