import ScmAPI
import SiloRPC
import Storage

@testable import ScmGateway

/// Repositories that are values in memory: commits on one line of history, files, branches; neither blame nor search.
/// Through the same seams as git, so that handlers are seen to ask for capabilities and for nothing else.
final class MemoryProvider: RepositoryProvider {
    static let slug = "integrations:memory"
    private let repositories: [String: MemoryRepository]

    init(_ repositories: [String: MemoryRepository]) {
        self.repositories = repositories
    }

    var provider: Provider { .unspecified }
    var capabilities: [Capability] { [.commits, .files, .trees, .refs] }
    var missing: [MissingCapability] {
        LocalGitCapabilities.present.filter { !capabilities.contains($0) }.map {
            MissingCapability(capability: $0, reason: "memory does not do that")
        }
    }

    func repository(_ row: StoredRepository) async throws -> any SourceRepository {
        guard let repository = repositories[row.gitFolder] else { throw GitError.repositoryMissing }
        return repository
    }

    /// Registers one of the repositories.
    static func add(_ name: String, _ database: Database, organizationID: Int64) async throws -> Int64 {
        try await database.write { transaction in
            let row = try transaction.row(
                """
                INSERT INTO repositories (organization_id, provider, external_id, name, url, git_folder, default_branch,
                    status, config, created_at, updated_at)
                VALUES (?, ?, ?, ?, '', ?, 'main', 1, '{}', 1, 1) RETURNING id
                """,
                [.integer(organizationID), .text(slug), .text(name), .text(name), .text(name)]
            )
            return try row?.integer("id") ?? 0
        }
    }
}

struct MemoryRepository: SourceRepository {
    struct Version: Sendable {
        let commit: CommitObject
        let files: [String: String]
    }

    /// Oldest first; the last is `main`.
    private let versions: [Version]

    /// The history of a git repository's main branch: its commits, and their files as `contents` tells.
    init(_ commits: [CommitObject], files: [[String: String]]) {
        versions = zip(commits, files).map { Version(commit: $0, files: $1) }
    }

    private func version(_ id: ObjectID) throws -> Version {
        guard let version = versions.first(where: { $0.commit.id == id }) else {
            throw GitError.revisionNotFound(id.hex)
        }
        return version
    }

    func resolve(_ revision: Revision?) async throws -> ObjectID {
        guard let last = versions.last else { throw GitError.emptyRepository }
        guard let revision, !revision.isHead, !["main", "refs/heads/main"].contains(revision.text) else {
            return last.commit.id
        }
        let found = versions.filter { revision.text.utf8.count >= 7 && $0.commit.id.hex.hasPrefix(revision.text) }
        guard let version = found.first else { throw GitError.revisionNotFound(revision.text) }
        return version.commit.id
    }

    func allTips(_ anchor: String?) async throws -> HistoryStart? { HistoryStart(try await resolve(nil)) }

    func commits(_ ids: [ObjectID]) async throws -> [CommitObject] { try ids.map { try version($0).commit } }

    func history(_ query: HistoryQuery, _ range: Range<Int>) async throws -> [ObjectID] {
        let ids = versions.map(\.commit.id)
        guard let tip = ids.lastIndex(where: query.tips.contains) else { throw GitError.emptyRepository }
        let start = query.excluded.flatMap { ids.firstIndex(of: $0) }.map { $0 + 1 } ?? 0
        let all = Array(ids[min(start, tip + 1)...tip].reversed())
        return Array(all[range.clamped(to: 0..<all.count)])
    }

    func references(below folder: ReferenceFolder, withTimes: Bool) async throws -> [GitReference] {
        guard folder == .branches, let last = versions.last else { return [] }
        return [GitReference(name: "main", id: last.commit.id, seconds: last.commit.committer.seconds ?? 0)]
    }

    func headReference() async throws -> String? { "refs/heads/main" }

    func objects(_ names: [String]) async throws -> [ObjectInfo?] { names.map { _ in nil } }

    func hasFile(_ path: RepositoryPath, at commit: ObjectID) async throws -> Bool {
        try version(commit).files[path.text] != nil
    }

    func content(_ path: RepositoryPath, at commit: ObjectID) async throws -> (bytes: [UInt8], id: ObjectID) {
        guard let text = try version(commit).files[path.text] else { throw GitError.fileNotFound(path: path.text) }
        return (Array(text.utf8), try Self.blobID(text))
    }

    func entry(_ path: RepositoryPath, at commit: ObjectID) async throws -> GitTreeEntry? {
        guard let text = try version(commit).files[path.text] else { return nil }
        return GitTreeEntry(path: path.bytes, mode: 0o100644, id: try Self.blobID(text), byteCount: text.utf8.count)
    }

    func tree(_ path: RepositoryPath?, at commit: ObjectID) async throws -> ObjectID {
        guard path == nil else { throw GitError.fileNotFound(path: path?.text ?? "") }
        return commit
    }

    func list(_ query: TreeQuery, deliver: nonisolated(nonsending) ([GitTreeEntry]) async throws -> Void) async throws
        -> Bool
    {
        let all = try version(query.tree).files.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        let part = query.range.clamped(to: 0..<all.count)
        try await deliver(try all[part].map { path, text in
            GitTreeEntry(
                path: Array(path.utf8), mode: 0o100644, id: try Self.blobID(text),
                byteCount: query.withSizes ? text.utf8.count : nil
            )
        })
        return query.range.upperBound < all.count
    }

    func read(
        _ blob: GitTreeEntry, _ range: Range<Int>,
        begin: nonisolated(nonsending) (Bool) async throws -> Void,
        deliver: nonisolated(nonsending) ([UInt8]) async throws -> Void
    ) async throws {
        guard let text = try versions.flatMap({ $0.files.values }).first(where: { try Self.blobID($0) == blob.id })
        else {
            throw GitError.fileNotFound(path: "")
        }
        try await begin(false)
        try await deliver(Array(Array(text.utf8)[range]))
    }

    /// As git names a file's content in a SHA-256 repository.
    private static func blobID(_ text: String) throws -> ObjectID {
        let bytes = Array("blob \(text.utf8.count)\0\(text)".utf8)
        let digits = Array("0123456789abcdef".utf8)
        let hex = SHA256.digest(bytes).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        guard let id = ObjectID(bytes: hex) else { throw GitError.corruptAnswer("no object id") }
        return id
    }
}
