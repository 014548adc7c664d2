/// Names a result that depends only on object ids and options.
///
/// The repository is part of the key although the ids alone would do: a caller must not learn, from an answer that
/// comes too fast, that another tenant's repository holds the same file.
enum CacheKey: Hashable, Sendable {
    case commit(GitRepository.ID, ObjectID)
    /// That the id is a commit's.
    case commitExists(GitRepository.ID, ObjectID)
    case blame(GitRepository.ID, BlameQuery)
    case snippet(GitRepository.ID, ObjectID, RepositoryPath, line: Int)
    case history(GitRepository.ID, HistoryQuery, block: Int)
    /// What all branches and tags named at some time.
    case tips(GitRepository.ID, anchor: String)
    /// The paths of all files of a commit.
    case files(GitRepository.ID, ObjectID)
    /// Part of the entries of a tree: the query's range is the part.
    case tree(GitRepository.ID, TreeQuery)
    case entry(GitRepository.ID, ObjectID, RepositoryPath)
    /// A tree as git stores it, by its own id, or the root of the commit with that id.
    case treeObject(GitRepository.ID, ObjectID)
    /// Of a small blob.
    case content(GitRepository.ID, ObjectID)
    /// What a search finds behind its first files.
    case search(GitRepository.ID, CodeQuery, start: Int)
}

enum CachedResult: Sendable {
    case commitExists
    case commit(CommitObject)
    case hunks([GitBlameHunk])
    case snippet(Snippet)
    case history([ObjectID])
    case files(FileList)
    case found(FoundFiles)
    case tree([GitTreeEntry])
    case entry(GitTreeEntry)
    case content([UInt8])
}
