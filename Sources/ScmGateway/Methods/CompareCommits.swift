import RPC
import ScmAPI

extension ScmGatewayService {
    private static let maximumComparedFileCount = 1000

    public func compareCommits(
        _ request: CompareCommitsRequest, context: CallContext
    ) async throws -> CompareCommitsResponse {
        guard !request.head.isEmpty else { throw RPCError.badField("head", "a revision is required") }
        let size = try PageSize.check(request.pageSize)
        let filter = try PageFilter("CompareCommits", ["\(request.repositoryID)", request.base, request.head])
        let token = try PageToken.parse(request.pageToken, filter: filter)
        return try await reading(
            context, organizationID: request.organizationID, repositoryID: request.repositoryID,
            fields: GitFields(revision: "head")
        ) { row, repository in
            let (base, head) = try await self.sides(request, token, repository)
            let comparison = try await repository.compare(base, head)
            let start = min(Int(clamping: token?.position ?? 0), Int(Int32.max))
            let ids = base == head ? [] : try await repository.history(
                HistoryQuery(tips: [head], excluded: base), start..<(start + size + 1)
            )
            let page = Array(ids.prefix(size))
            let read = try await repository.commits(page)
            var answer = CompareCommitsResponse(
                commits: try await offLoop { read.map { Commit($0, in: row) } },
                aheadBy: Int32(clamping: comparison.aheadCount), behindBy: Int32(clamping: comparison.behindCount),
                mergeBaseSHA: comparison.mergeBase?.hex ?? "", baseSHA: base.hex, headSHA: head.hex
            )
            if ids.count > size {
                answer.nextPageToken = PageToken(
                    filter: filter, position: Int64(start + size), anchor: "\(base.hex) \(head.hex)"
                ).text
            }
            guard request.includeFiles, token == nil else { return answer }
            let from = request.straight ? base : comparison.mergeBase ?? .emptyTree(like: head)
            let query = ChangeQuery(from: from, to: head)
            let all = try await repository.changes(query)
            answer.files = try await repository.allFiles(
                query, all, limit: Self.maximumComparedFileCount, Self.options(request)
            )
            answer.filesTruncated = all.count > Self.maximumComparedFileCount
            return answer
        }
    }

    private static func options(_ request: CompareCommitsRequest) -> FileChangeOptions {
        var options = FileChangeOptions(withStatistics: request.includeStats)
        if request.includePatches { options.patchByteCount = FileChangeOptions.standardPatchByteCount }
        return options
    }

    /// Both commits; those of the first page, when there was one.
    private func sides(
        _ request: CompareCommitsRequest, _ token: PageToken?, _ repository: any SourceRepository
    ) async throws -> (ObjectID, ObjectID) {
        if let token {
            let ids = token.anchor.split(separator: " ")
            let base = try await Self.anchor(ids.first ?? "", repository)
            return (base, try await Self.anchor(ids.last ?? "", repository))
        }
        let base = try await mappingGitErrors(GitFields(revision: "base")) {
            try await repository.resolve(request.base.isEmpty ? nil : try Revision(request.base))
        }
        return (base, try await repository.resolve(try Revision(request.head)))
    }
}
