import FrameCodec
import RPC
import ScmAPI

extension ScmGatewayService {
    public func listCommits(_ request: ListCommitsRequest, context: CallContext) async throws -> ListCommitsResponse {
        let size = try CommitListRequest.pageSize(request)
        let filter = try CommitListRequest.pageFilter(request)
        let token = try PageToken.parse(request.pageToken, filter: filter)
        let fields = GitFields(
            revision: request.endSHA.isEmpty ? "ref" : "end_sha", pattern: "message",
            missingRevision: request.endSHA.isEmpty ? .revisionNotFound : .commitNotFound
        )
        return try await reading(
            context, organizationID: request.organizationID, repositoryID: request.repositoryID, fields: fields
        ) { row, repository in
            guard request.source != .storedOnly else { return ListCommitsResponse() }
            guard let (query, anchor) = try await CommitListRequest.query(request, token, repository) else {
                return ListCommitsResponse()
            }
            // A token is the caller's to change: a position beyond any history must not overflow.
            let start = min(Int(clamping: token?.position ?? 0), Int(Int32.max))
            let ids = try await repository.history(query, start..<(start + size + 1))
            let page = Array(ids.prefix(size))
            let objects = try await repository.commits(page)
            let changes = request.includeFileChanges ? try await repository.fileChanges(page) : nil
            let next = PageToken(filter: filter, position: Int64(start + page.count), anchor: anchor)
            // A thousand commits with all their texts are work of milliseconds.
            return try await offLoop {
                var commits = objects.map { Commit($0, in: row) }
                for index in commits.indices {
                    if let changes { commits[index].add(changes, of: page[index], withStatistics: true) }
                }
                return ListCommitsResponse(commits: commits, nextPageToken: ids.count > size ? next.text : "")
            }
        }
    }
}
