/// The paths of a commit's files, in git's order.
struct FileList: Sendable {
    /// As text; bytes that are not UTF-8 are U+FFFD.
    var paths: [String] = []
    /// There are more.
    var isTruncated = false
    /// The list was in memory.
    var isCached = false
    fileprivate(set) var byteCount = 200
}

extension GitEngine {
    /// Most files that are listed of one commit.
    static let maximumFileCount = 1_000_000

    /// The paths of all files of a commit, submodules left out.
    ///
    /// - Throws: ``GitError``.
    func files(at commit: ObjectID, in repository: GitRepository) async throws -> FileList {
        let key = CacheKey.files(repository.id, commit)
        if case .files(var known)? = cache[key] {
            known.isCached = true
            return known
        }
        let command = GitCommand(.listTree).flag(.recursive).flag(.nulTerminated).including(commit)
        var parser = TreeLineParser()
        do {
            try await runner.stream(command, in: repository) { chunk in
                try parser.feed(chunk)
                if parser.list.isTruncated { throw ListIsFull() }
            }
        } catch is ListIsFull {
        } catch let error as GitError {
            throw await explain(error, in: repository)
        }
        cache.insert(.files(parser.list), for: key, byteCount: parser.list.byteCount)
        return parser.list
    }
}

/// Ends a command whose further output nobody needs.
private struct ListIsFull: Error {}

/// Lines of `ls-tree -z`: `MODE TYPE ID\tPATH\0`.
private struct TreeLineParser {
    private(set) var list = FileList()
    private var rest: [UInt8] = []

    mutating func feed(_ chunk: [UInt8]) throws(GitError) {
        rest += chunk
        var start = 0
        while let end = rest[start...].firstIndex(of: 0), !list.isTruncated {
            try add(rest[start..<end])
            start = end + 1
        }
        rest.removeFirst(start)
        guard rest.count <= 1 << 20 else { throw GitError.corruptAnswer("a line of ls-tree does not end") }
    }

    private mutating func add(_ line: ArraySlice<UInt8>) throws(GitError) {
        guard let tab = line.firstIndex(of: UInt8(ascii: "\t")) else {
            throw GitError.corruptAnswer("ls-tree printed a line without a path")
        }
        let kind = line[..<tab].split(separator: UInt8(ascii: " ")).dropFirst().first
        guard kind?.elementsEqual("blob".utf8) == true else { return }
        guard list.paths.count < GitEngine.maximumFileCount else {
            list.isTruncated = true
            return
        }
        list.paths.append(String(decoding: line[(tab + 1)...], as: UTF8.self))
        list.byteCount += line.count + 16
    }
}
