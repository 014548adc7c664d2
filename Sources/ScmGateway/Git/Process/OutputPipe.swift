import Foundation
import SystemPackage

/// The pipe that a command writes its output into, read in pieces as large as there are.
///
/// git's search writes once for each file that it finds something in, and to be woken for each of them costs more than
/// all else that is done with it. So a reader that comes back waits a moment for more to gather. No write wakes it
/// meanwhile, only the pipe's end.
final class OutputPipe: Sendable {
    /// Of the pipe's buffer, in bytes, so that git does not wait for a reader that waits: as much as any user may have.
    private static let byteCount: Int32 = 1024 * 1024
    /// How long more is waited for, in milliseconds.
    private static let pause: Int32 = 1
    /// After so many milliseconds without output the reader may look around.
    private static let patience: Int32 = 1000

    private let readEnd: FileDescriptor
    /// For the command, whose start closes it.
    let writeEnd: FileDescriptor
    /// Reading blocks. A serial queue gets a thread when it has work, whatever all others do.
    private let queue = DispatchQueue(label: "git-output")

    /// - Throws: ``GitError/failed(status:message:)`` without descriptors.
    init() throws(GitError) {
        do {
            (readEnd, writeEnd) = try FileDescriptor.pipe()
        } catch {
            throw GitError.failed(status: "not started", message: "pipe: \(error)")
        }
        // A process that is started at this moment closes what it inherits.
        for end in [readEnd, writeEnd] { _ = fcntl(end.rawValue, F_SETFD, FD_CLOEXEC) }
        #if os(Linux)
            // F_SETPIPE_SZ, a macro. A user with very many pipes keeps the usual size.
            _ = fcntl(writeEnd.rawValue, 1031, Self.byteCount)
        #endif
    }

    /// Once, when nobody reads any more.
    func close() { try? readEnd.close() }

    /// What has been written since; empty when nothing came for a second; nil at the end.
    ///
    /// - Parameter isFirst: what comes first is given at once.
    /// - Throws: ``GitError/failed(status:message:)``.
    nonisolated(nonsending) func next(isFirst: Bool) async throws -> [UInt8]? {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result { try self.read(isFirst: isFirst) }) }
        }
    }

    private func read(isFirst: Bool) throws(GitError) -> [UInt8]? {
        // Asked for no event, `poll` wakes up for the other end's closing only.
        if !isFirst { _ = wait(for: 0, Self.pause) }
        guard wait(for: Int16(POLLIN), Self.patience) else { return [] }
        var available: Int32 = 0
        guard ioctl(readEnd.rawValue, UInt(FIONREAD), &available) == 0 else { throw Self.failure() }
        var count = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: max(1, Int(available))) { memory, initializedCount in
            repeat {
                count = Foundation.read(readEnd.rawValue, memory.baseAddress, memory.count)
            } while count < 0 && errno == EINTR
            initializedCount = max(0, count)
        }
        guard count >= 0 else { throw Self.failure() }
        return count == 0 ? nil : bytes
    }

    /// - Returns: whether there is something to read, or the end.
    private func wait(for events: Int16, _ milliseconds: Int32) -> Bool {
        var question = pollfd(fd: readEnd.rawValue, events: events, revents: 0)
        return poll(&question, 1, milliseconds) > 0
    }

    private static func failure() -> GitError {
        .failed(status: "not read", message: "the output of git: errno \(errno)")
    }
}
