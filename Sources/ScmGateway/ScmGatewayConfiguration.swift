import SiloRPC

/// Settings of the service.
public struct ScmGatewayConfiguration: Sendable {
    /// Folders below which CreateRepository may register repositories. Empty: none. (The command line is the
    /// operator's and is not bound by it.)
    public var repositoryRoots: [String] = []
    /// Processes, time and memory of the git engine.
    public var git = GitConfiguration()
    /// Disk for results of blame, kept over restarts in `blame-cache.sqlite` beside the database, in bytes; 0 for none.
    public var blameCacheByteCount = 256 * 1024 * 1024
    /// Copies of remote repositories.
    public var mirrors = MirrorConfiguration()
    /// How long a repository's row is served from memory. A change made by another process, such as the command
    /// line, takes effect in a running server after at most this long.
    public var repositoryCacheLifetime: Duration = .seconds(2)
    /// Where rows of repositories are read; nil: in the database that the service was given.
    public var repositories: (any RepositoryDirectoryService)?
    /// Where ListIntegrations looks; nil: there are none.
    public var installations: (any InstallationService)?

    public init() {}
}
