/// Finds the ids of files at a commit by reading its trees, each of them once, and none that is in memory.
///
/// Asked for `commit:path`, `cat-file` walks down from the root for each file, which together costs nearly as much as
/// the search that found the files. A search finds them in the order of the trees, so of the trees only those on the
/// way to the last file are kept for the next ones.
struct BlobLocator {
    private let commit: ObjectID
    private let engine: GitEngine
    private let repository: GitRepository
    /// By folder, without its last `/`.
    private var trees: [[UInt8]: TreeObject] = [:]

    init(_ engine: GitEngine, _ repository: GitRepository, at commit: ObjectID) {
        (self.engine, self.repository, self.commit) = (engine, repository, commit)
    }

    /// - Parameter paths: best in git's order.
    /// - Throws: ``GitError/fileNotFound(path:)``, other ``GitError``.
    mutating func ids(of paths: [[UInt8]]) async throws -> [ObjectID] {
        do {
            for folders in Self.foldersByDepth(paths) { try await readTrees(folders.filter { trees[$0] == nil }) }
            var ids: [ObjectID] = []
            for path in paths {
                let (folder, name) = Self.split(path)
                guard let entry = try trees[folder]?.find(name) else { throw notFound(path) }
                ids.append(entry.id)
            }
            if let last = paths.last { trees = trees.filter { $0.key.isEmpty || last.starts(with: $0.key) } }
            return ids
        } catch GitError.tooLarge {
            // A folder of hundreds of thousands of files: git shall look.
            trees = [:]
            return try await asked(paths)
        }
    }

    private func notFound(_ path: [UInt8]) -> GitError { .fileNotFound(path: String(decoding: path, as: UTF8.self)) }

    private static func split(_ path: [UInt8]) -> (folder: [UInt8], name: ArraySlice<UInt8>) {
        guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return ([], path[...]) }
        return (Array(path[..<slash]), path[(slash + 1)...])
    }

    /// All folders on the way to some files, each once, parents before their children.
    private static func foldersByDepth(_ paths: [[UInt8]]) -> [[[UInt8]]] {
        var levels: [[[UInt8]]] = [[[]]]
        var known: Set<[UInt8]> = [[]]
        for path in paths {
            var depth = 0
            for (index, byte) in path.enumerated() where byte == UInt8(ascii: "/") {
                depth += 1
                let folder = Array(path[..<index])
                guard known.insert(folder).inserted else { continue }
                if levels.count <= depth { levels.append([]) }
                levels[depth].append(folder)
            }
        }
        return levels
    }

    /// Questions sent at once: they stay far below the 64 KiB of a pipe's buffer.
    private static let questionCount = 400

    /// - Parameter folders: whose parents have been read.
    private mutating func readTrees(_ folders: [[UInt8]]) async throws {
        var unknown: [(folder: [UInt8], id: ObjectID)] = []
        for folder in folders {
            let id = try treeID(folder)
            if case .content(let content)? = engine.cache[.treeObject(repository.id, id)] {
                keep(content, of: folder)
            } else {
                unknown.append((folder, id))
            }
        }
        for start in stride(from: 0, to: unknown.count, by: Self.questionCount) {
            let part = unknown[start..<min(start + Self.questionCount, unknown.count)]
            let names = part.map { Array(($0.folder.isEmpty ? $0.id.hex + "^{tree}" : $0.id.hex).utf8) }
            let answers = try await engine.ask(names, .contents, in: repository)
            for ((folder, id), answer) in zip(part, answers) {
                guard case .found(let object) = answer, object.info.kind == .tree else {
                    throw await engine.explain(notFound(folder), in: repository)
                }
                keep(object.content, of: folder)
                engine.cache.insert(
                    .content(object.content), for: .treeObject(repository.id, id),
                    byteCount: object.content.count + 200
                )
            }
        }
    }

    private mutating func keep(_ content: [UInt8], of folder: [UInt8]) {
        trees[folder] = TreeObject(content, idByteCount: commit.hex.utf8.count / 2)
    }

    /// The commit's own id for the root.
    private mutating func treeID(_ folder: [UInt8]) throws(GitError) -> ObjectID {
        guard !folder.isEmpty else { return commit }
        let (parent, name) = Self.split(folder)
        guard let entry = try trees[parent]?.find(name) else { throw notFound(folder) }
        return entry.id
    }

    private func asked(_ paths: [[UInt8]]) async throws -> [ObjectID] {
        var ids: [ObjectID] = []
        var rest = paths[...]
        while !rest.isEmpty {
            // As many names as fit into a pipe's buffer.
            var byteCount = 0
            let part = rest.prefix { path in
                byteCount += path.count + 80
                return byteCount < 48 * 1024
            }
            rest = rest.dropFirst(part.count)
            let answers = try await engine.info(part.map { GitEngine.name($0[...], commit) }, in: repository)
            for (path, answer) in zip(part, answers) {
                guard case .found(let object) = answer else {
                    throw await engine.explain(notFound(path), in: repository)
                }
                ids.append(object.info.id)
            }
        }
        return ids
    }
}
