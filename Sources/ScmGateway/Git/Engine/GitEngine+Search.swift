/// What to look for.
struct CodePattern: Hashable, Sendable {
    /// Longest text, in characters.
    static let maximumTextCount = 1024
    static let maximumContextLineCount = 10
    static let maximumGlobCount = 20

    /// One line.
    var text: String
    /// A POSIX extended regular expression instead of plain text.
    var isExpression = false
    var isCaseSensitive = false
    var wholeWords = false
    /// Lines before and after each match.
    var contextLineCount = 0
    /// Matching lines kept for one file.
    var maximumMatchCount = 100
    var conditions = PathConditions()
    /// Any of them must fit, when there are some.
    var included: [PathPattern] = []
    /// None of them may fit.
    var excluded: [PathPattern] = []
}

/// What to look for in a commit's files; everything that the answer depends on.
struct CodeQuery: Hashable, Sendable {
    var commit: ObjectID
    var pattern: CodePattern

    var byteCount: Int {
        let patterns = pattern.included + pattern.excluded
        return 500 + pattern.text.utf8.count + patterns.reduce(0) { $0 + $1.pathspec.count + 32 }
    }
}

/// Part of what a search finds.
struct FoundFiles: Sendable {
    /// In git's order, each with the id of its content.
    var files: [(file: FoundFile, blob: ObjectID)] = []
    /// There is nothing behind them.
    var isComplete = false
}

extension GitEngine {
    /// Hands over the files that a search finds, in git's order, each with the id of its content. While `deliver`
    /// waits, git waits, too.
    ///
    /// - Parameter deliver: answers whether it wants more.
    /// - Returns: whether all were handed over.
    /// - Throws: ``GitError/invalidPattern(_:)``, other ``GitError``, and what `deliver` throws.
    func search(
        _ query: CodeQuery, in repository: GitRepository,
        deliver: ([(file: FoundFile, blob: ObjectID)]) async throws -> Bool
    ) async throws -> Bool {
        try SearchExpression.check(query.pattern)
        let colours = GrepColours()
        let pattern = query.pattern
        var parser = GrepParser(
            commit: query.commit, colours: colours, maximumMatchCount: pattern.maximumMatchCount,
            contextLineCount: pattern.contextLineCount
        )
        // The first file goes out at once, later ones together: each time costs a question about their contents' ids.
        var waiting: [FoundFile] = []
        var locator = BlobLocator(self, repository, at: query.commit)
        var nextDelivery = ContinuousClock.now
        do {
            try await runner.stream(command(for: query, colours), in: repository) { chunk in
                waiting += try parser.feed(chunk).filter { pattern.conditions.holds(for: $0.path) }
                guard !waiting.isEmpty, ContinuousClock.now >= nextDelivery || waiting.count >= Self.deliveryCount
                else {
                    return
                }
                let files = waiting
                waiting.removeAll()
                guard try await deliver(Array(zip(files, try await locator.ids(of: files.map(\.path))))) else {
                    throw EnoughOutput()
                }
                nextDelivery = .now + .milliseconds(20)
            }
        } catch is EnoughOutput {
            return false
        } catch let error as GitError {
            throw await explainSearch(error, in: repository)
        }
        if let last = try parser.finish(), pattern.conditions.holds(for: last.path) { waiting.append(last) }
        guard !waiting.isEmpty else { return true }
        return try await deliver(Array(zip(waiting, try await locator.ids(of: waiting.map(\.path)))))
    }

    /// Files that are handed over without waiting for more.
    private static let deliveryCount = 128

    /// Part of what a search finds, behind the first `start` files: as many as were read before (at least
    /// ``smallestRun``, at most ``largestRun``), fewer when their text gets long. So reading all, part after part,
    /// makes git look at each file few times, and nothing is read ahead that is longer than what has been read.
    ///
    /// A part depends on the query and on `start` only, and is kept in memory.
    ///
    /// - Throws: as ``search(_:in:deliver:)``.
    func searchRun(_ query: CodeQuery, from start: Int, in repository: GitRepository) async throws -> FoundFiles {
        let key = CacheKey.search(repository.id, query, start: start)
        if case .found(let known)? = cache[key] { return known }
        let wanted = min(max(Self.smallestRun, start), Self.largestRun)
        var found = FoundFiles()
        var skipped = 0
        var byteCount = query.byteCount
        found.isComplete = try await search(query, in: repository) { files in
            for entry in files {
                guard skipped == start else {
                    skipped += 1
                    continue
                }
                guard found.files.count < wanted, byteCount < Self.maximumRunByteCount else { return false }
                found.files.append(entry)
                byteCount += entry.file.byteCount + 100
            }
            return true
        }
        cache.insert(.found(found), for: key, byteCount: byteCount)
        return found
    }

    private static let smallestRun = 128
    private static let largestRun = 1024
    private static let maximumRunByteCount = 2 * 1024 * 1024

    private func command(for query: CodeQuery, _ colours: GrepColours) -> GitCommand {
        let pattern = query.pattern
        var command = GitCommand(.grep)
            .flag(.nulTerminated).flag(.lineNumber).flag(.withoutBinary).flag(.noTextConversion)
            .flag(.colour, "always").configured("color.grep.match", colours.match.setting)
            .configured("color.grep.selected", colours.rest.setting)
            // One more than is kept tells whether there are more; and git prints nothing behind the last one, so lines
            // near the last kept match, which may all be matches themselves, are asked for, too.
            .flag(.maximumCount, Int64(pattern.maximumMatchCount + pattern.contextLineCount) + 1)
        for part in ["filename", "linenumber", "separator", "context", "column", "function"] {
            command = command.configured("color.grep.\(part)", "")
        }
        command = command.flag(pattern.isExpression ? .extendedSyntax : .fixedStrings)
        // An expression can take any amount, and git reads each file whole, however large.
        command = command.limitedMemory(configuration.maximumSearchMemoryByteCount)
        if !pattern.isCaseSensitive { command = command.flag(.ignoringCase) }
        if pattern.wholeWords { command = command.flag(.wholeWord) }
        if pattern.contextLineCount > 0 { command = command.context(pattern.contextLineCount) }
        let included = pattern.included.isEmpty ? pattern.conditions.patterns : pattern.included
        return command.searching(pattern.text).including(query.commit).paths(included + pattern.excluded)
    }

    /// git's texts are stable in the locale that it runs in.
    func explainSearch(_ error: GitError, in repository: GitRepository) async -> GitError {
        guard case .failed(_, let message) = error else { return await explain(error, in: repository) }
        if message.contains("fatal: -e option, '") || message.contains("fatal: command line, '") {
            let reason = message.split(separator: "': ").last.map { $0.prefix { $0 != "\n" } } ?? "it cannot be read"
            return .invalidPattern("not a POSIX extended regular expression: \(reason)")
        }
        return await explain(error, in: repository)
    }
}

/// Expressions that git may be given.
enum SearchExpression {
    /// Most copies of a part that the repetitions of an expression may ask for, one inside the other or not.
    static let maximumRepetition = 10_000

    /// The C library makes repeated parts by copying them, and follows back references by trying everything, so both
    /// are checked before it sees an expression.
    ///
    /// - Throws: ``GitError/invalidPattern(_:)``.
    static func check(_ pattern: CodePattern) throws(GitError) {
        guard !pattern.text.isEmpty, pattern.text.count <= CodePattern.maximumTextCount else {
            throw GitError.invalidPattern("1 to \(CodePattern.maximumTextCount) characters are required")
        }
        guard !pattern.text.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") })
        else {
            throw GitError.invalidPattern("a search is within one line: no line ends and no NUL are allowed")
        }
        if pattern.isExpression { try checkExpression(Array(pattern.text.utf8)) }
    }

    /// An expression that matches a text and nothing else.
    static func literal(_ text: String) -> String {
        let special = #".[()*+?{|^$\"#.unicodeScalars
        var expression = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if special.contains(scalar) { expression.append("\\") }
            expression.append(scalar)
        }
        return String(expression)
    }

    private static func checkExpression(_ bytes: [UInt8]) throws(GitError) {
        var copies = 1
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\\"):
                index += 1
                if index < bytes.count, (UInt8(ascii: "1")...UInt8(ascii: "9")).contains(bytes[index]) {
                    throw GitError.invalidPattern("back references are not supported")
                }
            case UInt8(ascii: "{"):
                let inside = bytes[(index + 1)...].prefix { $0 != UInt8(ascii: "}") }
                let counts = inside.split(separator: UInt8(ascii: ",")).compactMap {
                    decimal($0).map { Int(clamping: $0) }
                }
                copies = copies.multipliedReportingOverflow(by: max(1, counts.max() ?? 1)).overflow
                    ? .max : copies &* max(1, counts.max() ?? 1)
                guard copies <= maximumRepetition else {
                    throw GitError.invalidPattern(
                        "the repetitions {n,m} multiply to more than maximumRepetition (\(maximumRepetition))"
                    )
                }
            default: break
            }
            index += 1
        }
    }
}
