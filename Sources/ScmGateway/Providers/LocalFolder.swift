import Foundation

/// A folder on this machine that holds a git repository. Blocks on the file system: not for event loops.
struct LocalFolder: Sendable {
    static let maximumNameCount = 200
    /// More than a hundred thousand branches and tags; a default branch further behind is not shown.
    private static let maximumPackedRefsByteCount = 16 * 1024 * 1024
    let location: RepositoryLocation
    /// The work tree's root, or the bare repository itself; absolute, symbolic links resolved.
    let root: String
    /// The branch that HEAD names; empty when HEAD names none, or the branch has no commit.
    let defaultBranch: String

    /// - Throws: ``RepositoryStoreError``.
    static func open(_ path: String) throws(RepositoryStoreError) -> LocalFolder {
        let absolute = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        do {
            return try LocalFolder(absolute)
        } catch .repositoryMissing {
            throw RepositoryStoreError("the folder \(path) does not exist or cannot be read")
        } catch .notARepository(let reason) {
            throw RepositoryStoreError("\(path) is not a git repository: \(reason)")
        } catch {
            throw RepositoryStoreError("\(path) cannot be opened")
        }
    }

    /// - Throws: ``GitError/repositoryMissing``, ``GitError/notARepository(_:)``.
    init(_ path: String) throws(GitError) {
        location = try RepositoryLocation.find(path)
        guard var root = RepositoryLocation.realPath(path) else { throw GitError.repositoryMissing }
        if root == location.gitFolder, root.hasSuffix("/.git") { root = String(root.dropLast(5)) }
        self.root = root.isEmpty ? "/" : root
        defaultBranch = Self.defaultBranch(location)
    }

    var url: String { URL(fileURLWithPath: root, isDirectory: true).absoluteString }

    /// The folder's name, without the `.git` of a bare repository.
    var defaultName: String {
        Self.shown(root.split(separator: "/").last.map(String.init) ?? "root")
    }

    /// A name for people, from a folder's.
    static func shown(_ folder: String) -> String {
        let name = folder.hasSuffix(".git") && folder.count > 4 ? String(folder.dropLast(4)) : folder
        let printable = name.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }
        return String(String(String.UnicodeScalarView(printable)).prefix(maximumNameCount))
    }

    static func defaultBranch(_ location: RepositoryLocation) -> String {
        guard let head = SmallFile.firstLine(location.gitFolder + "/HEAD"), head.hasPrefix("ref: refs/heads/"),
            (try? Revision(String(head.dropFirst("ref: ".count)))) != nil
        else { return "" }
        let branch = String(head.dropFirst("ref: refs/heads/".count))
        return hasCommit("refs/heads/\(branch)", location) ? branch : ""
    }

    private static func hasCommit(_ reference: String, _ location: RepositoryLocation) -> Bool {
        if SmallFile.firstLine("\(location.commonFolder)/\(reference)") != nil { return true }
        let file = location.commonFolder + "/packed-refs"
        guard let packed = SmallFile.read(file, limit: maximumPackedRefsByteCount).map({ Data($0) }) else {
            return false
        }
        return packed.range(of: Data(" \(reference)\n".utf8)) != nil
    }
}
