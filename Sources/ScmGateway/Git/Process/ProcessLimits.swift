import CProcessLimits
import Foundation
import Subprocess

/// What one git process may take of the machine, whatever the repository makes it do: set from outside, right after
/// the process has started, which costs a few system calls and no shell in between. Linux only; elsewhere time and
/// output are limited all the same.
///
/// A limit of address space would count packs, which git maps whole and may be larger than memory.
struct ProcessLimits: Sendable {
    /// Processor time in seconds; nil for processes that live long.
    var processorSeconds: Int?
    /// Memory that is written to, in bytes.
    var memoryByteCount: Int
    /// Largest file that it may write, in bytes. Pipes are no files.
    var fileByteCount: Int

    /// - Throws: ``GitError/failed(status:message:)``; a process that has ended already is no error.
    func apply(to process: ProcessIdentifier) throws(GitError) {
        var limits = process_limits(
            cpu_seconds: processorSeconds.map { UInt64(clamping: $0) } ?? .max,
            data_bytes: UInt64(clamping: memoryByteCount), file_bytes: UInt64(clamping: fileByteCount)
        )
        let error = process_limits_set(process.value, &limits)
        guard error == 0 || error == ESRCH || error == ENOSYS else {
            throw GitError.failed(status: "not limited", message: "prlimit: errno \(error)")
        }
    }
}
