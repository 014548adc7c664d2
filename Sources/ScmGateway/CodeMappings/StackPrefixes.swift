/// The folders that stack traces' file names begin with, to choose a stack root from.
enum StackPrefixes {
    static let maximumCount = 200
    /// Folders of one name that are looked at, and its longest length in bytes: longer ones are no files.
    private static let maximumDepth = 64
    private static let maximumByteCount = 4096

    /// Every folder of every different file name, with `/` for `\` and a `/` at its end. Most names first, then the one
    /// with fewer folders, then by bytes.
    static func ranked(_ filenames: [String]) -> [(prefix: String, count: Int)] {
        var counts: [ArraySlice<UInt8>: Int] = [:]
        let names = filenames.filter { $0.utf8.count <= maximumByteCount }
        for name in Set(names.map { $0.utf8.map { $0 == UInt8(ascii: "\\") ? UInt8(ascii: "/") : $0 } }) {
            // The `/` of an absolute name is part of its first folder.
            let slashes = name.indices.dropFirst().lazy.filter { name[$0] == UInt8(ascii: "/") }
            for index in slashes.prefix(maximumDepth) {
                counts[name[...index], default: 0] += 1
            }
        }
        return counts.map { (bytes: $0.key, depth: $0.key.count { $0 == UInt8(ascii: "/") }, count: $0.value) }
            .sorted { left, right in
                if left.count != right.count { return left.count > right.count }
                if left.depth != right.depth { return left.depth < right.depth }
                return left.bytes.lexicographicallyPrecedes(right.bytes)
            }
            .prefix(maximumCount).map { (String(decoding: $0.bytes, as: UTF8.self), $0.count) }
    }
}
