/// Names a result that depends only on object ids and options.
///
/// The repository is part of the key although the ids alone would do: a caller must not learn, from an answer that
/// comes too fast, that another tenant's repository holds the same file.
enum CacheKey: Hashable, Sendable {
    case commit(ObjectIdentifier, ObjectID)
    /// That the id is a commit's.
    case commitExists(ObjectIdentifier, ObjectID)
    case blame(ObjectIdentifier, BlameQuery)
    case snippet(ObjectIdentifier, ObjectID, RepositoryPath, line: Int)
    case history(ObjectIdentifier, HistoryQuery, block: Int)
}

enum CachedResult: Sendable {
    case commitExists
    case commit(CommitObject)
    case hunks([GitBlameHunk])
    case snippet(Snippet)
    case history([ObjectID])
}
