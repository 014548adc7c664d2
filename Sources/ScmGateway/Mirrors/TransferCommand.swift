/// The git commands that open a connection or write a copy, each with all of its arguments: what comes from a caller is
/// a ``RemoteAddress`` put together again, always behind `--end-of-options`.
enum TransferCommand: Sendable {
    /// What the remote's HEAD is.
    case look(RemoteAddress)
    /// Copies branches and tags into a folder that does not exist.
    case clone(RemoteAddress, folder: String)
    /// Makes branches and tags of a copy what they are at the remote.
    case fetch(RemoteAddress, folder: String)
    /// Makes a branch, as `refs/heads/main`, the default one of a copy.
    case setHead(Revision, folder: String)
    /// Packs a copy into few files, and removes what no branch and no tag has reached for two weeks.
    case clean(folder: String)

    var arguments: [String] {
        switch self {
        case .look(let remote): ["ls-remote", "--symref", "--end-of-options", remote.text, "HEAD"]
        case .clone(let remote, let folder):
            ["clone", "--bare", "--template=", "--no-local", "--progress", "--end-of-options", remote.text, folder]
        case .fetch(let remote, _):
            [
                "fetch", "--prune", "--force", "--no-recurse-submodules", "--no-write-fetch-head", "--progress",
                "--end-of-options", remote.text, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*",
            ]
        case .setHead(let branch, _): ["symbolic-ref", "HEAD", branch.text]
        case .clean: ["gc", "--quiet", "--prune=2.weeks.ago"]
        }
    }

    private var remote: RemoteAddress? {
        switch self {
        case .look(let remote), .clone(let remote, _), .fetch(let remote, _): remote
        case .setHead, .clean: nil
        }
    }

    /// Others go first.
    var isInBackground: Bool {
        if case .clean = self { true } else { false }
    }

    /// Everything that git gets to see; nothing is inherited.
    ///
    /// - Parameter addresses: what the remote's host was resolved to; git connects to nothing else.
    func environment(_ configuration: MirrorConfiguration, _ addresses: [String]) -> [String: String] {
        var variables = [
            "PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "HOME": "/nonexistent",
            "XDG_CONFIG_HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "/bin/false",
            "GIT_ALLOW_PROTOCOL": remote?.scheme ?? "none", "GIT_PROTOCOL_FROM_USER": "0",
            "GIT_SSH_COMMAND": "/bin/false", "GIT_NO_REPLACE_OBJECTS": "1",
        ]
        switch self {
        case .fetch(_, let folder), .setHead(_, let folder), .clean(let folder): variables["GIT_DIR"] = folder
        case .look, .clone: variables["GIT_DIR"] = nil
        }
        if let remote, remote.scheme == "ssh" {
            variables["GIT_SSH_COMMAND"] = Self.ssh(remote, configuration, addresses)
        }
        let settings = settings(configuration, addresses)
        variables["GIT_CONFIG_COUNT"] = String(settings.count)
        for (index, entry) in settings.enumerated() {
            variables["GIT_CONFIG_KEY_\(index)"] = entry.0
            variables["GIT_CONFIG_VALUE_\(index)"] = entry.1
        }
        return variables
    }

    private func settings(_ configuration: MirrorConfiguration, _ addresses: [String]) -> [(String, String)] {
        var settings = [
            ("core.hooksPath", "/dev/null"), ("core.fsmonitor", "false"), ("core.askPass", "/bin/false"),
            ("core.gitProxy", ""), ("credential.helper", ""), ("gc.auto", "0"), ("maintenance.auto", "false"),
            ("submodule.recurse", "false"), ("fetch.recurseSubmodules", "false"), ("fetch.unpackLimit", "1"),
            ("transfer.bundleURI", "false"), ("http.followRedirects", "false"), ("http.proxy", ""),
            // One thread and little memory: nobody waits for cleaning up.
            ("pack.threads", "1"), ("pack.windowMemory", "32m"), ("pack.deltaCacheSize", "32m"),
            ("gc.autoDetach", "false"),
            ("http.lowSpeedLimit", "1000"), ("http.lowSpeedTime", "60"), ("http.emptyAuth", "false"),
        ]
        guard let remote, remote.scheme.hasPrefix("http") else { return settings }
        let listed = addresses.map { $0.contains(":") ? "[\($0)]" : $0 }.joined(separator: ",")
        // An address needs no resolving, and curl would not find it in the list.
        if addresses != [remote.host] {
            settings.append(("http.curloptResolve", "\(remote.host):\(remote.port):\(listed)"))
        }
        if let file = configuration.certificateAuthorityFile { settings.append(("http.sslCAInfo", file)) }
        if remote.scheme == "https", let value = configuration.authorization[remote.host] {
            // In the environment, not among the arguments, which every user of the machine may read.
            settings.append(("http.https://\(remote.place)/.extraHeader", "Authorization: \(value)"))
        }
        return settings
    }

    /// git hands this to a shell: host and addresses hold letters, digits, dots, colons and hyphens only, and the
    /// operator's paths are quoted, for ssh and for the shell.
    private static func ssh(
        _ remote: RemoteAddress, _ configuration: MirrorConfiguration, _ addresses: [String]
    ) -> String {
        // Nothing from the home folder of who runs this: ssh finds that without $HOME.
        let identity = configuration.sshKeyFile.map(fileName) ?? "none"
        var options = [
            "BatchMode=yes", "StrictHostKeyChecking=yes", "ForwardAgent=no", "ClearAllForwardings=yes",
            "ProxyCommand=none", "PermitLocalCommand=no", "ConnectTimeout=20", "IdentityAgent=none",
            "IdentitiesOnly=yes", "IdentityFile=\(identity)",
            "UserKnownHostsFile=\(fileName(configuration.sshKnownHostsFile ?? "/dev/null"))",
            "GlobalKnownHostsFile=/dev/null", "UpdateHostKeys=no", "VerifyHostKeyDNS=no",
            "HostKeyAlias=\(knownHost(remote))",
        ]
        if let address = addresses.first { options.append("HostName=\(address)") }
        return "ssh -F /dev/null " + options.map { "-o \(quoted($0))" }.joined(separator: " ")
    }

    /// As `ssh-keyscan` writes it; ssh does not put the port behind a name that it is given.
    private static func knownHost(_ remote: RemoteAddress) -> String {
        remote.port == RemoteAddress.standardPort("ssh") ? remote.host : "[\(remote.host)]:\(remote.port)"
    }

    /// A path as ssh's configuration has it: in quotes, and "%" begins what ssh fills in.
    private static func fileName(_ path: String) -> String {
        var text = ""
        for character in path {
            switch character {
            case "\"", "\\": text += "\\\(character)"
            case "%": text += "%%"
            default: text.append(character)
            }
        }
        return "\"\(text)\""
    }

    private static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
