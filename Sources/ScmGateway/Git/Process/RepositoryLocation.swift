import Foundation

/// Where a repository is on disk: absolute paths with all symbolic links resolved.
struct RepositoryLocation: Hashable, Sendable {
    /// What `GIT_DIR` is set to: a bare repository, a `.git` folder, or the git folder of a linked work tree.
    let gitFolder: String
    /// Where objects and branches are; differs from `gitFolder` only for linked work trees.
    let commonFolder: String
    let objectFormat: ObjectFormat
    /// Whether objects may lie in another repository. A caller may register a folder that holds its objects itself, and
    /// later write an `objects/info/alternates` into it, or put a link in the objects' place, which leads to somebody
    /// else's.
    private(set) var mayBorrowObjects = true

    enum ObjectFormat: String, Sendable, CaseIterable { case sha1, sha256 }

    /// Finds the git folder for a path that an operator or a caller gave: a bare repository, a work tree's root
    /// (with a `.git` folder, or the `.git` file of a linked work tree or a submodule). Parent folders are not
    /// searched. Blocks on the file system; must not run on an event loop.
    ///
    /// - Throws: ``GitError/repositoryMissing``, ``GitError/notARepository(_:)``.
    static func find(_ path: String) throws(GitError) -> RepositoryLocation {
        guard let root = realPath(path), isFolder(root) else { throw GitError.repositoryMissing }
        let dotGit = root + "/.git"
        if isFolder(dotGit) { return try RepositoryLocation(gitFolder: dotGit) }
        if let target = linkedFolder(dotGit, key: "gitdir: ", relativeTo: root) {
            return try RepositoryLocation(gitFolder: target)
        }
        return try RepositoryLocation(gitFolder: root)
    }

    /// - Throws: as ``find(_:)``.
    init(gitFolder path: String) throws(GitError) {
        guard let gitFolder = Self.realPath(path) else { throw GitError.repositoryMissing }
        let common = Self.linkedFolder(gitFolder + "/commondir", key: "", relativeTo: gitFolder)
        let commonFolder = common.flatMap(Self.realPath) ?? gitFolder
        guard Self.exists(gitFolder + "/HEAD"), Self.isFolder(commonFolder + "/objects") else {
            throw GitError.notARepository("the folder has no HEAD file or no objects folder")
        }
        self.gitFolder = gitFolder
        self.commonFolder = commonFolder
        objectFormat = Self.objectFormat(configuration: commonFolder + "/config")
    }

    /// git writes `extensions.objectFormat` when it makes a SHA-256 repository, and refuses to change it later.
    private static func objectFormat(configuration file: String) -> ObjectFormat {
        guard let bytes = SmallFile.read(file, limit: 64 * 1024) else { return .sha1 }
        let text = String(decoding: bytes, as: UTF8.self).lowercased()
        let isSHA256 = text.split(whereSeparator: \.isNewline).contains { line in
            let parts = line.split(separator: "=", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            return parts == ["objectformat", "sha256"]
        }
        return isSHA256 ? .sha256 : .sha1
    }

    /// The folder has gone since it was found.
    var isMissing: Bool { !Self.exists(gitFolder + "/HEAD") }

    /// Part of the history was never fetched, and a later fetch may extend it.
    var isShallow: Bool { Self.exists(commonFolder + "/shallow") }

    /// Objects are borrowed from another repository, which may belong to somebody else.
    var borrowsObjects: Bool {
        let objects = commonFolder + "/objects"
        return Self.exists(objects + "/info/alternates")
            || [objects, objects + "/pack", objects + "/info"].contains(where: Self.isLink)
    }

    /// The same place, where borrowing is an error.
    var withoutBorrowing: RepositoryLocation {
        var location = self
        location.mayBorrowObjects = false
        return location
    }

    /// Asked before git looks at the objects. Blocks on the file system.
    ///
    /// - Throws: ``GitError/borrowsObjects``.
    func checkBorrowing() throws(GitError) {
        guard mayBorrowObjects || !borrowsObjects else { throw GitError.borrowsObjects }
    }

    /// Every place that git reads, with symbolic links resolved: objects and references may lie elsewhere.
    var realPlaces: [String] {
        let inside = ["objects", "refs", "packed-refs"].compactMap { Self.realPath("\(commonFolder)/\($0)") }
        return [gitFolder, commonFolder] + inside
    }

    /// The path with symbolic links resolved; nil when it does not exist.
    static func realPath(_ path: String) -> String? {
        guard path.hasPrefix("/"), !path.utf8.contains(0), let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Reads a file of git's that holds one path, such as `.git` (`gitdir: ../x`) and `commondir`.
    private static func linkedFolder(_ file: String, key: String, relativeTo folder: String) -> String? {
        guard let bytes = SmallFile.read(file, limit: 8192), !bytes.isEmpty else { return nil }
        let line = String(decoding: bytes, as: UTF8.self).prefix { $0 != "\n" && $0 != "\r\n" }
        guard line.hasPrefix(key) else { return nil }
        let target = line.dropFirst(key.count)
        return target.hasPrefix("/") ? String(target) : folder + "/" + target
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    private static func isLink(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
    }

    private static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}
