/// What a git operation can end with. Cases carry what a message to the caller needs and nothing of git's own text,
/// except ``failed(status:message:)``, whose text is for the log only (it may name files of this machine).
enum GitError: Error, Sendable, Equatable {
    case invalidRevision(String)
    case invalidPath(String)
    /// The folder has gone or is not readable.
    case repositoryMissing
    /// The folder exists and is not a git repository.
    case notARepository(String)
    /// The folder held its objects itself when it was registered, and does not now.
    case borrowsObjects
    /// HEAD points to a branch without a commit.
    case emptyRepository
    case revisionNotFound(String)
    case ambiguousRevision(String)
    case fileNotFound(path: String)
    /// The path is a folder or a submodule.
    case notAFile(path: String, kind: String)
    case noSuchLine(line: Int, path: String)
    /// A search's text is no regular expression, or one that could take any amount of memory.
    case invalidPattern(String)
    /// More bytes than the named limit allows.
    case tooLarge(what: String, limit: Int, knob: String)
    case timedOut(limit: Duration, knob: String)
    /// Too many callers wait already.
    case overloaded(limit: Int, knob: String)
    /// The provider of the repository does not do this.
    case capabilityMissing(String)
    /// git ended with an error nobody expected.
    case failed(status: String, message: String)
    /// git's answer could not be understood.
    case corruptAnswer(String)
    case gitNotFound(String)
    /// No space is left for the engine's own files.
    case diskFull
    /// The folder from which commands run cannot be made.
    case workspace(String)
    /// ``GitEngine/shutdown()`` was called.
    case shutDown
}
