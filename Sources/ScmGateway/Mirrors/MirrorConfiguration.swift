import HTTPTransport

/// Copies of remote repositories: which addresses may be copied, where to, and how much.
public struct MirrorConfiguration: Sendable {
    /// Folder of the copies; nil puts it beside the database. Nothing else may use it.
    public var folder: String?
    /// Schemes that CreateRepository accepts: `https`, `ssh`, `http`, `file`. Empty: no mirrors. `file` reaches folders
    /// below `repositoryRoots` only.
    public var schemes: Set<String> = ["https"]
    /// Ports besides those of the schemes (443, 22, 80).
    public var additionalPorts: Set<Int> = [8443]
    /// Addresses that are not public and may be connected to all the same, such as a company's own network.
    public var addresses = AddressPolicy()
    /// `Authorization` fields by host, such as `git.example.org: Basic ...`, sent to that host over https only.
    public var authorization: [String: String] = [:]
    /// PEM file of authorities for https besides, or instead of, the system's.
    public var certificateAuthorityFile: String?
    /// Private key for ssh; nil: none, so only servers that need none.
    public var sshKeyFile: String?
    /// Known hosts for ssh; a host that is not in it is refused.
    public var sshKnownHostsFile: String?
    /// Longest look at a remote when a mirror is added.
    public var probeTimeout: Duration = .seconds(20)
    /// What ``fetchInterval`` may be when it is set from outside, in seconds: 1 minute to 365 days.
    public static let intervals = 60...31_536_000
    /// How often a mirror is fetched by itself, unless it has an interval of its own; zero for never.
    public var fetchInterval: Duration = .seconds(3600)
    /// Longest clone or fetch.
    public var transferTimeout: Duration = .seconds(3600)
    /// Most bytes of one copy.
    public var maximumByteCount = 10 * 1024 * 1024 * 1024
    /// Memory that each process of a clone or fetch may write to, in bytes.
    public var maximumMemoryByteCount = 4 * 1024 * 1024 * 1024
    /// Clones and fetches at the same time.
    public var maximumConcurrentTransfers = 2

    public init() {}
}
