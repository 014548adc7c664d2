/// How one file differs between a commit and its first parent.
struct GitFileChange: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case added, modified, deleted, renamed, copied, typeChanged, unknown
    }

    var kind: Kind
    /// The path after the change (before it, for a deleted file).
    var path: [UInt8]
    /// The path before a rename or copy.
    var previousPath: [UInt8]?
    /// nil for binary files.
    var additions: Int?
    var deletions: Int?
    /// nil where the file is absent.
    var objectID: ObjectID?
    var previousObjectID: ObjectID?
    /// How alike old and new content are in percent, for renames and copies.
    var similarity = 0
}

/// Parses `git diff-tree --stdin -r -z --raw --numstat -M`: for each commit its id, the raw entries, then the
/// line counts, every field ended by NUL.
///
/// ```
/// <commit id> NUL
/// :100644 100644 <id> <id> M NUL path NUL              one per changed file; renames (R087) have two paths
/// 3 TAB 1 TAB path NUL                                 one per changed file
/// 3 TAB 1 TAB NUL old NUL new NUL                      for renames; "-" counts for binary files
/// ```
///
/// Paths in `-z` output are raw bytes and may hold anything but NUL, so position alone says what a field is.
struct FileChangeParser {
    /// Changes of the commits, and which of them had more than the limit.
    struct Result {
        var changes: [ObjectID: [GitFileChange]] = [:]
        var truncated: Set<ObjectID> = []
    }

    private var fields: [ArraySlice<UInt8>]
    private var position = 0
    private let limit: Int

    /// - Parameter limit: most changes kept for one commit.
    init(_ output: [UInt8], limit: Int) {
        fields = output.split(separator: 0, omittingEmptySubsequences: false)
        if fields.last?.isEmpty == true { fields.removeLast() }
        self.limit = limit
    }

    mutating func parse() throws(GitError) -> Result {
        var result = Result()
        while let field = take() {
            guard let commit = ObjectID(bytes: field) else {
                throw GitError.corruptAnswer("diff-tree entry outside a commit")
            }
            var changes = try rawEntries()
            try addCounts(to: &changes)
            if changes.count > limit {
                changes.removeLast(changes.count - limit)
                result.truncated.insert(commit)
            }
            result.changes[commit] = changes
        }
        return result
    }

    /// Parses the output for two trees, which has no commit's id before it.
    mutating func parseChanges() throws(GitError) -> [GitFileChange] {
        var changes = try rawEntries()
        try addCounts(to: &changes)
        return changes
    }

    private mutating func rawEntries() throws(GitError) -> [GitFileChange] {
        var changes: [GitFileChange] = []
        while let field = peek(), field.first == UInt8(ascii: ":") {
            position += 1
            let words = field.split(separator: UInt8(ascii: " "))
            guard words.count == 5, let letter = words[4].first, let first = take() else {
                throw GitError.corruptAnswer("diff-tree raw entry is cut short")
            }
            var change = GitFileChange(kind: Self.kind(letter), path: Array(first))
            change.previousObjectID = Self.presentObject(words[2])
            change.objectID = Self.presentObject(words[3])
            change.similarity = decimal(words[4].dropFirst()).map { Int(clamping: $0) } ?? 0
            if change.kind == .renamed || change.kind == .copied {
                guard let second = take() else { throw GitError.corruptAnswer("diff-tree rename has one path") }
                change.previousPath = change.path
                change.path = Array(second)
            }
            changes.append(change)
        }
        return changes
    }

    /// The counts come in the same order as the raw entries.
    private mutating func addCounts(to changes: inout [GitFileChange]) throws(GitError) {
        for index in changes.indices {
            guard let field = take() else { throw GitError.corruptAnswer("diff-tree counts are missing") }
            let words = field.split(separator: UInt8(ascii: "\t"), maxSplits: 2, omittingEmptySubsequences: false)
            guard words.count == 3 else { throw GitError.corruptAnswer("diff-tree count is not three fields") }
            changes[index].additions = decimal(words[0]).map(Int.init(clamping:))
            changes[index].deletions = decimal(words[1]).map(Int.init(clamping:))
            if words[2].isEmpty { position += 2 }
        }
    }

    private func peek() -> ArraySlice<UInt8>? { position < fields.count ? fields[position] : nil }

    private mutating func take() -> ArraySlice<UInt8>? {
        let field = peek()
        position += 1
        return field
    }

    /// Zeros stand for "no file".
    private static func presentObject(_ word: ArraySlice<UInt8>) -> ObjectID? {
        ObjectID(bytes: word).flatMap { $0.isZero ? nil : $0 }
    }

    private static func kind(_ letter: UInt8) -> GitFileChange.Kind {
        switch letter {
        case UInt8(ascii: "A"): .added
        case UInt8(ascii: "M"): .modified
        case UInt8(ascii: "D"): .deleted
        case UInt8(ascii: "R"): .renamed
        case UInt8(ascii: "C"): .copied
        case UInt8(ascii: "T"): .typeChanged
        default: .unknown
        }
    }
}
extension GitFileChange {
    fileprivate init(kind: Kind, path: [UInt8]) {
        self.init(kind: kind, path: path, previousPath: nil, additions: nil, deletions: nil)
    }
}
