/// The first line of a `cat-file --batch-command` answer.
///
/// ```
/// <id> SP <type> SP <size> LF      and, for `contents`, <size> bytes and one more LF
/// <name> SP missing LF
/// <name> SP ambiguous LF
/// ```
///
/// The name is echoed as it was asked, newlines included, so the asked name is needed to find the line's end.
enum ObjectHeader: Equatable {
    case found(ObjectInfo)
    case missing
    case ambiguous

    /// nil when more bytes are needed.
    ///
    /// - Returns: the header and how many bytes it took.
    /// - Throws: ``GitError/corruptAnswer(_:)``: the process is out of step and must be thrown away.
    static func parse(
        _ bytes: ArraySlice<UInt8>,
        asked name: [UInt8]
    ) throws(GitError) -> (header: ObjectHeader, byteCount: Int)? {
        for (word, header) in [(" missing\n", missing), (" ambiguous\n", ambiguous)] {
            let answer = name + Array(word.utf8)
            if bytes.starts(with: answer) { return (header, answer.count) }
        }
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else {
            guard bytes.count < name.count + 200 else { throw GitError.corruptAnswer("cat-file header has no end") }
            return nil
        }
        let line = bytes[bytes.startIndex..<end]
        if let info = ObjectInfo(line) { return (.found(info), line.count + 1) }
        // The echo of a name with a newline in it, not yet complete.
        if (name + Array(" ambiguous\n".utf8)).starts(with: bytes) { return nil }
        if (name + Array(" missing\n".utf8)).starts(with: bytes) { return nil }
        throw GitError.corruptAnswer("cat-file answered something else than was asked")
    }
}

/// What kind of object a name leads to, and its size in bytes.
struct ObjectInfo: Hashable, Sendable {
    enum Kind: String, Sendable { case blob, tree, commit, tag }

    let id: ObjectID
    let kind: Kind
    let byteCount: Int

    init?(_ line: ArraySlice<UInt8>) {
        let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard words.count == 3, let id = ObjectID(bytes: words[0]),
            let kind = Kind(rawValue: String(decoding: words[1], as: UTF8.self)),
            let size = decimal(words[2]), let byteCount = Int(exactly: size), byteCount >= 0
        else { return nil }
        self.id = id
        self.kind = kind
        self.byteCount = byteCount
    }
}
