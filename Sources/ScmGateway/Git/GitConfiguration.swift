/// Limits of the git engine. Every limit that a caller can hit is named in the error that reports it.
public struct GitConfiguration: Sendable {
    /// The git program; nil looks through `PATH` of this process.
    public var gitPath: String?
    /// Folder for a few small files of the engine's own; nil makes a temporary one (the service puts it beside the
    /// database).
    public var workspaceFolder: String?
    /// Longest run of one git command or of one object read.
    public var commandTimeout: Duration = .seconds(60)
    /// Most bytes of standard output that one command may produce.
    public var maximumOutputByteCount = 64 * 1024 * 1024
    /// Bytes of standard error that are kept; the rest is read and dropped.
    public var maximumErrorByteCount = 64 * 1024
    /// Largest object (a file for a snippet, a commit) that is read into memory.
    public var maximumObjectByteCount = 8 * 1024 * 1024
    /// How far into a file one GetFile may read, in bytes from its beginning.
    public var maximumFileByteCount = 1024 * 1024 * 1024
    /// Memory that one git process may write to, in bytes.
    public var maximumCommandMemoryByteCount = 4 * 1024 * 1024 * 1024
    /// Largest file that a git process may write, in bytes. Reading commands write none; a program around git that
    /// notes something needs room.
    public var maximumWrittenFileByteCount = 0
    /// Processor time of one git command, all of its threads together, in whole seconds.
    public var commandProcessorTime: Duration = .seconds(300)
    /// Memory that a search may write to, in bytes: an expression can make the C library ask for any amount, and git
    /// reads each file whole.
    public var maximumSearchMemoryByteCount = 4 * 1024 * 1024 * 1024
    /// Commands that run at the same time, over all repositories.
    public var maximumConcurrentCommands = 16
    /// Commands that run at the same time in one repository.
    public var maximumConcurrentCommandsPerRepository = 8
    /// Callers that may wait for a command of one repository; one more is refused.
    public var maximumQueuedCommands = 256
    /// Long-lived `git cat-file` processes, over all repositories.
    public var maximumObjectReaders = 32
    /// Long-lived `git cat-file` processes of one repository.
    public var maximumObjectReadersPerRepository = 4
    /// How long an unused `git cat-file` process is kept.
    public var objectReaderIdleTimeout: Duration = .seconds(60)
    /// For this long after the files that say what HEAD is were looked at, they are not looked at again: an answer may
    /// be this much behind a push. Zero looks each time. Default 1 ms, less than a git command takes to start and end.
    public var headFreshness: Duration = .milliseconds(1)
    /// Memory for results that depend only on object ids (blame, history blocks), in bytes.
    public var resultCacheByteCount = 64 * 1024 * 1024

    public init() {}
}
