import ScmAPI

/// Repositories in folders of this machine.
struct LocalGitProvider: RepositoryProvider {
    let engine: GitEngine

    var provider: Provider { .localGit }
    var capabilities: [Capability] { LocalGitCapabilities.present }
    var missing: [MissingCapability] { LocalGitCapabilities.missing }

    /// - Throws: ``GitError/repositoryMissing``: the folder has gone, or leads elsewhere than when it was added.
    func repository(_ row: StoredRepository) async throws -> any SourceRepository {
        let repository = try await engine.repository(
            gitFolder: row.gitFolder, mayBorrowObjects: row.mayBorrowObjects
        )
        guard repository.location.gitFolder == row.gitFolder else { throw GitError.repositoryMissing }
        return LocalGitRepository(engine: engine, repository: repository)
    }
}

/// One local repository and everything it can do.
struct LocalGitRepository: SourceRepository {
    let engine: GitEngine
    let repository: GitRepository

    func resolve(_ revision: Revision?) async throws -> ObjectID {
        try await engine.resolve(revision ?? .head, in: repository)
    }

    func allTips(_ anchor: String?) async throws -> HistoryStart? {
        try await engine.allTips(anchor, in: repository)
    }

    func commits(_ ids: [ObjectID]) async throws -> [CommitObject] {
        try await engine.commits(ids, in: repository)
    }

    func history(_ query: HistoryQuery, _ range: Range<Int>) async throws -> [ObjectID] {
        try await engine.history(query, range, in: repository)
    }

    func fileChanges(_ ids: [ObjectID]) async throws -> FileChangeParser.Result {
        try await engine.fileChanges(ids, in: repository)
    }

    func changes(_ query: ChangeQuery) async throws -> [GitFileChange] {
        try await engine.changes(query, in: repository)
    }

    func patches(
        _ query: ChangeQuery, of changes: [GitFileChange], _ range: Range<Int>, contextLineCount: Int,
        maximumByteCount: Int
    ) async throws -> [GitPatch] {
        try await engine.patches(
            query, of: changes, range, contextLineCount: contextLineCount, maximumByteCount: maximumByteCount,
            in: repository
        )
    }

    func compare(_ base: ObjectID, _ head: ObjectID) async throws -> CommitComparison {
        try await engine.compare(base, head, in: repository)
    }

    func references(below folder: ReferenceFolder, withTimes: Bool) async throws -> [GitReference] {
        try await engine.references(below: folder, withTimes: withTimes, in: repository)
    }

    func headReference() async throws -> String? {
        try await engine.headReference(in: repository)
    }

    func objects(_ names: [String]) async throws -> [ObjectInfo?] {
        try await engine.objects(names, in: repository)
    }

    func tags(_ ids: [ObjectID]) async throws -> [TagObject] {
        try await engine.tags(ids, in: repository)
    }

    func files(at commit: ObjectID) async throws -> FileList {
        try await engine.files(at: commit, in: repository)
    }

    func hasFile(_ path: RepositoryPath, at commit: ObjectID) async throws -> Bool {
        do {
            _ = try await engine.file(path, at: commit, in: repository)
            return true
        } catch GitError.fileNotFound, GitError.notAFile {
            return false
        }
    }

    func content(_ path: RepositoryPath, at commit: ObjectID) async throws -> (bytes: [UInt8], id: ObjectID) {
        let file = try await engine.file(path, at: commit, in: repository)
        return (try await engine.content(file, in: repository), file.id)
    }

    func entry(_ path: RepositoryPath, at commit: ObjectID) async throws -> GitTreeEntry? {
        try await engine.entry(path, at: commit, in: repository)
    }

    func tree(_ path: RepositoryPath?, at commit: ObjectID) async throws -> ObjectID {
        try await engine.tree(path, at: commit, in: repository)
    }

    func list(_ query: TreeQuery, deliver: ([GitTreeEntry]) async throws -> Void) async throws -> Bool {
        try await engine.list(query, in: repository, deliver: deliver)
    }

    func read(
        _ blob: GitTreeEntry, _ range: Range<Int>,
        begin: (Bool) async throws -> Void, deliver: ([UInt8]) async throws -> Void
    ) async throws {
        try await engine.read(blob, range, in: repository, begin: begin, deliver: deliver)
    }

    func search(
        _ query: CodeQuery, deliver: ([(file: FoundFile, blob: ObjectID)]) async throws -> Bool
    ) async throws -> Bool {
        try await engine.search(query, in: repository, deliver: deliver)
    }

    func searchRun(_ query: CodeQuery, from start: Int) async throws -> FoundFiles {
        try await engine.searchRun(query, from: start, in: repository)
    }

    func blameLine(_ line: Int, _ query: BlameQuery) async throws -> GitBlameHunk {
        try await engine.blameLine(line, query, in: repository)
    }

    func prepareBlame(of lines: [Int], _ query: BlameQuery) async throws {
        try await engine.prepareBlame(of: lines, query, in: repository)
    }

    func blame(_ query: BlameQuery, deliver: @Sendable ([GitBlameHunk]) async throws -> Void) async throws {
        try await engine.blame(query, in: repository, deliver: deliver)
    }

    func snippet(_ path: RepositoryPath, line: Int, at commit: ObjectID) async throws -> Snippet? {
        try await engine.snippet(path, line: line, at: commit, in: repository)
    }

    func ignoredCommits(in path: RepositoryPath, at commit: ObjectID) async throws -> [ObjectID] {
        let content: [UInt8]
        do {
            content = try await engine.content(try await engine.file(path, at: commit, in: repository), in: repository)
        } catch GitError.fileNotFound {
            return []
        }
        let ids = content.split(separator: UInt8(ascii: "\n")).compactMap { line in
            ObjectID(bytes: trimmed(line.prefix { $0 != UInt8(ascii: "#") && $0 != UInt8(ascii: "\r") }))
        }
        return try await existingCommits(Array(ids.prefix(BlameQuery.maximumIgnoredCommitCount)))
    }

    func existingCommits(_ ids: [ObjectID]) async throws -> [ObjectID] {
        var existing: [ObjectID] = []
        for start in stride(from: 0, to: ids.count, by: 500) {
            let part = Array(ids[start..<min(start + 500, ids.count)])
            let results = try await engine.info(part.map { Array($0.hex.utf8) }, in: repository)
            for (id, result) in zip(part, results) {
                if case .found(let object) = result, object.info.kind == .commit { existing.append(id) }
            }
        }
        return existing
    }
}
