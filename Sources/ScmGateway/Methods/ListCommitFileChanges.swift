import RPC
import ScmAPI

extension ScmGatewayService {
    private static let maximumPatchByteCount = 1024 * 1024
    private static let maximumContextLineCount: Int32 = 100

    public func listCommitFileChanges(
        _ request: ListCommitFileChangesRequest, context: CallContext
    ) async throws -> ListCommitFileChangesResponse {
        let size = try PageSize.check(request.pageSize)
        let options = try Self.options(request)
        let filter = try PageFilter("ListCommitFileChanges", [
            "\(request.repositoryID)", request.sha, "\(request.noRenames)", "\(request.parent)",
        ])
        let token = try PageToken.parse(request.pageToken, filter: filter)
        let fields = GitFields(revision: "sha", missingRevision: .commitNotFound)
        return try await reading(
            context, organizationID: request.organizationID, repositoryID: request.repositoryID, fields: fields
        ) { _, repository in
            let id = token == nil
                ? try await repository.resolve(try Revision(request.sha))
                : try await Self.anchor(token?.anchor ?? "", repository)
            var query = ChangeQuery(from: try await Self.parent(request, of: id, repository), to: id)
            query.withoutRenames = request.noRenames
            let all = try await repository.changes(query)
            // A token is the caller's to change: a position beyond any list must not overflow.
            let start = min(Int(clamping: token?.position ?? 0), all.count)
            let files = try await repository.files(query, all, start..<min(start + size, all.count), options)
            let end = start + files.count
            let next = PageToken(filter: filter, position: Int64(end), anchor: id.hex)
            return ListCommitFileChangesResponse(
                fileChanges: files, nextPageToken: end < all.count ? next.text : ""
            )
        }
    }

    private static func options(_ request: ListCommitFileChangesRequest) throws(RPCError) -> FileChangeOptions {
        guard request.parent >= 0 else { throw RPCError.badField("parent", "parents count from 1") }
        var options = FileChangeOptions(withStatistics: request.includeStats)
        if let lines = request.patchContextLines {
            guard (0...maximumContextLineCount).contains(lines) else {
                throw RPCError.badField("patch_context_lines", "0 to \(maximumContextLineCount)")
            }
            options.contextLineCount = Int(lines)
        }
        guard (0...maximumPatchByteCount).contains(Int(request.maxPatchBytes)) else {
            throw RPCError.badField("max_patch_bytes", "0 to \(maximumPatchByteCount)")
        }
        if request.includePatches {
            options.patchByteCount = request.maxPatchBytes == 0
                ? FileChangeOptions.standardPatchByteCount : Int(request.maxPatchBytes)
        }
        return options
    }

    /// The wanted parent; the empty tree for a root commit.
    private static func parent(
        _ request: ListCommitFileChangesRequest, of id: ObjectID, _ repository: any CommitProvider
    ) async throws -> ObjectID {
        let parents = try await repository.commits([id]).first?.parents ?? []
        let number = max(1, Int(request.parent))
        if number <= parents.count { return parents[number - 1] }
        guard number == 1 else {
            throw RPCError.badField("parent", "the commit has \(parents.count) parents")
        }
        return .emptyTree(like: id)
    }
}
