/// Lines of a file around one line.
struct Snippet: Hashable, Sendable {
    /// Most lines before and after.
    static let maximumRadius = 20
    /// Longer lines are cut, in bytes.
    static let maximumLineByteCount = 4096

    /// Number of the first line in `lines`, 1-based.
    var firstLine: Int
    /// Without line ends; bytes that are not UTF-8 are U+FFFD.
    var lines: [String]

    var byteCount: Int { lines.reduce(200) { $0 + $1.utf8.count + 16 } }

    /// nil for a binary file (a NUL in the first 8000 bytes, git's own rule).
    ///
    /// - Throws: ``GitError/noSuchLine(line:path:)``.
    init?(_ content: [UInt8], line: Int, path: RepositoryPath) throws(GitError) {
        guard !content.prefix(8000).contains(0) else { return nil }
        let first = max(1, line - Self.maximumRadius)
        var number = 1
        var lines: [String] = []
        var rest = content[...]
        while !rest.isEmpty, number <= line + Self.maximumRadius {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            if number >= first { lines.append(Self.text(rest[rest.startIndex..<end])) }
            rest = end < rest.endIndex ? rest[(end + 1)...] : []
            number += 1
        }
        guard line < number else { throw GitError.noSuchLine(line: line, path: path.text) }
        firstLine = first
        self.lines = lines
    }

    private static func text(_ line: ArraySlice<UInt8>) -> String {
        let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
        return String(decoding: line.prefix(maximumLineByteCount), as: UTF8.self)
    }

    /// The part within `radius` lines of `line`.
    func around(_ line: Int, radius: Int) -> (firstLine: Int, text: String) {
        let start = max(firstLine, line - radius)
        let part = lines.dropFirst(start - firstLine).prefix(line + radius - start + 1)
        return (start, part.joined(separator: "\n"))
    }
}

extension GitEngine {
    /// The widest snippet around a line; nil for a binary file.
    ///
    /// - Throws: as ``file(_:at:in:)`` and ``content(_:in:)``, ``GitError/noSuchLine(line:path:)``.
    func snippet(
        _ path: RepositoryPath,
        line: Int,
        at commit: ObjectID,
        in repository: GitRepository
    ) async throws -> Snippet? {
        let key = CacheKey.snippet(repository.id, commit, path, line: line)
        if case .snippet(let snippet)? = cache[key] { return snippet }
        let blob = try await file(path, at: commit, in: repository)
        let content = try await content(blob, in: repository)
        return try await offLoop {
            guard let snippet = try Snippet(content, line: line, path: path) else { return nil }
            self.cache.insert(.snippet(snippet), for: key, byteCount: snippet.byteCount + path.bytes.count + 200)
            return snippet
        }
    }
}
