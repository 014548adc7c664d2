/// Which entries of a directory to list.
struct TreeQuery: Hashable, Sendable {
    /// The directory's object.
    var tree: ObjectID
    /// Path of the directory with its last `/`; empty for the root.
    var prefix: [UInt8] = []
    /// Also what is below.
    var recursive = false
    /// Also directories, when `recursive`.
    var withDirectories = false
    var withSizes = false
    /// The entries wanted, counted from 0 in git's order.
    var range = 0..<Int.max
}

extension GitEngine {
    /// The entry at a path; nil when there is none. Two questions to a pooled process, and no process of its own; none
    /// for what is in memory.
    ///
    /// - Throws: ``GitError``.
    func entry(
        _ path: RepositoryPath, at commit: ObjectID, in repository: GitRepository
    ) async throws -> GitTreeEntry? {
        let key = CacheKey.entry(repository.id, commit, path)
        if case .entry(let known)? = cache[key] { return known }
        let found = try await readEntry(path, at: commit, in: repository)
        // A file without a size lacks its content: a later fetch may bring it.
        if let found, found.byteCount != nil || found.isDirectory || found.isSubmodule {
            cache.insert(.entry(found), for: key, byteCount: path.bytes.count * 2 + 400)
        }
        return found
    }

    private func readEntry(
        _ path: RepositoryPath, at commit: ObjectID, in repository: GitRepository
    ) async throws -> GitTreeEntry? {
        let slash = path.bytes.lastIndex(of: UInt8(ascii: "/"))
        let folder = slash.map { path.bytes[..<$0] } ?? []
        let name = slash.map { path.bytes[($0 + 1)...] } ?? path.bytes[...]
        let results = try await info([path.bytes[...], folder].map { Self.name($0, commit) }, in: repository)
        guard results.count == 2, case .found(let folder) = results[1], folder.info.kind == .tree else {
            let error = await explain(.fileNotFound(path: path.text), in: repository)
            if case .fileNotFound = error { return nil }
            throw error
        }
        let content = try await content(folder.info, in: repository)
        var tree = TreeObject(content, idByteCount: commit.hex.utf8.count / 2)
        guard let found = try tree.find(name) else { return nil }
        var entry = GitTreeEntry(path: path.bytes, mode: found.mode, id: found.id)
        if case .found(let object) = results[0], object.info.kind == .blob { entry.byteCount = object.info.byteCount }
        return entry
    }

    /// The object of a directory; of the root for nil.
    ///
    /// - Throws: ``GitError/fileNotFound(path:)``, also for what is no directory.
    func tree(_ path: RepositoryPath?, at commit: ObjectID, in repository: GitRepository) async throws -> ObjectID {
        let name = Self.name((path?.bytes ?? [])[...], commit)
        guard case .found(let object)? = try await info([name], in: repository).first, object.info.kind == .tree else {
            throw await explain(.fileNotFound(path: path?.text ?? "/"), in: repository)
        }
        return object.info.id
    }

    /// Entries of a block that is kept in memory.
    private static let largestTreeBlock = 16_384

    /// Hands over the wanted entries of a directory, some at a time.
    ///
    /// All of them come as git prints them, and while `deliver` waits, git waits, too. A part comes from blocks that
    /// are kept in memory (``HistoryBlock`` says why): pages that follow each other do not make git begin anew each
    /// time.
    ///
    /// - Returns: whether there are entries behind the wanted ones.
    /// - Throws: ``GitError``, and what `deliver` throws.
    func list(
        _ query: TreeQuery, in repository: GitRepository, deliver: ([GitTreeEntry]) async throws -> Void
    ) async throws -> Bool {
        let range = query.range
        guard range.upperBound < .max else { return try await run(query, in: repository, deliver: deliver) }
        var index = range.lowerBound
        // One more than is wanted tells whether there are more.
        while index <= range.upperBound {
            let block = HistoryBlock.containing(index, largest: Self.largestTreeBlock)
            let found = try await treeBlock(query, block, in: repository)
            let end = block.lowerBound + found.count
            if index < min(end, range.upperBound) {
                try await deliver(
                    Array(found[(index - block.lowerBound)..<(min(end, range.upperBound) - block.lowerBound)])
                )
            }
            guard end == block.upperBound else { return end > range.upperBound }
            index = block.upperBound
        }
        return true
    }

    private func treeBlock(
        _ query: TreeQuery, _ block: Range<Int>, in repository: GitRepository
    ) async throws -> [GitTreeEntry] {
        var query = query
        query.range = block
        let key = CacheKey.tree(repository.id, query)
        if case .tree(let known)? = cache[key] { return known }
        var entries: [GitTreeEntry] = []
        _ = try await run(query, in: repository) { entries += $0 }
        let byteCount = entries.reduce(query.prefix.count + 300) { $0 + $1.path.count + 200 }
        cache.insert(.tree(entries), for: key, byteCount: byteCount)
        return entries
    }

    private func run(
        _ query: TreeQuery, in repository: GitRepository, deliver: ([GitTreeEntry]) async throws -> Void
    ) async throws -> Bool {
        var command = GitCommand(.listTree).flag(.nulTerminated)
        if query.recursive { command = command.flag(.recursive) }
        if query.recursive, query.withDirectories { command = command.flag(.showTrees) }
        if query.withSizes { command = command.flag(.long) }
        var cutter = TreeLineCutter()
        var index = 0
        do {
            try await runner.stream(command.including(query.tree), in: repository) { chunk in
                var entries: [GitTreeEntry] = []
                try cutter.feed(chunk) { line in
                    if query.range.contains(index) { entries.append(try line.entry(prefix: query.prefix)) }
                    index += 1
                }
                if !entries.isEmpty { try await deliver(entries) }
                if index > query.range.upperBound { throw EnoughOutput() }
            }
        } catch is EnoughOutput {
            return true
        } catch let error as GitError {
            throw await explain(error, in: repository)
        }
        return false
    }

    /// Part of a blob's bytes. Blobs up to `maximumObjectByteCount` come from a pooled process; longer ones from a
    /// process of their own, and are never whole in memory.
    ///
    /// - Parameters:
    ///   - range: in bytes, within the blob.
    ///   - begin: told once, before the bytes, whether the first 8000 hold a NUL.
    /// - Throws: ``GitError/tooLarge(what:limit:knob:)`` when the range ends behind `maximumFileByteCount`, and what
    ///   the closures throw.
    func read(
        _ blob: GitTreeEntry, _ range: Range<Int>, in repository: GitRepository,
        begin: (Bool) async throws -> Void, deliver: ([UInt8]) async throws -> Void
    ) async throws {
        guard range.upperBound <= configuration.maximumFileByteCount else {
            throw GitError.tooLarge(
                what: "the file", limit: configuration.maximumFileByteCount, knob: "maximumFileByteCount"
            )
        }
        guard let byteCount = blob.byteCount, byteCount > configuration.maximumObjectByteCount else {
            let bytes = try await smallContent(blob.id, in: repository)
            try await begin(Self.isBinary(bytes))
            let part = bytes[range.clamped(to: 0..<bytes.count)]
            if !part.isEmpty { try await deliver(Array(part)) }
            return
        }
        var head: [UInt8]? = []
        var position = 0
        do {
            // No limit of the output: the reading ends with the range.
            let command = GitCommand(.catFile).flag(.content).including(blob.id)
            try await runner.stream(command, in: repository, outputLimit: .max) { chunk in
                var bytes = chunk
                if let known = head {
                    bytes = known + chunk
                    guard bytes.count >= Self.binaryTestByteCount else {
                        head = bytes
                        return
                    }
                    head = nil
                    try await begin(Self.isBinary(bytes))
                }
                let wanted = range.clamped(to: position..<(position + bytes.count))
                if !wanted.isEmpty {
                    try await deliver(Array(bytes[(wanted.lowerBound - position)..<(wanted.upperBound - position)]))
                }
                position += bytes.count
                if position >= range.upperBound { throw EnoughOutput() }
            }
        } catch is EnoughOutput {
        } catch let error as GitError {
            throw await explain(error, in: repository)
        }
    }

    /// Contents of small files are kept in memory.
    private func smallContent(_ id: ObjectID, in repository: GitRepository) async throws -> [UInt8] {
        let key = CacheKey.content(repository.id, id)
        if case .content(let known)? = cache[key] { return known }
        let bytes = try await content(id, in: repository)
        if bytes.count <= Self.maximumKeptByteCount {
            cache.insert(.content(bytes), for: key, byteCount: bytes.count + 300)
        }
        return bytes
    }

    private static let maximumKeptByteCount = 64 * 1024

    /// git looks for a NUL in this many bytes.
    private static let binaryTestByteCount = 8000

    private static func isBinary(_ bytes: [UInt8]) -> Bool { bytes.prefix(binaryTestByteCount).contains(0) }
}
