/// What to blame and how; everything that the answer depends on.
struct BlameQuery: Hashable, Sendable {
    static let maximumIgnoredCommitCount = 1000

    var commit: ObjectID
    var path: RepositoryPath
    /// First and last line, 1-based; nil blames the whole file.
    var lines: ClosedRange<Int>?
    var ignoreWhitespace = false
    var detectMoves = false
    var detectCopies = false
    var firstParent = false
    /// Commits to look through; each must be a commit of the repository.
    var ignoredCommits: [ObjectID] = []

    var byteCount: Int { 250 + path.bytes.count + ignoredCommits.count * 80 }
}

extension GitEngine {
    /// Which commit a line comes from. Answered from the cache, also from that of the whole file.
    ///
    /// - Throws: ``GitError/fileNotFound(path:)``, ``GitError/notAFile(path:kind:)``,
    ///   ``GitError/noSuchLine(line:path:)``.
    func blameLine(_ line: Int, _ query: BlameQuery, in repository: GitRepository) async throws -> GitBlameHunk {
        var query = query
        query.lines = nil
        if let hunk = cachedHunks(query, in: repository)?.first(where: { $0.covers(line) }) { return hunk }
        let whole = query
        query.lines = line...line
        if let hunk = cachedHunks(query, in: repository)?.first { return hunk }
        if let (_, hunks) = await recall([whole, query], in: repository),
            let hunk = hunks.first(where: { $0.covers(line) })
        { return hunk }
        var hunks: [GitBlameHunk] = []
        try await run(query, in: repository) { hunks += $0 }
        guard let hunk = hunks.first(where: { $0.covers(line) }) else {
            throw GitError.noSuchLine(line: line, path: query.path.text)
        }
        return hunk
    }

    /// Hands over the hunks in the order git finds them. While `deliver` waits, git waits, too.
    ///
    /// Memory: one output chunk, and what git says about each commit once. A result that fits is kept for later
    /// calls.
    ///
    /// - Throws: as ``blameLine(_:_:in:)``, and what `deliver` throws.
    func blame(
        _ query: BlameQuery,
        in repository: GitRepository,
        deliver: ([GitBlameHunk]) async throws -> Void
    ) async throws {
        if let hunks = cachedHunks(query, in: repository) { return try await deliver(hunks) }
        if let (_, hunks) = await recall([query], in: repository) { return try await deliver(hunks) }
        try await run(query, in: repository, deliver: deliver)
    }

    private func run(
        _ query: BlameQuery,
        in repository: GitRepository,
        deliver: ([GitBlameHunk]) async throws -> Void
    ) async throws {
        var parser = BlameParser()
        var kept = KeptHunks(limit: configuration.resultCacheByteCount / 16)
        do {
            let lines = query.lines.map { [$0] } ?? []
            try await runner.stream(command(for: query, lines), in: repository) { chunk in
                let hunks = try chunk.withUnsafeBytes { try parser.feed($0) }
                kept.append(hunks)
                if !hunks.isEmpty { try await deliver(hunks) }
            }
            try parser.finish()
        } catch GitError.failed(let status, let message) {
            throw try await explainBlame(query, status, message, in: repository)
        }
        try await store(kept, for: query, in: repository)
    }

    /// Blames several lines with one process, so that ``blameLine(_:_:in:)`` finds them in memory.
    ///
    /// - Throws: ``GitError``, also when one of the lines is beyond the end.
    func prepareBlame(of lines: [Int], _ query: BlameQuery, in repository: GitRepository) async throws {
        func single(_ line: Int) -> BlameQuery {
            var query = query
            query.lines = line...line
            return query
        }
        guard cachedHunks(query, in: repository) == nil else { return }
        var missing = lines.filter { cachedHunks(single($0), in: repository) == nil }
        // Lines that were asked for together are mostly stored together: one look tells about all.
        while let first = missing.first, let (index, _) = await recall([query, single(first)], in: repository) {
            guard index > 0 else { return }
            missing.removeFirst()
        }
        guard missing.count > 1 else { return }
        var parser = BlameParser()
        var hunks: [GitBlameHunk] = []
        try await runner.stream(command(for: query, missing.map { $0...$0 }), in: repository) { chunk in
            hunks += try chunk.withUnsafeBytes { try parser.feed($0) }
        }
        try parser.finish()
        for line in missing {
            guard let hunk = hunks.first(where: { $0.covers(line) }) else { continue }
            var kept = KeptHunks(limit: configuration.resultCacheByteCount / 16)
            kept.append([hunk])
            try await store(kept, for: single(line), in: repository)
        }
    }

    private func command(for query: BlameQuery, _ lines: [ClosedRange<Int>]) -> GitCommand {
        var command = GitCommand(.blame)
            .flag(.incremental).flag(.noTextConversion).flag(.encodingUTF8)
        for lines in lines { command = command.lines(lines.lowerBound, lines.upperBound) }
        if query.ignoreWhitespace { command = command.flag(.ignoreWhitespace) }
        if query.detectMoves { command = command.flag(.detectMoves) }
        if query.detectCopies { command = command.flag(.detectCopies) }
        if query.firstParent { command = command.flag(.firstParent) }
        for commit in query.ignoredCommits { command = command.flag(.ignoreRevision, commit.hex) }
        return command.including(query.commit).path(query.path)
    }

    /// The first result that is on disk; then it is in memory, too.
    private func recall(
        _ queries: [BlameQuery], in repository: GitRepository
    ) async -> (index: Int, hunks: [GitBlameHunk])? {
        guard !FreshCall.isRunning,
            let (index, hunks) = await blames?.find(queries, gitFolder: repository.location.gitFolder)
        else { return nil }
        let byteCount = hunks.reduce(queries[index].byteCount) { $0 + $1.byteCount }
        cache.insert(.hunks(hunks), for: .blame(repository.id, queries[index]), byteCount: byteCount)
        return (index, hunks)
    }

    private func cachedHunks(_ query: BlameQuery, in repository: GitRepository) -> [GitBlameHunk]? {
        guard case .hunks(let hunks)? = cache[.blame(repository.id, query)] else { return nil }
        return hunks
    }

    /// A shallow clone's answers change when more history is fetched, so they are not kept.
    private func store(_ kept: KeptHunks, for query: BlameQuery, in repository: GitRepository) async throws {
        guard let hunks = kept.hunks else { return }
        guard try await !offLoop({ repository.location.isShallow }) else { return }
        if let blames, !FreshCall.isRunning {
            try await offLoop { blames.insert(hunks, for: query, gitFolder: repository.location.gitFolder) }
        }
        let key = CacheKey.blame(repository.id, query)
        cache.insert(.hunks(hunks), for: key, byteCount: kept.byteCount + query.byteCount)
    }

    /// git's texts are stable under `LC_ALL=C`; what they say about the file is checked with the object store, so
    /// that a file named like a message changes nothing.
    private func explainBlame(
        _ query: BlameQuery,
        _ status: String,
        _ message: String,
        in repository: GitRepository
    ) async throws -> GitError {
        _ = try await file(query.path, at: query.commit, in: repository)
        if message.contains("has only ") {
            return .noSuchLine(line: query.lines?.lowerBound ?? 0, path: query.path.text)
        }
        return await explain(.failed(status: status, message: message), in: repository)
    }
}

extension GitBlameHunk {
    func covers(_ wanted: Int) -> Bool { line <= wanted && wanted - line < lineCount }
}

/// Hunks kept for the cache until they get too many.
private struct KeptHunks {
    let limit: Int
    private(set) var hunks: [GitBlameHunk]? = []
    private(set) var byteCount = 0

    init(limit: Int) {
        self.limit = limit
    }

    mutating func append(_ more: [GitBlameHunk]) {
        guard hunks != nil else { return }
        for hunk in more { byteCount += hunk.byteCount }
        if byteCount > limit { hunks = nil } else { hunks?.append(contentsOf: more) }
    }
}
