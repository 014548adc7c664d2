/// A run of lines that came from one commit.
struct GitBlameHunk: Hashable, Sendable {
    var commit: ObjectID
    /// First line in the blamed file, 1-based.
    var line: Int
    var lineCount: Int
    /// First line in the commit's own version of the file, 1-based.
    var originalLine: Int
    /// The file's path in that commit; bytes, because git's paths are.
    var originalPath: [UInt8]
    /// Where to look further back: the parent and the file's path there. nil when the lines were new in the commit.
    var previous: Previous?
    /// The history ends at this commit: a root commit, or the edge of a shallow clone.
    var isBoundary: Bool
    var details: GitBlameCommit

    struct Previous: Hashable, Sendable {
        var commit: ObjectID
        var path: [UInt8]
    }

    /// Memory that a cached copy takes, roughly, in bytes.
    var byteCount: Int {
        160 + originalPath.count + (previous.map { $0.path.count + 100 } ?? 0) + details.byteCount
    }
}

/// What `git blame` says about a commit, besides its id.
struct GitBlameCommit: Hashable, Sendable {
    var author = GitIdentity(name: "", email: "", seconds: nil)
    var committer = GitIdentity(name: "", email: "", seconds: nil)
    /// First line of the message.
    var summary = ""

    var byteCount: Int { 200 + summary.utf8.count + author.byteCount + committer.byteCount }
}

/// Parses the output of `git blame --incremental`, fed in pieces of any size.
///
/// ```
/// <id> <original line> <line> <count>     begins an entry
/// author ... / committer ... / summary    only the first time a commit is named
/// boundary                                where the history ends
/// previous <id> <path>
/// filename <path>                         ends the entry
/// ```
///
/// Entries come in the order git finds them, not by line. Source: git-blame(1), "Incremental output".
struct BlameParser {
    private var lines = LineCutter()
    private var commits: [ObjectID: Known] = [:]
    private var current: GitBlameHunk?

    /// What git says once per commit.
    private struct Known {
        var details: GitBlameCommit
        var isBoundary: Bool
    }

    /// - Returns: the entries that ended in `bytes`.
    /// - Throws: ``GitError/corruptAnswer(_:)``.
    mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(GitError) -> [GitBlameHunk] {
        var hunks: [GitBlameHunk] = []
        var cutter = lines
        try cutter.feed(bytes) { (line) throws(GitError) in
            if let hunk = try parse(line) { hunks.append(hunk) }
        }
        lines = cutter
        return hunks
    }

    /// At the end of the output.
    ///
    /// - Throws: ``GitError/corruptAnswer(_:)`` when an entry is unfinished.
    func finish() throws(GitError) {
        guard current == nil else { throw GitError.corruptAnswer("blame ended inside an entry") }
    }

    private mutating func parse(_ line: ArraySlice<UInt8>) throws(GitError) -> GitBlameHunk? {
        guard var hunk = current else {
            current = try begin(line)
            return nil
        }
        let space = line.firstIndex(of: UInt8(ascii: " ")) ?? line.endIndex
        let value = line[min(space + 1, line.endIndex)...]
        switch String(decoding: line[..<space], as: UTF8.self) {
        case "filename":
            hunk.originalPath = QuotedPath.decode(value)
            if commits[hunk.commit] == nil {
                commits[hunk.commit] = Known(details: hunk.details, isBoundary: hunk.isBoundary)
            }
            current = nil
            return hunk
        case "boundary": hunk.isBoundary = true
        case "previous": hunk.previous = Self.previous(value)
        case "summary": hunk.details.summary = TextDecoding.string(value, encoding: nil)
        case let field: Self.set(field, value, &hunk.details)
        }
        current = hunk
        return nil
    }

    private static func set(_ field: String, _ value: ArraySlice<UInt8>, _ details: inout GitBlameCommit) {
        switch field {
        case "author": details.author.name = TextDecoding.string(value, encoding: nil)
        case "author-mail": details.author.email = mail(value)
        case "author-time": details.author.seconds = decimal(value)
        case "author-tz": details.author.offsetMinutes = GitIdentity.offset(value)
        case "committer": details.committer.name = TextDecoding.string(value, encoding: nil)
        case "committer-mail": details.committer.email = mail(value)
        case "committer-time": details.committer.seconds = decimal(value)
        case "committer-tz": details.committer.offsetMinutes = GitIdentity.offset(value)
        default: break
        }
    }

    private static func previous(_ value: ArraySlice<UInt8>) -> GitBlameHunk.Previous? {
        let words = value.split(separator: UInt8(ascii: " "), maxSplits: 1)
        guard words.count == 2, let commit = ObjectID(bytes: words[0]) else { return nil }
        return GitBlameHunk.Previous(commit: commit, path: QuotedPath.decode(words[1]))
    }

    private static func mail(_ value: ArraySlice<UInt8>) -> String {
        var value = value
        if value.first == UInt8(ascii: "<") { value = value.dropFirst() }
        if value.last == UInt8(ascii: ">") { value = value.dropLast() }
        return TextDecoding.string(value, encoding: nil)
    }

    private func begin(_ line: ArraySlice<UInt8>) throws(GitError) -> GitBlameHunk {
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.count == 4, let id = ObjectID(bytes: words[0]),
            let original = Self.lineNumber(words[1]), let final = Self.lineNumber(words[2]),
            let count = Self.lineNumber(words[3])
        else { throw GitError.corruptAnswer("blame entry does not begin with an object id and three numbers") }
        let known = commits[id]
        return GitBlameHunk(
            commit: id, line: final, lineCount: count, originalLine: original, originalPath: [],
            previous: nil, isBoundary: known?.isBoundary ?? false, details: known?.details ?? GitBlameCommit()
        )
    }

    private static func lineNumber(_ word: ArraySlice<UInt8>) -> Int? {
        guard let value = decimal(word), value >= 1 else { return nil }
        return Int(exactly: value).flatMap { $0 <= Int(Int32.max) ? $0 : nil }
    }
}
