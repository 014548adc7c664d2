/// The path of a file inside a repository, as bytes: git's paths are bytes, and Swift's `String` equality would
/// take two different normal forms of "é" for the same path.
struct RepositoryPath: Hashable, Sendable {
    /// Longest path, in bytes.
    static let maximumByteCount = 4096
    let bytes: [UInt8]

    /// One leading and one trailing `/` are dropped.
    ///
    /// - Throws: ``GitError/invalidPath(_:)`` with the rule that was broken.
    init(_ text: String) throws(GitError) {
        try self.init(raw: Array(text.utf8))
    }

    /// As ``init(_:)``, for a path that need not be UTF-8.
    init(raw: [UInt8]) throws(GitError) {
        var bytes = raw[...]
        if bytes.first == UInt8(ascii: "/") { bytes = bytes.dropFirst() }
        if bytes.last == UInt8(ascii: "/") { bytes = bytes.dropLast() }
        if let fault = Self.fault(bytes) { throw GitError.invalidPath(fault) }
        self.bytes = Array(bytes)
    }

    /// For messages; bytes that are not UTF-8 become U+FFFD.
    var text: String { String(decoding: bytes, as: UTF8.self) }

    private static let dot = UInt8(ascii: ".")

    private static func fault(_ bytes: ArraySlice<UInt8>) -> String? {
        if bytes.isEmpty { return "a path must not be empty" }
        if bytes.count > maximumByteCount { return "a path has at most \(maximumByteCount) bytes" }
        if bytes.contains(0) { return "a path must not hold NUL" }
        if bytes.first == UInt8(ascii: "/") { return "a path must be relative to the repository" }
        if bytes.first == UInt8(ascii: "-") { return "a path must not begin with \"-\"" }
        // By hand: a cut array would be an allocation for each part of every path that is asked for.
        var start = bytes.startIndex
        while true {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "/")) ?? bytes.endIndex
            switch end - start {
            case 0: return "a path must not hold \"//\""
            case 1 where bytes[start] == dot: return "a path must not hold a \".\" segment"
            case 2 where bytes[start] == dot && bytes[start + 1] == dot: return "a path must not hold a \"..\" segment"
            default: break
            }
            guard end < bytes.endIndex else { return nil }
            start = end + 1
        }
    }
}
