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

    private struct Look {
        let startedAt: ContinuousClock.Instant
        let task: Task<ObjectID, any Error>
    }

    private struct State {
        var known: Known?
        var look: Look?
    }

    private let state = Mutex(State())

    /// What the last look found, unless that look began longer ago than `age`.
    func commit(notOlderThan age: Duration) -> ObjectID? {
        let now = ContinuousClock.now
        return state.withLock { state in
            guard let known = state.known, now - known.lookedAt < age else { return nil }
            return known.commit
        }
    }

    /// The look that runs, unless it began longer ago than `age`; else a new one. So that of many callers who find the
    /// last look too old at the same time only one looks.
    func look(
        notOlderThan age: Duration, _ body: @escaping @Sendable () async throws -> ObjectID
    ) -> Task<ObjectID, any Error> {
        let now = ContinuousClock.now
        return state.withLock { state in
            if let look = state.look, now - look.startedAt < age { return look.task }
            let task = Task {
                defer { self.state.withLock { if $0.look?.startedAt == now { $0.look = nil } } }
                return try await body()
            }
            state.look = Look(startedAt: now, task: task)
            return task
        }
    }

    /// The commit, if `files`, whose look began at `lookedAt`, are what they were.
    func commit(for files: HeadFiles, lookedAt: ContinuousClock.Instant) -> ObjectID? {
        state.withLock { state in
            guard state.known?.files == files else { return nil }
            state.known?.lookedAt = lookedAt
            return state.known?.commit
        }
    }

    func remember(_ commit: ObjectID, for files: HeadFiles, lookedAt: ContinuousClock.Instant) {
        state.withLock { $0.known = Known(files: files, commit: commit, lookedAt: lookedAt) }
    }
}
