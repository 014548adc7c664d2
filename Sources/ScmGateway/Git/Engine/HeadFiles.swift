import Foundation
import Synchronization

/// The state of the files that decide what HEAD stands for: while it is the same, so is the commit.
///
/// git replaces these files by renaming new ones over them, so a change shows in the inode number or in the times,
/// which have nanoseconds. Blocks on the file system: not for event loops.
struct HeadFiles: Equatable, Sendable {
    /// The branch that HEAD names, as `refs/heads/main`, or the object id in it.
    let target: String
    /// Whether the files are all that decides: not when the branch is an alias of another one.
    let isComplete: Bool
    private let head: FileStamp
    private let loose: FileStamp?
    private let packed: FileStamp?

    /// nil when HEAD cannot be read or holds something else.
    init?(_ location: RepositoryLocation) {
        let file = location.gitFolder + "/HEAD"
        guard let head = FileStamp(file), let line = SmallFile.firstLine(file) else { return nil }
        self.head = head
        guard line.hasPrefix("ref: refs/") else {
            guard ObjectID(line) != nil else { return nil }
            (target, isComplete, loose, packed) = (line, true, nil, nil)
            return
        }
        target = String(line.dropFirst("ref: ".count))
        // HEAD is a file of the repository's: what it names must not lead out of it.
        guard (try? Revision(target)) != nil else { return nil }
        let branch = "\(location.commonFolder)/\(target)"
        isComplete = SmallFile.firstLine(branch)?.hasPrefix("ref:") != true
        loose = FileStamp(branch)
        packed = FileStamp(location.commonFolder + "/packed-refs")
    }
}

/// Which version of a file there is.
private struct FileStamp: Equatable, Sendable {
    let inode: UInt64
    let byteCount: Int64
    let seconds: Int
    let nanoseconds: Int
    let changeSeconds: Int
    let changeNanoseconds: Int

    /// nil when there is no such file.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        inode = UInt64(status.st_ino)
        byteCount = Int64(status.st_size)
        #if canImport(Darwin)
        let (modified, changed) = (status.st_mtimespec, status.st_ctimespec)
        #else
        let (modified, changed) = (status.st_mtim, status.st_ctim)
        #endif
        (seconds, nanoseconds) = (modified.tv_sec, modified.tv_nsec)
        (changeSeconds, changeNanoseconds) = (changed.tv_sec, changed.tv_nsec)
    }
}

/// The last known meaning of HEAD, and when its files were last looked at. Thread-safe.
final class KnownHead: Sendable {
    private struct Known {
        let files: HeadFiles
        let commit: ObjectID
        var lookedAt: ContinuousClock.Instant
    }

    private let known = Mutex<Known?>(nil)

    /// What the last look found, unless that look began longer ago than `age`.
    func commit(notOlderThan age: Duration) -> ObjectID? {
        let now = ContinuousClock.now
        return known.withLock { known in
            guard let known, now - known.lookedAt < age else { return nil }
            return known.commit
        }
    }

    /// The commit, if `files`, whose look began at `lookedAt`, are what they were.
    func commit(for files: HeadFiles, lookedAt: ContinuousClock.Instant) -> ObjectID? {
        known.withLock { known in
            guard known?.files == files else { return nil }
            known?.lookedAt = lookedAt
            return known?.commit
        }
    }

    func remember(_ commit: ObjectID, for files: HeadFiles, lookedAt: ContinuousClock.Instant) {
        known.withLock { $0 = Known(files: files, commit: commit, lookedAt: lookedAt) }
    }
}
