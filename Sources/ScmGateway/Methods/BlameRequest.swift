import RPC
import ScmAPI

/// Turns blame options into a query.
enum BlameRequest {
    static let standardIgnoreFile = ".git-blame-ignore-revs"

    static func query(
        _ path: RepositoryPath,
        at commit: ObjectID,
        _ options: BlameOptions?,
        _ repository: any BlameProvider
    ) async throws -> BlameQuery {
        var query = BlameQuery(commit: commit, path: path)
        guard let options else { return query }
        query.ignoreWhitespace = options.ignoreWhitespace
        query.detectMoves = options.detectMoves
        query.detectCopies = options.detectCopies
        query.firstParent = options.firstParent
        query.ignoredCommits = try await ignoredCommits(options, at: commit, repository)
        return query
    }

    private static func ignoredCommits(
        _ options: BlameOptions,
        at commit: ObjectID,
        _ repository: any BlameProvider
    ) async throws -> [ObjectID] {
        guard options.ignoreRevs.count <= BlameQuery.maximumIgnoredCommitCount else {
            throw RPCError.badField(
                "options.ignore_revs", "at most \(BlameQuery.maximumIgnoredCommitCount) are allowed"
            )
        }
        var ids = try options.ignoreRevs.map { text throws(RPCError) in
            guard let id = ObjectID(text) else {
                throw RPCError.badField("options.ignore_revs", "not a full object id in lower case")
            }
            return id
        }
        // git refuses an id that it does not have; a list may well be older than a rewritten history.
        ids = try await repository.existingCommits(ids)
        guard options.followIgnoreRevs else { return ids }
        let name = options.ignoreRevsPath.isEmpty ? standardIgnoreFile : options.ignoreRevsPath
        let file: RepositoryPath
        do {
            file = try RepositoryPath(name)
        } catch GitError.invalidPath(let problem) {
            throw RPCError.badField("options.ignore_revs_path", problem)
        }
        return ids + (try await repository.ignoredCommits(in: file, at: commit))
    }
}
