/// Which paths a search looks at, as git's pathspec with its magic in front, so that no text of a caller can bring
/// magic of its own.
struct PathPattern: Hashable, Sendable {
    /// Longest glob, in bytes.
    static let maximumByteCount = 1024
    let pathspec: [UInt8]

    /// Files that fit a glob: `*` and `?` stay within a segment, `**` does not, `[a-z]` is a set. One that fits a
    /// folder takes all files below it.
    ///
    /// - Parameter isExcluded: these files are not looked at.
    /// - Throws: ``GitError/invalidPath(_:)`` with the rule that was broken.
    init(glob: String, isExcluded: Bool) throws(GitError) {
        guard glob.utf8.count <= Self.maximumByteCount else {
            throw GitError.invalidPath("a glob has at most \(Self.maximumByteCount) bytes")
        }
        let path = try Self.relative(glob)
        guard !path.isEmpty else { throw GitError.invalidPath("a glob must not be empty") }
        pathspec = Array((isExcluded ? ":(exclude,glob)" : ":(glob)").utf8) + path
    }

    fileprivate init(unchecked glob: [UInt8]) {
        pathspec = Array(":(glob)".utf8) + glob
    }

    /// Without one leading `/`; a trailing one means all below.
    ///
    /// - Throws: ``GitError/invalidPath(_:)`` for what leads elsewhere.
    private static func relative(_ text: String) throws(GitError) -> [UInt8] {
        var bytes = Array(text.utf8)
        if bytes.first == UInt8(ascii: "/") { bytes.removeFirst() }
        if bytes.contains(0) { throw GitError.invalidPath("no NUL is allowed") }
        for segment in bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).dropLast() {
            if segment.isEmpty { throw GitError.invalidPath("no \"//\" is allowed") }
        }
        for segment in bytes.split(separator: UInt8(ascii: "/")) {
            if segment.elementsEqual("..".utf8) || segment.elementsEqual(".".utf8) {
                throw GitError.invalidPath("no \".\" and \"..\" segments are allowed")
            }
        }
        return bytes.last == UInt8(ascii: "/") ? bytes + Array("**".utf8) : bytes
    }

    fileprivate static func escaped(_ bytes: some Collection<UInt8>) -> [UInt8] {
        bytes.flatMap { byte in #"\*?["#.utf8.contains(byte) ? [UInt8(ascii: "\\"), byte] : [byte] }
    }
}

/// Conditions on a path that must all hold. git takes them together with globs as alternatives only, so it gets the
/// narrowest pattern that they allow, and what it finds is checked here.
struct PathConditions: Hashable, Sendable {
    /// What the path begins with, any part of it.
    var prefix: [UInt8] = []
    /// What follows the last `.` of the name.
    var fileExtension: [UInt8] = []
    /// The name without folders.
    var name: [UInt8] = []

    /// All paths.
    init() {}

    /// - Throws: ``GitError/invalidPath(_:)``.
    init(prefix: String, fileExtension: String, name: String) throws(GitError) {
        guard prefix.utf8.count <= RepositoryPath.maximumByteCount else {
            throw GitError.invalidPath("a prefix has at most \(RepositoryPath.maximumByteCount) bytes")
        }
        let bytes = Array(prefix.utf8)
        self.prefix = bytes.first == UInt8(ascii: "/") ? Array(bytes.dropFirst()) : bytes
        for (text, what) in [(fileExtension, "an extension"), (name, "a file name")] {
            guard text.utf8.count <= 255, !text.utf8.contains(UInt8(ascii: "/")) else {
                throw GitError.invalidPath("\(what) has at most 255 bytes and no \"/\"")
            }
        }
        self.fileExtension = Array(fileExtension.utf8)
        self.name = Array(name.utf8)
        guard !(self.prefix + self.fileExtension + self.name).contains(0) else {
            throw GitError.invalidPath("no NUL is allowed")
        }
        let segments = self.prefix.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard
            segments.dropLast().allSatisfy({
                !$0.isEmpty && !$0.elementsEqual("..".utf8) && !$0.elementsEqual(".".utf8)
            })
        else { throw GitError.invalidPath("no \"//\" and no \".\" and \"..\" segments are allowed") }
    }

    func holds(for path: [UInt8]) -> Bool {
        guard path.starts(with: prefix) else { return false }
        let file = path.lastIndex(of: UInt8(ascii: "/")).map { path[($0 + 1)...] } ?? path[...]
        if !name.isEmpty, !file.elementsEqual(name) { return false }
        guard !fileExtension.isEmpty else { return true }
        return file.count > fileExtension.count && file.suffix(fileExtension.count).elementsEqual(fileExtension)
            && file[file.endIndex - fileExtension.count - 1] == UInt8(ascii: ".")
    }

    /// Patterns of which every wanted path fits one; empty for all paths.
    var patterns: [PathPattern] {
        let cut = prefix.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        let folder = PathPattern.escaped(prefix[..<cut])
        func below(_ pattern: String, _ literal: [UInt8] = []) -> PathPattern {
            PathPattern(unchecked: folder + Array(pattern.utf8) + PathPattern.escaped(literal))
        }
        if !name.isEmpty { return [below("**/", name)] }
        if !fileExtension.isEmpty { return [below("**/*.", fileExtension)] }
        if prefix.isEmpty { return [] }
        if cut == prefix.count { return [below("**")] }
        let start = PathPattern.escaped(prefix)
        return ["*", "*/**"].map { PathPattern(unchecked: start + Array($0.utf8)) }
    }
}
