import Foundation

/// Pipes, sockets and devices in the place of a repository's files. git would wait in opening one until somebody writes
/// into it, and keep a place among the commands until its time is over; so what it will open is looked at before.
///
/// Links in the place of objects and packs are refused too, where objects may not be borrowed: they lead to those of
/// somebody else. (A hard link would, but nobody can make one to a file that is not theirs: `fs.protected_hardlinks`.)
///
/// What a hostile writer puts there afterwards meets the time limit only. ``ObjectFolders`` looks again, and at single
/// objects. Blocks on the file system: not for event loops.
struct SpecialFiles {
    private static let maximumLinkCount = 5
    private static let maximumDepth = 64
    private let folder: String
    private let mayBorrowObjects: Bool

    init(_ repository: RepositoryLocation) {
        (folder, mayBorrowObjects) = (repository.commonFolder, repository.mayBorrowObjects)
    }

    /// Before a process starts: files that git reads whatever it is asked.
    ///
    /// - Throws: ``GitError/notARepository(_:)``, ``GitError/borrowsObjects``.
    func checkObjects() throws(GitError) {
        for file in ["packed-refs", "shallow"] { try check(file) }
        for name in ["info", "pack"] { try checkObjects(in: name) }
    }

    /// One of the folders of objects.
    ///
    /// - Throws: ``GitError/notARepository(_:)``, ``GitError/borrowsObjects``.
    func checkObjects(in name: String) throws(GitError) {
        try checkAll(below: "objects/" + name, depth: 1, refusingLinks: !mayBorrowObjects)
    }

    /// Before git looks a revision up: the places in which it may find the name.
    ///
    /// - Throws: ``GitError/notARepository(_:)``.
    func checkName(_ name: String) throws(GitError) {
        try check("packed-refs")
        if isReference(name) { try follow(name) }
        for place in ["refs/", "refs/tags/", "refs/heads/", "refs/remotes/"] { try follow(place + name) }
        try follow("refs/remotes/\(name)/HEAD")
    }

    /// Before git reads references of a kind; one may stand for any other.
    ///
    /// - Throws: ``GitError/notARepository(_:)``.
    func checkReferences() throws(GitError) {
        try check("packed-refs")
        try checkAll(below: "refs", depth: 0)
    }

    private func isReference(_ name: String) -> Bool { name.hasPrefix("refs/") }

    /// A reference may name another one: `ref: refs/heads/main`.
    private func follow(_ reference: String) throws(GitError) {
        var reference = reference
        for _ in 0..<Self.maximumLinkCount {
            guard try check(reference) == S_IFREG,
                let line = SmallFile.firstLine("\(folder)/\(reference)"), line.hasPrefix("ref:")
            else { return }
            reference = line.dropFirst("ref:".count).trimmingCharacters(in: .whitespaces)
            guard isReference(reference) else { return }
        }
    }

    /// - Returns: the kind of file; nil when there is none.
    @discardableResult
    private func check(_ name: String) throws(GitError) -> mode_t? {
        guard let kind = Self.kind("\(folder)/\(name)", followingLinks: true) else { return nil }
        guard kind == S_IFREG || kind == S_IFDIR else { throw GitError.notARepository("a special file is in it") }
        return kind
    }

    private static func kind(_ path: String, followingLinks: Bool) -> mode_t? {
        var status = stat()
        guard (followingLinks ? stat(path, &status) : lstat(path, &status)) == 0 else { return nil }
        return status.st_mode & S_IFMT
    }

    /// Of a file in a listed folder nothing but its name and kind is read, which costs about a microsecond.
    private func checkAll(below name: String, depth: Int, refusingLinks: Bool = false) throws(GitError) {
        guard depth < Self.maximumDepth, let listing = opendir("\(folder)/\(name)") else { return }
        defer { closedir(listing) }
        while let entry = readdir(listing) {
            var kind = mode_t(entry.pointee.d_type) << 12
            if kind == S_IFREG { continue }
            let file = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard file != ".", file != ".." else { continue }
            let path = "\(name)/\(file)"
            // Some file systems do not tell.
            if kind == 0 { kind = Self.kind("\(folder)/\(path)", followingLinks: false) ?? 0 }
            guard !refusingLinks || kind != S_IFLNK else { throw GitError.borrowsObjects }
            if kind == S_IFDIR {
                try checkAll(below: path, depth: depth + 1, refusingLinks: refusingLinks)
            } else if try check(path) == S_IFDIR {
                // git goes into folders that links lead to; nobody has them but who wants to lead astray.
                throw GitError.notARepository("a link to a folder is in it")
            }
        }
    }
}
