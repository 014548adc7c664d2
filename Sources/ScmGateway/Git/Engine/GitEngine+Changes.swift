extension GitEngine {
    /// Most file changes that are kept for one commit.
    static let maximumFileChangeCount = 1000

    /// What each commit changed against its first parent (a root commit: against nothing), by path bytes.
    ///
    /// - Throws: ``GitError``.
    func fileChanges(_ ids: [ObjectID], in repository: GitRepository) async throws -> FileChangeParser.Result {
        let command = GitCommand(.diffTree)
            .flag(.standardInput).flag(.recursive).flag(.nulTerminated).flag(.raw).flag(.numberStatistics)
            .flag(.detectRenames).flag(.renameLimit).flag(.root).flag(.mergesAgainstFirstParent)
            .flag(.noExternalDiff).flag(.noTextConversion)
        var result = FileChangeParser.Result()
        // Few commits at a time keep the output of one process small.
        for start in stride(from: 0, to: ids.count, by: 50) {
            let part = ids[start..<min(start + 50, ids.count)]
            let input = part.flatMap { Array("\($0.hex)\n".utf8) }
            let output: [UInt8]
            do {
                output = try await runner.output(of: command, in: repository, input: input)
            } catch let error as GitError {
                throw await explain(error, in: repository)
            }
            let found = try await offLoop {
                var parser = FileChangeParser(output, limit: Self.maximumFileChangeCount)
                return try parser.parse()
            }
            result.changes.merge(found.changes) { _, new in new }
            result.truncated.formUnion(found.truncated)
        }
        return result
    }
}
