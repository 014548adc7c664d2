/// A commit as it is stored.
struct CommitObject: Hashable, Sendable {
    var id: ObjectID
    var parents: [ObjectID] = []
    var author = GitIdentity(name: "", email: "", seconds: nil)
    var committer = GitIdentity(name: "", email: "", seconds: nil)
    /// Without the trailing newlines.
    var message = ""

    /// Memory that a cached copy takes, roughly, in bytes.
    var byteCount: Int {
        400 + message.utf8.count + parents.count * 80 + author.byteCount + committer.byteCount
    }
}

extension CommitObject {
    /// Parses the content of a commit object.
    ///
    /// ```
    /// tree <id>
    /// parent <id>            any number
    /// author <identity>
    /// committer <identity>
    /// encoding <name>        optional
    /// gpgsig -----BEGIN...   optional, goes on in lines that begin with a space
    ///  ...
    ///                        empty line
    /// <message>
    /// ```
    ///
    /// Source: git's `Documentation/gitformat-signature` and `commit.c`. Unknown headers are skipped.
    ///
    /// - Throws: ``GitError/corruptAnswer(_:)`` when the content does not begin with a tree.
    init(id: ObjectID, content: some Collection<UInt8>) throws(GitError) {
        self.id = id
        let content = Array(content)[...]
        let (headers, message) = Self.split(content)
        guard headers.first?.starts(with: "tree ".utf8) == true else {
            throw GitError.corruptAnswer("commit \(id) does not begin with its tree")
        }
        let encoding = Self.value("encoding", headers).map { String(decoding: $0, as: UTF8.self) }
        parents = headers.filter { $0.starts(with: "parent ".utf8) }.compactMap { ObjectID(bytes: $0.dropFirst(7)) }
        if let line = Self.value("author", headers) { author = GitIdentity(line: line, encoding: encoding) }
        if let line = Self.value("committer", headers) { committer = GitIdentity(line: line, encoding: encoding) }
        self.message = TextDecoding.string(Self.withoutTrailingNewlines(message), encoding: encoding)
    }

    /// Header lines (continuation lines left out) and the message.
    private static func split(
        _ content: ArraySlice<UInt8>
    ) -> (headers: [ArraySlice<UInt8>], message: ArraySlice<UInt8>) {
        var headers: [ArraySlice<UInt8>] = []
        var rest = content
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            let line = rest[rest.startIndex..<end]
            rest = end < rest.endIndex ? rest[(end + 1)...] : []
            if line.isEmpty { return (headers, rest) }
            if line.first != UInt8(ascii: " ") { headers.append(line) }
        }
        return (headers, [])
    }

    private static func value(_ name: String, _ headers: [ArraySlice<UInt8>]) -> ArraySlice<UInt8>? {
        let prefix = "\(name) ".utf8
        return headers.first { $0.starts(with: prefix) }.map { $0.dropFirst(prefix.count) }
    }

    private static func withoutTrailingNewlines(_ message: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var message = message
        while message.last == UInt8(ascii: "\n") { message = message.dropLast() }
        return message
    }
}
