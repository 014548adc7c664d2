/// What a provider can do for a repository, one protocol for each thing a client may ask for. A handler asks for the
/// capability it needs and for nothing else.
protocol CommitProvider: Sendable {
    /// The commit that a revision stands for now; the default branch's for nil.
    func resolve(_ revision: Revision?) async throws -> ObjectID
    /// What all branches and tags name: now, or at the time that an earlier start's anchor is from; nil when that is
    /// forgotten.
    func allTips(_ anchor: String?) async throws -> HistoryStart?
    /// Commits in the order of the ids.
    func commits(_ ids: [ObjectID]) async throws -> [CommitObject]
    /// Part of a history, newest first.
    func history(_ query: HistoryQuery, _ range: Range<Int>) async throws -> [ObjectID]
    func fileChanges(_ ids: [ObjectID]) async throws -> FileChangeParser.Result
    /// What differs between two trees, by path bytes.
    func changes(_ query: ChangeQuery) async throws -> [GitFileChange]
    /// Patches of part of what ``changes(_:)`` gave.
    func patches(
        _ query: ChangeQuery, of changes: [GitFileChange], _ range: Range<Int>, contextLineCount: Int,
        maximumByteCount: Int
    ) async throws -> [GitPatch]
    func compare(_ base: ObjectID, _ head: ObjectID) async throws -> CommitComparison
}

protocol TreeProvider: Sendable {
    /// The paths of all files of a commit.
    func files(at commit: ObjectID) async throws -> FileList
    /// Whether a commit has a file at a path.
    func hasFile(_ path: RepositoryPath, at commit: ObjectID) async throws -> Bool
    /// A file's content and object id.
    func content(_ path: RepositoryPath, at commit: ObjectID) async throws -> (bytes: [UInt8], id: ObjectID)
    /// The entry at a path; nil when there is none.
    func entry(_ path: RepositoryPath, at commit: ObjectID) async throws -> GitTreeEntry?
    /// The object of a directory; of the root for nil.
    func tree(_ path: RepositoryPath?, at commit: ObjectID) async throws -> ObjectID
    /// Hands over the entries of a directory in git's order; tells whether there are more than were wanted.
    func list(_ query: TreeQuery, deliver: ([GitTreeEntry]) async throws -> Void) async throws -> Bool
    /// Part of a blob: whether it is binary, then its bytes.
    func read(
        _ blob: GitTreeEntry, _ range: Range<Int>,
        begin: (Bool) async throws -> Void, deliver: ([UInt8]) async throws -> Void
    ) async throws
}

protocol ReferenceProvider: Sendable {
    /// All branches or tags, in no promised order.
    func references(below folder: ReferenceFolder, withTimes: Bool) async throws -> [GitReference]
    /// The default branch's full name; nil without one.
    func headReference() async throws -> String?
    /// The objects that checked names lead to now, in the order of the names.
    func objects(_ names: [String]) async throws -> [ObjectInfo?]
    /// The content of annotated tags.
    func tags(_ ids: [ObjectID]) async throws -> [TagObject]
}

protocol BlameProvider: Sendable {
    func blameLine(_ line: Int, _ query: BlameQuery) async throws -> GitBlameHunk
    /// Makes blaming these lines cheap.
    func prepareBlame(of lines: [Int], _ query: BlameQuery) async throws
    /// Hands hunks over in the order they are found; waits for the receiver.
    func blame(_ query: BlameQuery, deliver: @Sendable ([GitBlameHunk]) async throws -> Void) async throws
    /// The lines around a line; nil for a binary file.
    func snippet(_ path: RepositoryPath, line: Int, at commit: ObjectID) async throws -> Snippet?
    /// Commits that a file of the repository (`.git-blame-ignore-revs`) says to look through; empty without it.
    func ignoredCommits(in path: RepositoryPath, at commit: ObjectID) async throws -> [ObjectID]
    /// Those of `ids` that are commits here.
    func existingCommits(_ ids: [ObjectID]) async throws -> [ObjectID]
}

protocol CodeSearchProvider: Sendable {
    /// Hands files over as they are found, each with the id of its content; `deliver` answers whether it wants more.
    /// Tells whether all were handed over.
    func search(
        _ query: CodeQuery, deliver: ([(file: FoundFile, blob: ObjectID)]) async throws -> Bool
    ) async throws -> Bool
    /// Some of the files behind the first `start` ones; always the same for the same query and `start`.
    func searchRun(_ query: CodeQuery, from start: Int) async throws -> FoundFiles
}
