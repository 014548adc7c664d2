/// One run of git, built only from checked parts: the subcommand is from a table, flags are from that
/// subcommand's list, and what came from a caller is an ``ObjectID``, a ``RepositoryPath`` or the value of a flag.
struct GitCommand: Sendable {
    let subcommand: Subcommand
    private(set) var flags: [String] = []
    private var revisions: [String] = []
    private var path: RepositoryPath?

    init(_ subcommand: Subcommand) {
        self.subcommand = subcommand
    }

    /// Adds a flag without a value.
    func flag(_ name: Flag) -> GitCommand {
        adding { $0.flags.append(name.rawValue) }
    }

    /// Adds `--name=value`: one argument, so that the value can never be read as an option.
    func flag(_ name: Flag, _ value: String) -> GitCommand {
        adding { $0.flags.append("\(name.rawValue)=\(value)") }
    }

    func flag(_ name: Flag, _ value: Int64) -> GitCommand {
        flag(name, String(value))
    }

    /// `-L first,last` of blame.
    func lines(_ first: Int, _ last: Int) -> GitCommand {
        adding { $0.flags.append("-L\(first),\(last)") }
    }

    func including(_ id: ObjectID) -> GitCommand {
        adding { $0.revisions.append(id.hex) }
    }

    func excluding(_ id: ObjectID) -> GitCommand {
        adding { $0.revisions.append("^\(id.hex)") }
    }

    /// Limits the command to a path, always behind `--`.
    func path(_ path: RepositoryPath?) -> GitCommand {
        adding { $0.path = path }
    }

    /// Everything behind the program's name.
    var arguments: [[UInt8]] {
        var words = [subcommand.rawValue] + flags
        if subcommand.takesEndOfOptions { words.append("--end-of-options") }
        words += revisions
        var arguments = words.map { Array($0.utf8) }
        if subcommand.takesPath {
            arguments.append(Array("--".utf8))
            if let path { arguments.append(path.bytes) }
        }
        return arguments
    }

    private func adding(_ change: (inout GitCommand) -> Void) -> GitCommand {
        var copy = self
        change(&copy)
        return copy
    }
}

extension GitCommand {
    /// Every subcommand the engine may run. None of them writes to the repository or opens a connection.
    enum Subcommand: String, Sendable, CaseIterable {
        case blame
        case catFile = "cat-file"
        case diffTree = "diff-tree"
        case listTree = "ls-tree"
        case revList = "rev-list"
        case revParse = "rev-parse"

        /// git 2.39: blame refuses it with its usage text, `cat-file` takes it only behind `-p` or `-e`, `diff-tree`
        /// and `rev-parse` get no revision here.
        var takesEndOfOptions: Bool { self == .revList || self == .listTree }
        /// Whether paths may follow behind `--`.
        var takesPath: Bool { self == .blame || self == .revList }
    }

    /// Every flag the engine uses.
    enum Flag: String, Sendable, CaseIterable {
        // blame
        case incremental = "--incremental"
        case encodingUTF8 = "--encoding=UTF-8"
        case ignoreWhitespace = "-w"
        case detectMoves = "-M"
        case detectCopies = "-C"
        case ignoreRevision = "--ignore-rev"
        // blame and diff-tree: programs that a repository's configuration names are not run
        case noTextConversion = "--no-textconv"
        case noExternalDiff = "--no-ext-diff"
        // cat-file
        case batchCommand = "--batch-command"
        case nulTerminated = "-z"
        // diff-tree
        case standardInput = "--stdin"
        case recursive = "-r"  // ls-tree, too
        case raw = "--raw"
        case numberStatistics = "--numstat"
        case detectRenames = "--find-renames"
        case renameLimit = "-l1000"
        case root = "--root"
        case mergesAgainstFirstParent = "--diff-merges=first-parent"
        // rev-list
        case maximumCount = "--max-count"
        case skip = "--skip"
        case firstParent = "--first-parent"  // blame, too
        case noMerges = "--no-merges"
        case noEarlierThan = "--max-age"
        case noLaterThan = "--min-age"
        case author = "--author"
        case message = "--grep"
        case fixedStrings = "--fixed-strings"
        case ignoreCase = "--regexp-ignore-case"
        // rev-parse
        case disambiguate = "--disambiguate"
    }
}
