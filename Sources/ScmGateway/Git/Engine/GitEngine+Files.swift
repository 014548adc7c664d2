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
        var cutter = TreeLineCutter()
        var list = FileList()
        do {
            try await runner.stream(command, in: repository) { chunk in
                try cutter.feed(chunk) { line in
                    guard line.isBlob else { return }
                    guard list.paths.count < Self.maximumFileCount else {
                        list.isTruncated = true
                        throw EnoughOutput()
                    }
                    list.paths.append(String(decoding: line.path, as: UTF8.self))
                    list.byteCount += line.path.count + 70
                }
            }
        } catch is EnoughOutput {
        } catch let error as GitError {
            throw await explain(error, in: repository)
        }
        cache.insert(.files(list), for: key, byteCount: list.byteCount)
        return list
    }
}

/// Ends a command whose further output nobody needs.
struct EnoughOutput: Error {}
