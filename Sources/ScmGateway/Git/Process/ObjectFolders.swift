import Foundation
import SiloRPC
import Synchronization

/// The folders of single objects, packs and lists of them: a pipe in a file's place would hold git, and a link would
/// let it read another repository's. A process that runs looks for new files in all of them.
///
/// They are listed once, and again when one has changed, which shows in its time of change: nobody can set that back.
/// A look at folders that are as they were costs a system call for each. Thread-safe; blocks on the file system.
final class ObjectFolders: Sendable {
    private struct State {
        /// Of each folder; nil for one that is to be listed.
        var stamps = [Stamp?](repeating: nil, count: ObjectFolders.names.count)
        var lookedAt: ContinuousClock.Instant?
    }

    private struct Stamp: Equatable {
        let inode: UInt64
        let seconds: Int
        let nanoseconds: Int

        init(_ status: stat) {
            inode = UInt64(status.st_ino)
            #if canImport(Darwin)
            let changed = status.st_ctimespec
            #else
            let changed = status.st_ctim
            #endif
            (seconds, nanoseconds) = (changed.tv_sec, changed.tv_nsec)
        }

        /// A later change may have the same time: clocks of file systems tick in milliseconds.
        var isRecent: Bool { Int64(seconds) > EpochTime.now / 1000 - 2 }
    }

    private static let names = ["info", "pack"] + (0..<256).map { String(format: "%02x", $0) }
    /// Between two looks at a repository that may borrow objects: there it is about pipes only.
    private static let patience = Duration.seconds(1)

    private let location: RepositoryLocation
    private let state = Mutex(State())

    init(_ location: RepositoryLocation) { self.location = location }

    /// - Throws: ``GitError/notARepository(_:)``, ``GitError/borrowsObjects``.
    func check() throws(GitError) {
        let now = ContinuousClock.now
        let (known, lookedAt) = state.withLock { ($0.stamps, $0.lookedAt) }
        if location.mayBorrowObjects, let lookedAt, now - lookedAt < Self.patience { return }
        var stamps = known
        for (number, name) in Self.names.enumerated() {
            var status = stat()
            guard lstat("\(location.commonFolder)/objects/\(name)", &status) == 0 else {
                stamps[number] = nil
                continue
            }
            let stamp = Stamp(status)
            let isLink = status.st_mode & S_IFMT == S_IFLNK
            guard !isLink || location.mayBorrowObjects else { throw GitError.borrowsObjects }
            guard isLink || stamp.isRecent || stamps[number] != stamp else { continue }
            try SpecialFiles(location).checkObjects(in: name)
            stamps[number] = stamp
        }
        let seen = stamps
        state.withLock { ($0.stamps, $0.lookedAt) = (seen, now) }
    }
}
