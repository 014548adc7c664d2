/// An entry of a tree.
struct GitTreeEntry: Hashable, Sendable {
    /// From the repository's root.
    var path: [UInt8]
    /// Octal as git writes it: 0o100644.
    var mode: Int32
    var id: ObjectID
    /// Of a file's content or a link's target, in bytes; nil when it was not asked for, and for other kinds.
    var byteCount: Int?

    var isDirectory: Bool { mode == 0o040000 }
    var isSubmodule: Bool { mode == 0o160000 }
}

/// The content of a tree object: `<octal mode> SP <name> NUL <20 or 32 raw bytes of id>`, again and again.
struct TreeObject {
    private let content: [UInt8]
    private let idByteCount: Int
    /// Behind the entry that was found last.
    private var position = 0

    /// - Parameter idByteCount: 20 for SHA-1, 32 for SHA-256.
    init(_ content: [UInt8], idByteCount: Int) {
        (self.content, self.idByteCount) = (content, idByteCount)
    }

    /// The entry of a name; nil when there is none. Names that are asked for in git's order are found in one pass.
    ///
    /// - Throws: ``GitError/corruptAnswer(_:)``.
    mutating func find(_ name: ArraySlice<UInt8>) throws(GitError) -> (mode: Int32, id: ObjectID)? {
        let start = position
        if let found = try find(name, in: start..<content.count) { return found }
        return try find(name, in: 0..<start)
    }

    /// - Parameter range: of whole entries.
    private mutating func find(
        _ name: ArraySlice<UInt8>, in range: Range<Int>
    ) throws(GitError) -> (mode: Int32, id: ObjectID)? {
        var rest = content[range]
        while !rest.isEmpty {
            guard let space = rest.firstIndex(of: UInt8(ascii: " ")), let end = rest[space...].firstIndex(of: 0),
                rest.endIndex - end > idByteCount
            else { throw GitError.corruptAnswer("a tree's entry is cut short") }
            let next = end + 1 + idByteCount
            if rest[(space + 1)..<end].elementsEqual(name) {
                guard let mode = Self.octal(rest[..<space]),
                    let id = ObjectID(bytes: Self.hexadecimal(rest[(end + 1)..<next]))
                else { throw GitError.corruptAnswer("a tree's entry has no mode") }
                position = next
                return (mode, id)
            }
            rest = rest[next...]
        }
        return nil
    }

    /// nil for more than seven digits: modes have at most six.
    static func octal(_ digits: some Collection<UInt8>) -> Int32? {
        guard (1...7).contains(digits.count) else { return nil }
        return Int32(String(decoding: digits, as: UTF8.self), radix: 8)
    }

    private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        func digit(_ value: UInt8) -> UInt8 { value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value }
        var digits: [UInt8] = []
        digits.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            digits.append(digit(byte >> 4))
            digits.append(digit(byte & 15))
        }
        return digits
    }
}

/// A line of `ls-tree -z`, its parts not yet looked at: `MODE TYPE ID\tPATH`, with `-l` `MODE TYPE ID SIZE\tPATH`.
struct TreeLine {
    private let facts: ArraySlice<UInt8>
    /// From the listed tree.
    let path: ArraySlice<UInt8>

    /// - Throws: ``GitError/corruptAnswer(_:)`` for a line without a path.
    init(_ line: ArraySlice<UInt8>) throws(GitError) {
        guard let tab = line.firstIndex(of: UInt8(ascii: "\t")) else {
            throw GitError.corruptAnswer("ls-tree printed a line without a path")
        }
        facts = line[..<tab]
        path = line[(tab + 1)...]
    }

    var isBlob: Bool {
        let kind = facts.split(separator: UInt8(ascii: " "), maxSplits: 2).dropFirst().first
        return kind?.elementsEqual("blob".utf8) == true
    }

    /// - Parameter prefix: of the listed tree's path, with its last `/`.
    /// - Throws: ``GitError/corruptAnswer(_:)``.
    func entry(prefix: [UInt8]) throws(GitError) -> GitTreeEntry {
        let words = facts.split(separator: UInt8(ascii: " "))
        guard words.count >= 3, let mode = TreeObject.octal(words[0]), let id = ObjectID(bytes: words[2]) else {
            throw GitError.corruptAnswer("ls-tree printed a line without mode and id")
        }
        // "-" instead of a size for what is no file.
        let byteCount = words.count > 3 ? decimal(words[3]).map { Int(clamping: $0) } : nil
        return GitTreeEntry(path: prefix + path, mode: mode, id: id, byteCount: byteCount)
    }
}

/// Cuts the output of `ls-tree -z`, fed in pieces of any size, into lines.
struct TreeLineCutter {
    private static let maximumLineByteCount = 1 << 20
    private var rest: [UInt8] = []

    /// - Throws: ``GitError/corruptAnswer(_:)``, and what `line` throws.
    mutating func feed(_ chunk: [UInt8], line: (TreeLine) throws -> Void) throws {
        rest += chunk
        var start = 0
        while let end = rest[start...].firstIndex(of: 0) {
            try line(try TreeLine(rest[start..<end]))
            start = end + 1
        }
        rest.removeFirst(start)
        guard rest.count <= Self.maximumLineByteCount else {
            throw GitError.corruptAnswer("a line of ls-tree does not end")
        }
    }
}
