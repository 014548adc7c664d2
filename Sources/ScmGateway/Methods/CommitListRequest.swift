import FrameCodec
import RPC
import ScmAPI

/// Turns a ListCommits request into a query.
enum CommitListRequest {
    /// Each commit may bring up to a thousand changes: a page must stay far below the size of an answer.
    private static let maximumPageSizeWithFileChanges = 100

    /// A range without its beginning shows the last twenty commits unless a size is given.
    static func pageSize(_ request: ListCommitsRequest) throws(RPCError) -> Int {
        let hasNoStart = request.startSHA.isEmpty || ObjectID(request.startSHA)?.isZero == true
        let isOpenRange = !request.endSHA.isEmpty && hasNoStart
        let size = try PageSize.check(request.pageSize, standard: isOpenRange ? 20 : PageSize.standard)
        return request.includeFileChanges ? min(size, maximumPageSizeWithFileChanges) : size
    }

    /// Everything but the page's size and token.
    static func pageFilter(_ request: ListCommitsRequest) throws(RPCError) -> PageFilter {
        var plain = request
        plain.unknownFields = UnknownFields()
        plain.pageSize = 0
        plain.pageToken = ""
        // No map fields: the same request always serialises to the same bytes.
        return try PageFilter("ListCommits", message: plain)
    }

    /// nil when the range is empty by definition.
    ///
    /// - Parameter token: brings the anchor of the first page.
    /// - Returns: the anchor for the next page's token, too.
    static func query(
        _ request: ListCommitsRequest,
        _ token: PageToken?,
        _ repository: any CommitProvider
    ) async throws -> (HistoryQuery, anchor: String)? {
        try check(request)
        let excluded = try await excluded(request, repository)
        let start =
            request.allRefs
            ? try await allTips(token, repository) : HistoryStart(try await tip(request, token, repository))
        guard start.tips != [excluded] else { return nil }
        var query = HistoryQuery(tips: start.tips, excluded: excluded)
        if !request.path.isEmpty || !request.rawPath.isEmpty {
            query.path = try RepositoryPath(text: request.path, raw: request.rawPath)
        }
        query.followsRenames = request.followRenames
        query.since = try seconds(request.since, field: "since", roundUp: true)
        query.until = try seconds(request.until, field: "until", roundUp: false)
        query.firstParent = request.firstParent
        query.skipMerges = request.skipMerges
        query.author = try author(request)
        query.message = try text(request.message, field: "message")
        if request.messageSyntax == .regex, let message = query.message {
            try SearchExpression.check(CodePattern(text: message, isExpression: true))
            query.messageIsExpression = true
        }
        return (query, start.anchor)
    }

    private static func check(_ request: ListCommitsRequest) throws(RPCError) {
        guard !request.followRenames || !request.path.isEmpty || !request.rawPath.isEmpty else {
            throw RPCError.badField("follow_renames", "needs the path of a file")
        }
        guard !request.allRefs || (request.ref.isEmpty && request.endSHA.isEmpty) else {
            throw RPCError.badField("all_refs", "not allowed together with ref or end_sha")
        }
        guard [.unspecified, .literal, .regex].contains(request.messageSyntax) else {
            throw RPCError.badField("message_syntax", "there is no syntax \(request.messageSyntax.rawValue)")
        }
        guard request.ref.isEmpty || request.endSHA.isEmpty else {
            throw RPCError.badField("ref", "not allowed together with end_sha")
        }
        guard request.startSHA.isEmpty || !request.endSHA.isEmpty else {
            throw RPCError.badField("end_sha", "required together with start_sha")
        }
    }

    private static func allTips(_ token: PageToken?, _ repository: any CommitProvider) async throws -> HistoryStart {
        guard let start = try await repository.allTips(token?.anchor) else {
            throw RPCError.badField(
                "page_token", "branches or tags have moved since the first page, and it is forgotten: begin again")
        }
        return start
    }

    private static func tip(
        _ request: ListCommitsRequest,
        _ token: PageToken?,
        _ repository: any CommitProvider
    ) async throws -> ObjectID {
        if let token {
            // The token is the caller's to change: what it names must be a commit of this repository.
            guard let anchor = ObjectID(token.anchor), let revision = try? Revision(token.anchor),
                (try? await repository.resolve(revision)) == anchor
            else { throw RPCError.badField("page_token", "not a page token of this service") }
            return anchor
        }
        let name = request.endSHA.isEmpty ? request.ref : request.endSHA
        return try await repository.resolve(name.isEmpty ? nil : try Revision(name))
    }

    private static func excluded(
        _ request: ListCommitsRequest,
        _ repository: any CommitProvider
    ) async throws -> ObjectID? {
        let start = request.startSHA
        if start.isEmpty || ObjectID(start)?.isZero == true { return nil }
        do {
            return try await repository.resolve(try Revision(start))
        } catch GitError.revisionNotFound {
            throw RPCError(
                .notFound, .commitNotFound,
                "start_sha: no such commit in this repository: confirm that it has been pushed"
            )
        } catch GitError.invalidRevision(let problem) {
            throw RPCError.badField("start_sha", problem)
        }
    }

    /// Commits have whole seconds: "at or after 1.5" begins at 2, "before or at 1.5" ends at 1.
    private static func seconds(
        _ time: Protobuf.Timestamp?,
        field: String,
        roundUp: Bool
    ) throws(RPCError) -> Int64? {
        guard let time else { return nil }
        guard time.isValid else { throw RPCError.badField(field, "not a valid timestamp") }
        // git reads a time as an unsigned number; before 1970 there is nothing to compare with.
        return max(0, roundUp && time.nanos > 0 ? time.seconds + 1 : time.seconds)
    }

    private static func author(_ request: ListCommitsRequest) throws(RPCError) -> String? {
        guard !request.authorEmail.isEmpty else { return try text(request.author, field: "author") }
        guard request.author.isEmpty else {
            throw RPCError.badField("author", "not allowed together with author_email")
        }
        guard !request.authorEmail.contains(where: { "<>".contains($0) }) else {
            throw RPCError.badField("author_email", "not a mail address")
        }
        return try text(request.authorEmail, field: "author_email").map { "<\($0)>" }
    }

    /// A newline would make git read two patterns.
    private static func text(_ text: String, field: String) throws(RPCError) -> String? {
        guard !text.isEmpty else { return nil }
        guard text.utf8.count <= 1000, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw RPCError.badField(field, "at most 1000 bytes without control characters are allowed")
        }
        return text
    }
}
