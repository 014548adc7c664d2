/// The source files of a repository, by name.
struct SourceTree: Sendable {
    /// Of the repository, for people.
    let name: String
    let branch: String
    private let files: [String]
    /// Files' numbers by the last segment of their paths.
    private let byName: [Substring: [Int]]

    /// Keeps the platform's source files of `files`.
    init(name: String, branch: String, files: [String], platform: StackPlatform) {
        self.name = name
        self.branch = branch
        let files = files.filter(platform.isSource)
        var byName: [Substring: [Int]] = [:]
        for (number, file) in files.enumerated() { byName[Self.lastSegment(file[...]), default: []].append(number) }
        self.files = files
        self.byName = byName
    }

    /// The files that a path may mean: one path ends with the other, segment by segment.
    ///
    /// - Parameter sourceRoots: files below one of them are left out.
    func candidates(_ normalized: String, notBelow sourceRoots: [String]) -> [String] {
        guard let numbers = byName[Self.lastSegment(normalized[...])] else { return [] }
        let wanted = normalized.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return numbers.map { files[$0] }.filter { file in
            let segments = file.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            let isSame = zip(wanted.reversed(), segments.reversed()).allSatisfy { $0.elementsEqual($1) }
            return isSame && !sourceRoots.contains { file.utf8.starts(with: $0.utf8) }
        }
    }

    private static func lastSegment(_ path: Substring) -> Substring {
        path.utf8.lastIndex(of: UInt8(ascii: "/")).map { path[path.utf8.index(after: $0)...] } ?? path
    }

    /// The folders below `folder` (which ends with `/`) that have nothing beside them, as far as that goes:
    /// `io/sentry/`.
    func singleFolderChain(below folder: String) -> String {
        let inside = files.filter { $0.utf8.starts(with: folder.utf8) }.map { $0.utf8.dropFirst(folder.utf8.count) }
        guard var chain = inside.first.map(Array.init) else { return "" }
        for path in inside {
            chain = zip(chain, path).prefix { $0 == $1 }.map(\.0)
        }
        guard let slash = chain.lastIndex(of: UInt8(ascii: "/")) else { return "" }
        return String(decoding: chain[...slash], as: UTF8.self)
    }
}
