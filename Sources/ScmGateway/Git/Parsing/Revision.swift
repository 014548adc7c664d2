/// A revision as a caller wrote it, checked so that no part of git can read it as anything but a name.
///
/// It is still never put on a command line: it goes to a `cat-file` process over a pipe, which answers with the
/// object id that all later steps use.
struct Revision: Hashable, Sendable {
    /// Longest revision, in bytes.
    static let maximumByteCount = 1024
    let text: String

    static let head = Revision(unchecked: "HEAD")

    /// - Throws: ``GitError/invalidRevision(_:)`` with the rule that was broken.
    init(_ text: String) throws(GitError) {
        if let fault = Self.fault(Array(text.utf8)) { throw GitError.invalidRevision(fault) }
        self.text = text
    }

    private init(unchecked text: String) {
        self.text = text
    }

    /// The default branch's commit, or that of a detached HEAD.
    var isHead: Bool { text == "HEAD" || text == "@" }

    /// The whole object id, when the revision is one.
    var objectID: ObjectID? { ObjectID(text) }

    private static func fault(_ bytes: [UInt8]) -> String? {
        guard let first = bytes.first else { return "a revision must not be empty" }
        if bytes.count > maximumByteCount { return "a revision has at most \(maximumByteCount) bytes" }
        if first == UInt8(ascii: "-") { return "a revision must not begin with \"-\"" }
        // ":" would name files, "^~" other commits and searches, "?*[" globs, "\" escapes; the rest would end or split
        // the line in git's protocols.
        for byte in bytes {
            if byte <= 0x20 || byte == 0x7F { return "a revision must not hold spaces or control characters" }
            if #":\?*[^~"#.utf8.contains(byte) {
                return "a revision must not hold \"\(Character(UnicodeScalar(byte)))\""
            }
        }
        return forbiddenPair(bytes)
    }

    /// Ranges, and look-ups in the reflog or of an upstream branch.
    private static func forbiddenPair(_ bytes: [UInt8]) -> String? {
        for pair in zip(bytes, bytes.dropFirst()) {
            if pair == (UInt8(ascii: "."), UInt8(ascii: ".")) { return "a revision must not hold \"..\"" }
            if pair == (UInt8(ascii: "@"), UInt8(ascii: "{")) { return "a revision must not hold \"@{\"" }
        }
        return nil
    }
}
