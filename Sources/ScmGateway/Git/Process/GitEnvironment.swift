/// The whole environment of every git process: an allow-list, nothing is inherited.
///
/// A repository is hostile input: its configuration can name programs (hooks, fsmonitor, text conversion, pagers,
/// transports). git does not get to see it (``GitWorkspace``); configuration given in the environment, which would win
/// over it, is the second wall.
enum GitEnvironment {
    /// `GIT_DIR` is always given, so git never searches parent folders, and its ownership check (`safe.directory`) does
    /// not apply: which repositories may be read is decided when one is registered.
    ///
    /// - Parameters:
    ///   - repository: whose objects are read.
    ///   - gitFolder: its stand-in, see ``GitWorkspace``.
    static func variables(
        for repository: RepositoryLocation, gitFolder: String, _ command: GitCommand
    ) -> [String: String] {
        var variables = fixed.merging(command.subcommand.environment) { _, own in own }
        variables["GIT_DIR"] = gitFolder
        // Also for the work tree: `.gitattributes` and `.mailmap` files of the real one have no effect.
        variables["GIT_WORK_TREE"] = gitFolder
        variables["GIT_OBJECT_DIRECTORY"] = repository.commonFolder + "/objects"
        variables["GIT_SHALLOW_FILE"] = repository.commonFolder + "/shallow"
        let configuration = configuration + command.configuration
        variables["GIT_CONFIG_COUNT"] = String(configuration.count)
        for (index, entry) in configuration.enumerated() {
            variables["GIT_CONFIG_KEY_\(index)"] = entry.key
            variables["GIT_CONFIG_VALUE_\(index)"] = entry.value
        }
        return variables
    }

    private static let fixed: [String: String] = [
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LC_ALL": "C",
        // No user's configuration, and no file of this name either.
        "HOME": "/nonexistent",
        "XDG_CONFIG_HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_SSH_COMMAND": "/bin/false",
        "GIT_EXTERNAL_DIFF": "",
        "GIT_PAGER": "cat",
        // A path is a path, not a pattern such as `:(glob)**`.
        "GIT_LITERAL_PATHSPECS": "1",
        // Read-only: no index refresh, no lock files.
        "GIT_OPTIONAL_LOCKS": "0",
        // An allow-list with a name that no transport has: a partial clone cannot fetch what it lacks.
        "GIT_ALLOW_PROTOCOL": "none",
        // Replacements and grafts would let the answer for an object id change, and results are cached by it.
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_GRAFT_FILE": "/nonexistent/grafts",
    ]

    private static let configuration: [(key: String, value: String)] = [
        ("core.hooksPath", "/dev/null"),
        ("core.fsmonitor", "false"),
        ("core.attributesFile", "/dev/null"),
        ("core.excludesFile", "/dev/null"),
        ("core.pager", "cat"),
        ("core.editor", "/bin/false"),
        ("core.sshCommand", "/bin/false"),
        ("core.gitProxy", ""),
        ("core.askPass", "/bin/false"),
        ("core.alternateRefsCommand", "/bin/false"),
        ("core.quotePath", "false"),
        // Or git looks for branches that have the name of each object id.
        ("core.warnAmbiguousRefs", "false"),
        ("credential.helper", ""),
        ("protocol.allow", "never"),
        ("log.showSignature", "false"),
        ("gpg.program", "/bin/false"),
        ("gpg.ssh.program", "/bin/false"),
        ("gpg.x509.program", "/bin/false"),
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
        ("i18n.logOutputEncoding", "UTF-8"),
        // Names of authors are what the commit says.
        ("mailmap.file", ""),
        ("mailmap.blob", ""),
    ]
}
