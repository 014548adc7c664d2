/// One run of git, built only from checked parts: the subcommand is from a table, flags are from that
/// subcommand's list, and what came from a caller is an ``ObjectID``, a ``RepositoryPath`` or the value of a flag.
struct GitCommand: Sendable {
    let subcommand: Subcommand
    private(set) var flags: [String] = []
    private var revisions: [String] = []
    private var path: RepositoryPath?
    private var patterns: [PathPattern] = []
    /// Configuration for this run only, through the environment.
    private(set) var configuration: [(key: String, value: String)] = []
    /// Memory that the process may write to, in bytes; nil for as much as every command may.
    private(set) var memoryLimit: Int?

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

    /// `-e` of grep: one argument, so that the text can never be read as an option. A text with a newline would be
    /// several patterns; callers refuse it.
    func searching(_ text: String) -> GitCommand {
        adding { $0.flags.append("-e\(text)") }
    }

    /// `-C` of grep.
    func context(_ lineCount: Int) -> GitCommand {
        adding { $0.flags.append("-C\(lineCount)") }
    }

    func configured(_ key: String, _ value: String) -> GitCommand {
        adding { $0.configuration.append((key, value)) }
    }

    func limitedMemory(_ byteCount: Int) -> GitCommand {
        adding { $0.memoryLimit = byteCount }
    }

    func including(_ id: ObjectID) -> GitCommand {
        adding { $0.revisions.append(id.hex) }
    }

    func excluding(_ id: ObjectID) -> GitCommand {
        adding { $0.revisions.append("^\(id.hex)") }
    }

    /// What one of two commits reaches and the other does not.
    func symmetricDifference(_ left: ObjectID, _ right: ObjectID) -> GitCommand {
        adding { $0.revisions.append("\(left.hex)...\(right.hex)") }
    }

    /// References below a folder, for `for-each-ref`.
    func references(below folder: ReferenceFolder) -> GitCommand {
        adding { $0.revisions.append(folder.rawValue) }
    }

    /// Limits the command to a path, always behind `--`.
    func path(_ path: RepositoryPath?) -> GitCommand {
        adding { $0.path = path }
    }

    /// Limits a search to paths that fit, always behind `--`.
    func paths(_ patterns: [PathPattern]) -> GitCommand {
        adding { $0.patterns += patterns }
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
            arguments += patterns.map(\.pathspec)
        }
        return arguments
    }

    private func adding(_ change: (inout GitCommand) -> Void) -> GitCommand {
        var copy = self
        change(&copy)
        return copy
    }
}

/// Where references of a kind are.
enum ReferenceFolder: String, Sendable {
    case branches = "refs/heads/"
    case tags = "refs/tags/"
}

extension GitCommand {
    /// Every subcommand the engine may run. None of them writes to the repository or opens a connection.
    enum Subcommand: String, Sendable, CaseIterable {
        case blame
        case catFile = "cat-file"
        case diffTree = "diff-tree"
        case forEachRef = "for-each-ref"
        case grep
        case listTree = "ls-tree"
        case log
        case mergeBase = "merge-base"
        case revList = "rev-list"
        case revParse = "rev-parse"

        /// Subcommands that get nothing but object ids and fixed words need none; and of git 2.39 blame refuses it with
        /// its usage text, `cat-file` takes it only behind `-p` or `-e`.
        var takesEndOfOptions: Bool { self == .revList || self == .listTree || self == .log }
        /// Whether paths may follow behind `--`.
        var takesPath: Bool { self == .blame || self == .revList || self == .grep || self == .log }
        /// The exit status that says "found nothing" and is no failure.
        var nothingFoundStatus: Int32? { self == .grep ? 1 : nil }

        /// Variables that are not as in all other commands.
        var environment: [String: String] {
            guard self == .grep else { return [:] }
            // Paths are patterns here, each with its magic in front. A letter is a character, not a byte: Debian's C
            // library has this locale built in, and its messages are those of "C".
            return ["GIT_LITERAL_PATHSPECS": "0", "LC_ALL": "C.UTF-8"]
        }
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
        case nulTerminated = "-z"  // ls-tree and diff-tree, too
        case content = "-p"
        // ls-tree
        case showTrees = "-t"
        case long = "-l"
        // diff-tree
        case standardInput = "--stdin"  // rev-list and log, too
        case recursive = "-r"  // ls-tree, too
        case raw = "--raw"
        case numberStatistics = "--numstat"
        case detectRenames = "--find-renames"
        case renameLimit = "-l1000"
        case root = "--root"
        case mergesAgainstFirstParent = "--diff-merges=first-parent"
        case noRenames = "--no-renames"
        case patch = "--patch"
        case contextLines = "--unified"
        case noColor = "--no-color"
        // grep
        case lineNumber = "-n"
        case withoutBinary = "-I"
        static let wholeWord = ignoreWhitespace
        case extendedSyntax = "-E"
        case ignoringCase = "-i"
        case colour = "--color"
        // for-each-ref
        case format = "--format"  // log, too
        // log
        case follow = "--follow"
        case withoutPatch = "--no-patch"
        case withoutMailmap = "--no-mailmap"
        // rev-list, and log
        case maximumCount = "--max-count"
        case skip = "--skip"
        case firstParent = "--first-parent"  // blame, too
        case noMerges = "--no-merges"
        case count = "--count"
        case leftRight = "--left-right"
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
