/// What a provider can do for a repository, one protocol for each thing a client may ask for. A handler asks for the
/// capability it needs and for nothing else.
protocol CommitProvider: Sendable {
    /// The commit that a revision stands for now; the default branch's for nil.
    func resolve(_ revision: Revision?) async throws -> ObjectID
    /// Commits in the order of the ids.
    func commits(_ ids: [ObjectID]) async throws -> [CommitObject]
    /// Part of a history, newest first.
    func history(_ query: HistoryQuery, _ range: Range<Int>) async throws -> [ObjectID]
    func fileChanges(_ ids: [ObjectID]) async throws -> FileChangeParser.Result
}

protocol TreeProvider: Sendable {
    /// The paths of all files of a commit.
    func files(at commit: ObjectID) async throws -> FileList
    /// Whether a commit has a file at a path.
    func hasFile(_ path: RepositoryPath, at commit: ObjectID) async throws -> Bool
    /// A file's content and object id.
    func content(_ path: RepositoryPath, at commit: ObjectID) async throws -> (bytes: [UInt8], id: ObjectID)
}

protocol BlameProvider: Sendable {
    func blameLine(_ line: Int, _ query: BlameQuery) async throws -> GitBlameHunk
    /// Hands hunks over in the order they are found; waits for the receiver.
    func blame(_ query: BlameQuery, deliver: @Sendable ([GitBlameHunk]) async throws -> Void) async throws
    /// The lines around a line; nil for a binary file.
    func snippet(_ path: RepositoryPath, line: Int, at commit: ObjectID) async throws -> Snippet?
    /// Commits that a file of the repository (`.git-blame-ignore-revs`) says to look through; empty without it.
    func ignoredCommits(in path: RepositoryPath, at commit: ObjectID) async throws -> [ObjectID]
    /// Those of `ids` that are commits here.
    func existingCommits(_ ids: [ObjectID]) async throws -> [ObjectID]
}
