import RPC
import ScmAPI

extension ScmGatewayService {
    public func getTree(
        _ request: GetTreeRequest, responses: ResponseWriter<GetTreeResponse>, context: CallContext
    ) async throws {
        guard request.maxEntries >= 0 else { throw RPCError.badField("max_entries", "a number is not negative") }
        // A longer path is refused below, whatever its rest is.
        let rawPath = request.rawPath.prefix(RepositoryPath.maximumByteCount + 1)
        let filter = try PageFilter("GetTree", [
            "\(request.repositoryID)", request.path, request.ref, "\(request.recursive)",
            "\(request.includeDirectories)", rawPath.map { "\($0)" }.joined(separator: ","),
        ])
        let token = try PageToken.parse(request.pageToken, filter: filter)
        try await reading(
            context, organizationID: request.organizationID, repositoryID: request.repositoryID, fields: GitFields()
        ) { _, repository in
            let path = try Self.directory(request)
            let commit = try await Self.commit(request.ref, token, repository)
            let tree = try await repository.tree(path, at: commit)
            try context.answering(version: tree)
            var query = TreeQuery(tree: tree, prefix: path.map { $0.bytes + [UInt8(ascii: "/")] } ?? [])
            query.recursive = request.recursive
            query.withDirectories = request.includeDirectories
            query.withSizes = request.includeSizes
            // A token is the caller's to change: a position beyond any tree must not overflow.
            let start = min(Int(clamping: token?.position ?? 0), Int(Int32.max))
            query.range = start..<(request.maxEntries == 0 ? Int.max : start + Int(request.maxEntries))
            var batch = TreeBatch(commit: commit, tree: tree)
            let hasMore = try await repository.list(query) { entries in
                for entry in entries {
                    if batch.isFull { try await responses.send(batch.take()) }
                    batch.append(entry)
                }
            }
            var last = batch.take()
            if hasMore {
                let position = Int64(start + Int(request.maxEntries))
                last.nextPageToken = PageToken(filter: filter, position: position, anchor: commit.hex).text
            }
            try await responses.send(last)
        }
    }

    /// nil for the root.
    private static func directory(_ request: GetTreeRequest) throws(GitError) -> RepositoryPath? {
        if request.rawPath.isEmpty, request.path.isEmpty || request.path == "/" { return nil }
        return try RepositoryPath(text: request.path, raw: request.rawPath)
    }

    /// The commit of the first page, or that of a revision.
    static func commit(
        _ ref: String, _ token: PageToken?, _ repository: any SourceRepository
    ) async throws -> ObjectID {
        guard let token else { return try await repository.resolve(ref.isEmpty ? nil : try Revision(ref)) }
        return try await anchor(token.anchor, repository)
    }

    /// The token is the caller's to change: what it names must be a commit of this repository.
    static func anchor(_ text: some StringProtocol, _ repository: any SourceRepository) async throws -> ObjectID {
        guard let anchor = ObjectID(text), let revision = try? Revision(anchor.hex),
            (try? await repository.resolve(revision)) == anchor
        else { throw RPCError.badField("page_token", "not a page token of this service") }
        return anchor
    }
}

/// Entries for one message.
private struct TreeBatch {
    private static let maximumEntryCount = 5000
    /// Long paths end a message earlier, so that it stays below what clients accept.
    private static let maximumByteCount = 1024 * 1024

    private let commit: ObjectID
    private let tree: ObjectID
    private var entries: [TreeEntry] = []
    private var byteCount = 0

    init(commit: ObjectID, tree: ObjectID) {
        self.commit = commit
        self.tree = tree
    }

    var isFull: Bool { entries.count >= Self.maximumEntryCount || byteCount >= Self.maximumByteCount }

    mutating func append(_ entry: GitTreeEntry) {
        entries.append(TreeEntry(entry))
        byteCount += entry.path.count * 2 + 100
    }

    mutating func take() -> GetTreeResponse {
        defer {
            entries.removeAll(keepingCapacity: true)
            byteCount = 0
        }
        return GetTreeResponse(entries: entries, commitSHA: commit.hex, treeSHA: tree.hex)
    }
}
