import RPC
import ScmAPI

extension ScmGatewayService {
    public func listBranches(
        _ request: ListBranchesRequest, context: CallContext
    ) async throws -> ListBranchesResponse {
        let page = try ReferencePage(
            "ListBranches", request.repositoryID, request.query, request.order, request.pageSize, request.pageToken
        )
        return try await reading(
            context, organizationID: request.organizationID, repositoryID: request.repositoryID, fields: GitFields()
        ) { row, repository in
            let (found, next) = try await page.take(.branches, repository)
            let head = try await repository.headReference()
            let commits = request.includeCommits ? try await repository.commits(found.map(\.id)) : []
            // A thousand commits are more than an event loop may be held up for.
            return try await offLoop {
                let branches = found.enumerated().map { index, branch in
                    Branch(
                        name: branch.name, commitSHA: branch.id.hex, isDefault: head == "refs/heads/\(branch.name)",
                        commit: request.includeCommits ? Commit(commits[index], in: row) : nil
                    )
                }
                return ListBranchesResponse(branches: branches, nextPageToken: next)
            }
        }
    }

    public func listTags(_ request: ListTagsRequest, context: CallContext) async throws -> ListTagsResponse {
        let page = try ReferencePage(
            "ListTags", request.repositoryID, request.query, request.order, request.pageSize, request.pageToken
        )
        return try await reading(
            context, organizationID: request.organizationID, repositoryID: request.repositoryID, fields: GitFields()
        ) { row, repository in
            let (found, next) = try await page.take(.tags, repository)
            let objects = try await repository.objects(found.map(\.id.hex))
            let commits = try await repository.objects(found.map { "\($0.id.hex)^{commit}" }).map { $0?.id }
            let annotated = zip(found, objects).filter { $1?.kind == .tag }.map(\.0.id)
            let tagObjects = Dictionary(
                zip(annotated, try await repository.tags(annotated)), uniquingKeysWith: { first, _ in first }
            )
            let wanted = request.includeCommits ? Array(Set(commits.compactMap { $0 })) : []
            let read = Dictionary(
                zip(wanted, try await repository.commits(wanted)), uniquingKeysWith: { first, _ in first }
            )
            return try await offLoop {
                let tags = zip(found, commits).map { tag, commit in
                    Tag(
                        name: tag.name, objectID: tag.id.hex, commitSHA: commit?.hex ?? "",
                        annotated: tagObjects[tag.id] != nil, message: tagObjects[tag.id]?.message ?? "",
                        tagger: tagObjects[tag.id]?.tagger.map(CommitAuthor.init),
                        commit: commit.flatMap { read[$0] }.map { Commit($0, in: row) }
                    )
                }
                return ListTagsResponse(tags: tags, nextPageToken: next)
            }
        }
    }
}

/// One page of branches or tags. It goes on behind the last name (with time) of the page before, so that what is
/// added or removed meanwhile moves nothing.
private struct ReferencePage {
    let filter: PageFilter
    let query: String
    let isNewestFirst: Bool
    let size: Int
    let token: PageToken?

    init(
        _ method: String, _ repositoryID: Int64, _ query: String, _ order: RefOrder, _ size: Int32, _ token: String
    ) throws(RPCError) {
        guard query.utf8.count <= Revision.maximumByteCount else {
            throw RPCError.badField("query", "at most \(Revision.maximumByteCount) bytes")
        }
        filter = try PageFilter(method, ["\(repositoryID)", query, "\(order.rawValue)"])
        self.query = query
        isNewestFirst = order == .newest
        self.size = try PageSize.check(size)
        self.token = try PageToken.parse(token, filter: filter)
    }

    /// The page's references, and the token of the next one.
    func take(
        _ folder: ReferenceFolder, _ repository: any ReferenceProvider
    ) async throws -> ([GitReference], String) {
        let all = try await repository.references(below: folder, withTimes: isNewestFirst)
        return try await offLoop {
            let rest = all.filter { isWanted($0) }.sorted(by: isBefore)
            let page = Array(rest.prefix(size))
            guard rest.count > size, let last = page.last else { return (page, "") }
            return (page, PageToken(filter: filter, position: max(0, last.seconds), anchor: last.name).text)
        }
    }

    @Sendable private func isWanted(_ reference: GitReference) -> Bool {
        guard query.isEmpty || contains(reference.name.utf8, query.utf8) else { return false }
        guard let token else { return true }
        return isBefore((token.position, token.anchor), (max(0, reference.seconds), reference.name))
    }

    @Sendable private func isBefore(_ left: GitReference, _ right: GitReference) -> Bool {
        isBefore((max(0, left.seconds), left.name), (max(0, right.seconds), right.name))
    }

    private func isBefore(_ left: (Int64, String), _ right: (Int64, String)) -> Bool {
        if isNewestFirst, left.0 != right.0 { return left.0 > right.0 }
        return left.1.utf8.lexicographicallyPrecedes(right.1.utf8)
    }

    /// By bytes: for Swift's strings two ways to write "é" would be the same.
    private func contains(_ text: String.UTF8View, _ part: String.UTF8View) -> Bool {
        let text = Array(text)
        let part = Array(part)
        guard text.count >= part.count else { return false }
        return (0...(text.count - part.count)).contains { text[$0...].starts(with: part) }
    }
}
