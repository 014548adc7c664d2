import Foundation
import SiloRPC

/// A stand-in for each repository's git folder, from which git runs.
///
/// ```
/// <folder>/<hash of the folders>/
///     HEAD          ours, leads nowhere
///     config        ours: the object format and nothing else
///     objects/      empty; the real one comes in GIT_OBJECT_DIRECTORY
///     refs          link to the repository's references
///     packed-refs   link to the repository's packed references
/// ```
///
/// git sees the repository's objects and references through it, and neither its configuration nor its attributes, hooks
/// and replacements. It cannot be told to ignore a configuration otherwise, and some keys cannot be taken back by
/// others: a `blame.ignoreRevsFile`, common in people's own clones, would make every blame fail, and a partial
/// clone's settings would make `cat-file` die on the first absent object. What HEAD says is read by ``HeadFiles``.
struct GitWorkspace: Sendable {
    let folder: String
    /// Made by the engine, which then removes it.
    let isTemporary: Bool

    /// - Parameter folder: kept over restarts, such as a folder beside the database; nil makes a temporary one.
    init(folder: String?) {
        isTemporary = folder == nil
        let folder =
            folder ?? (NSTemporaryDirectory() as NSString).appendingPathComponent("scm-gateway-\(UUID().uuidString)")
        // git runs in a folder of its own choice: a relative path would mean another place there.
        self.folder = URL(fileURLWithPath: folder).path
    }

    /// The stand-in for a repository; made when missing (temporary folders are cleaned up by strangers). Blocks on
    /// the file system.
    ///
    /// - Throws: ``GitError/diskFull``, ``GitError/workspace(_:)``.
    func standIn(for repository: RepositoryLocation) throws(GitError) -> String {
        let path = "\(folder)/\(Self.name(for: repository))"
        guard access(path + "/HEAD", F_OK) != 0 else { return path }
        do {
            try make(path, for: repository)
        } catch let error as CocoaError where error.code == .fileWriteOutOfSpace {
            throw GitError.diskFull
        } catch {
            throw GitError.workspace("\(path): \(error.localizedDescription)")
        }
        return path
    }

    private static let nameLength = 32

    private static func name(for repository: RepositoryLocation) -> String {
        // Everything that the stand-in is made of: another repository in the same place gets another one.
        let parts = [repository.gitFolder, repository.commonFolder, repository.objectFormat.rawValue]
        return SHA256.digest(Array(parts.joined(separator: "\0").utf8)).prefix(nameLength / 2)
            .map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    /// For a repository that nobody needs any more; one that is used after all is made again.
    func removeStandIn(for repository: RepositoryLocation) {
        removeStandIn(Self.name(for: repository))
    }

    /// Removes what is left of repositories that are not among these.
    func removeStandIns(except repositories: [RepositoryLocation]) {
        let wanted = Set(repositories.map(Self.name))
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for name in names where !wanted.contains(name) {
            let hash = name.utf8.prefix(Self.nameLength)
            if hash.count == Self.nameLength, hash.allSatisfy(isLowerHex) { removeStandIn(name) }
        }
    }

    /// In one step for git, which must not see half of it.
    private func removeStandIn(_ name: String) {
        let gone = "\(folder)/\(name.prefix(Self.nameLength))-\(UUID().uuidString)"
        guard rename("\(folder)/\(name)", gone) == 0 else { return }
        try? FileManager.default.removeItem(atPath: gone)
    }

    func remove() {
        guard isTemporary else { return }
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// HEAD comes last and in one step: it says that the rest is there. Others may be making the same.
    private func make(_ path: String, for repository: RepositoryLocation) throws {
        try FileManager.default.createDirectory(
            atPath: path + "/objects", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700]
        )
        for name in ["refs", "packed-refs"] {
            let made = symlink("\(repository.commonFolder)/\(name)", "\(path)/\(name)") == 0
            guard made || errno == EEXIST else {
                throw CocoaError(errno == ENOSPC || errno == EDQUOT ? .fileWriteOutOfSpace : .fileWriteUnknown)
            }
        }
        try Self.configuration(repository.objectFormat)
            .write(toFile: path + "/config", atomically: true, encoding: .utf8)
        try "ref: refs/none\n".write(toFile: path + "/HEAD", atomically: true, encoding: .utf8)
    }

    private static func configuration(_ format: RepositoryLocation.ObjectFormat) -> String {
        switch format {
        case .sha1: "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
        case .sha256:
            "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n"
        }
    }
}
