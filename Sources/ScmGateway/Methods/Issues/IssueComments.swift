import RPC
import ScmAPI
import SiloRPC

extension ScmGatewayService {
    public func createIssueComment(
        _ request: CreateIssueCommentRequest, context: CallContext
    ) async throws -> IssueComment {
        let organizationID = try authorise(context, .issues, organizationID: request.organizationID)
        let body = try Self.body(request.body, author: request.authorName)
        let memory = request.requestID.isEmpty
            ? nil
            : try IdempotentRequest(
                method: "CreateIssueComment", requestID: request.requestID, organizationID: organizationID,
                body: ["\(request.externalIssueID)", request.body, request.authorName]
            )
        let (known, tracker, key) = try await issueForComments(request.externalIssueID, organizationID: organizationID)
        try await checkCarried(request.authorName, known, organizationID: organizationID)
        let comment = try await tracker.addComment(key, body, author: Self.author(context), memory: memory)
        noteIssueChange("commented", known.id, organizationID: organizationID, context)
        return IssueComment(comment, issueID: known.id)
    }

    public func updateIssueComment(
        _ request: UpdateIssueCommentRequest, context: CallContext
    ) async throws -> IssueComment {
        let organizationID = try authorise(context, .issues, organizationID: request.organizationID)
        let body = try Self.body(request.body, author: request.authorName)
        guard !request.commentID.isEmpty else { throw RPCError.badField("comment_id", "a comment is required") }
        let (known, tracker, key) = try await issueForComments(request.externalIssueID, organizationID: organizationID)
        try await checkCarried(request.authorName, known, organizationID: organizationID)
        let comment = try await tracker.updateComment(key, id: request.commentID, body)
        noteIssueChange("comment changed", known.id, organizationID: organizationID, context)
        return IssueComment(comment, issueID: known.id)
    }

    public func listIssueComments(
        _ request: ListIssueCommentsRequest, context: CallContext
    ) async throws -> ListIssueCommentsResponse {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        let size = min(try PageSize.check(request.pageSize), Self.maximumIssuePageSize)
        let pageFilter = try PageFilter("ListIssueComments", ["\(organizationID)", "\(request.externalIssueID)"])
        let start = try PageToken.parse(request.pageToken, filter: pageFilter).map { token throws(RPCError) in
            guard let id = Int64(token.anchor) else {
                throw RPCError.badField("page_token", "not a page token of this service")
            }
            return (createdAt: token.position, id: id)
        }
        let (known, tracker, key) = try await issueForComments(request.externalIssueID, organizationID: organizationID)
        let (page, hasMore) = try await PageBytes.page(
            size, byteCount: { (comment: TrackerComment) in comment.body.utf8.count + 1000 }
        ) { last, limit in
            try await tracker.comments(key, after: last.map { ($0.createdAt, $0.id) } ?? start, limit: limit)
        }
        let end = hasMore ? page.last : nil
        return ListIssueCommentsResponse(
            comments: page.map { IssueComment($0, issueID: known.id) },
            nextPageToken: end.map {
                PageToken(filter: pageFilter, position: $0.createdAt, anchor: "\($0.id)").text
            } ?? ""
        )
    }

    private func issueForComments(
        _ id: Int64, organizationID: Int64
    ) async throws -> (issue: StoredExternalIssue, tracker: any IssueCommentProvider, key: IssueKey) {
        let known = try await externalIssue(id, organizationID: organizationID)
        let tracker = try await issueTracker(known.integrationID, organizationID: organizationID)
        return (known, tracker, try Self.key(known.key, tracker.keyStyle, field: "external_issue_id"))
    }

    /// A comment with the name of a person of ours is one that is carried to the tracker.
    ///
    /// - Throws: FAILED_PRECONDITION when the settings say that none is.
    private func checkCarried(
        _ authorName: String, _ issue: StoredExternalIssue, organizationID: Int64
    ) async throws {
        guard !authorName.isEmpty else { return }
        let settings = try await issueSettings(issue.integrationID, organizationID: organizationID)
        guard settings.carriesComments else {
            throw RPCError(
                .failedPrecondition, .syncDisabled,
                "sync_comments is off in the settings of this tracker: leave author_name out"
            )
        }
    }

    private static func body(_ body: String, author: String) throws(RPCError) -> String {
        try IssueRules.checkText(body, "body", isRequired: true)
        try IssueRules.checkLine(author, "author_name", 0...IssueRules.maximumNameCount)
        return CommentText.quoted(body, author: author)
    }
}

extension IssueComment {
    fileprivate init(_ comment: TrackerComment, issueID: Int64) {
        self.init(comment)
        externalIssueID = issueID
    }
}
