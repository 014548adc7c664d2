/// Which commits to list; everything that the answer depends on.
struct HistoryQuery: Hashable, Sendable {
    /// Commits reachable from these, themselves included; none twice, in the order of ids. A tag may name what is no
    /// commit: nothing is reachable from that.
    var tips: [ObjectID]
    /// Without those reachable from here.
    var excluded: ObjectID?
    var path: RepositoryPath?
    /// Goes on at the name that the path's file had before a rename. Needs a path.
    var followsRenames = false
    /// Seconds since 1970 UTC, compared with the committer's date, inclusive.
    var since: Int64?
    var until: Int64?
    var firstParent = false
    var skipMerges = false
    /// Text that the author's `Name <mail>` holds, in any case.
    var author: String?
    /// Text that the message holds, in any case.
    var message: String?
    /// `message` is a POSIX extended regular expression, matched within one line.
    var messageIsExpression = false

    init(tips: [ObjectID], excluded: ObjectID? = nil) {
        self.tips = tips
        self.excluded = excluded
    }

    var byteCount: Int {
        400 + tips.count * 96 + (path?.bytes.count ?? 0) + (author?.utf8.count ?? 0) + (message?.utf8.count ?? 0)
    }
}

/// History is read in blocks: `[0, 128)`, `[128, 256)`, `[256, 512)`, `[512, 1024)` and so on, each as long as
/// everything before it, up to 65,536 commits; then that long.
///
/// Why not "go on at the last commit of the page": git's order is by date over all open branches, so the rest of a
/// walk depends on every branch that was open, not on one commit, and a restart there would show commits twice
/// where clocks were wrong. Why not `--skip` per page: git walks from the start each time, which makes reading a
/// whole history quadratic in it. With blocks git walks at most twice what it would in one go, until blocks stop
/// growing, nothing is read ahead that is longer than what has been read, and an answer does not depend on which
/// blocks are still in memory.
enum HistoryBlock {
    static let smallest = 128
    static let largest = 65_536

    /// The block that holds the item at `index`.
    static func containing(_ index: Int, largest: Int = largest) -> Range<Int> {
        if index < smallest { return 0..<smallest }
        if index >= largest {
            let start = index / largest * largest
            return start..<(start + largest)
        }
        var start = smallest
        while start * 2 <= index { start *= 2 }
        return start..<(start * 2)
    }
}

extension GitEngine {
    /// The commits at `range` of the list, newest first in git's order; fewer at its end.
    ///
    /// - Throws: ``GitError``.
    func history(_ query: HistoryQuery, _ range: Range<Int>, in repository: GitRepository) async throws -> [ObjectID] {
        var ids: [ObjectID] = []
        var index = range.lowerBound
        while index < range.upperBound {
            let block = HistoryBlock.containing(index)
            let found = try await historyBlock(query, block, in: repository)
            let end = min(range.upperBound, block.lowerBound + found.count)
            if index < end { ids += found[(index - block.lowerBound)..<(end - block.lowerBound)] }
            if found.count < block.count { break }
            index = block.upperBound
        }
        return ids
    }

    private func historyBlock(
        _ query: HistoryQuery,
        _ block: Range<Int>,
        in repository: GitRepository
    ) async throws -> [ObjectID] {
        let key = CacheKey.history(repository.id, query, block: block.lowerBound)
        if case .history(let ids)? = cache[key] { return ids }
        let output: [UInt8]
        do {
            // There may be more tips than a command line takes.
            let input = query.tips.count > 1 ? query.tips.flatMap { Array("\($0.hex)\n".utf8) } : []
            output = try await runner.output(of: command(for: query, block), in: repository, input: input)
        } catch let error as GitError {
            throw await explainSearch(error, in: repository)
        }
        let ids = try await offLoop {
            let lines = output.split(separator: UInt8(ascii: "\n"))
            return try lines.dropFirst(query.followsRenames ? block.lowerBound : 0).map { line throws(GitError) in
                guard let id = ObjectID(bytes: line) else {
                    throw GitError.corruptAnswer("the list of commits holds no object id")
                }
                return id
            }
        }
        if try await !offLoop({ repository.location.isShallow }) {
            cache.insert(.history(ids), for: key, byteCount: query.byteCount + ids.count * 96)
        }
        return ids
    }

    private func command(for query: HistoryQuery, _ block: Range<Int>) -> GitCommand {
        var command = query.followsRenames ? following(upTo: block.upperBound) : GitCommand(.revList)
            .flag(.skip, Int64(block.lowerBound)).flag(.maximumCount, Int64(block.count))
        if let since = query.since { command = command.flag(.noEarlierThan, since) }
        if let until = query.until { command = command.flag(.noLaterThan, until) }
        if query.firstParent { command = command.flag(.firstParent) }
        if query.skipMerges { command = command.flag(.noMerges) }
        // git reads both in the same way.
        let isExpression = query.messageIsExpression && query.message != nil
        if query.author != nil || query.message != nil {
            command = command.flag(isExpression ? .extendedSyntax : .fixedStrings).flag(.ignoreCase)
        }
        if let author = query.author {
            command = command.flag(.author, isExpression ? SearchExpression.literal(author) : author)
        }
        if let message = query.message { command = command.flag(.message, message) }
        if isExpression { command = command.limitedMemory(configuration.maximumSearchMemoryByteCount) }
        if let excluded = query.excluded { command = command.excluding(excluded) }
        if query.tips.count == 1, let tip = query.tips.first { command = command.including(tip) }
        if query.tips.count > 1 { command = command.flag(.standardInput) }
        return command.path(query.path)
    }

    /// Only `log` follows names. What it skips it counts before it has followed, so it prints from the begin on.
    private func following(upTo count: Int) -> GitCommand {
        GitCommand(.log)
            .flag(.follow).flag(.format, "%H").flag(.withoutPatch).flag(.withoutMailmap).flag(.renameLimit)
            .flag(.noExternalDiff).flag(.noTextConversion).flag(.maximumCount, Int64(count))
    }
}
