import RPC
import ScmAPI

extension ScmGatewayService {
    public func getCommit(_ request: GetCommitRequest, context: CallContext) async throws -> Commit {
        let fields = GitFields(revision: "sha", missingRevision: .commitNotFound)
        return try await reading(
            context, organizationID: request.organizationID, repositoryID: request.repositoryID, fields: fields
        ) { row, repository in
            let revision = try Revision(request.sha)
            guard request.source != .storedOnly else { throw GitError.revisionNotFound(request.sha) }
            let id = try await repository.resolve(revision)
            try context.answering(version: id)
            guard let found = try await repository.commits([id]).first else {
                throw GitError.revisionNotFound(request.sha)
            }
            var commit = Commit(found, in: row)
            if request.includeFileChanges, request.includePatches {
                let query = ChangeQuery(from: found.parents.first ?? .emptyTree(like: id), to: id)
                let all = try await repository.changes(query)
                let options = FileChangeOptions(
                    withStatistics: request.includeStats, patchByteCount: FileChangeOptions.standardPatchByteCount
                )
                commit.fileChanges = try await repository.allFiles(
                    query, all, limit: GitEngine.maximumFileChangeCount, options
                )
                commit.fileChangesTruncated = all.count > GitEngine.maximumFileChangeCount
            } else if request.includeFileChanges {
                commit.add(try await repository.fileChanges([id]), of: id, withStatistics: request.includeStats)
            }
            return commit
        }
    }
}
