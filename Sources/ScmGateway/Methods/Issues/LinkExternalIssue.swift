import FrameCodec
import RPC
import ScmAPI
import SiloRPC
import Storage

extension ScmGatewayService {
    public func linkExternalIssue(
        _ request: LinkExternalIssueRequest, context: CallContext
    ) async throws -> ExternalIssue {
        let organizationID = try authorise(context, .issues, organizationID: request.organizationID)
        let tracker = try await issueTracker(request.integrationID, organizationID: organizationID)
        try IssueRules.checkID(request.groupID, "group_id")
        try IssueRules.checkText(request.comment, "comment")
        let key = try Self.key(request, tracker.keyStyle)
        let (groupID, integrationID) = (request.groupID, request.integrationID)
        let issue = try await tracker.issue(key)
        let linked = try await once(
            try Self.memory(request, "LinkExternalIssue", organizationID: organizationID)
        ) { transaction in
            let stored = try ExternalIssueRows.store(
                issue, integrationID: integrationID, organizationID: organizationID, transaction
            )
            guard let id = stored?.id else { throw Self.issueNotFound }
            try Self.link(groupID: groupID, issueID: id, organizationID: organizationID, transaction)
            let found = try ExternalIssueRows.find(id: id, organizationID: organizationID, transaction.reading)
            guard let found else { throw Self.issueNotFound }
            return ExternalIssue(found)
        }
        if !request.comment.isEmpty {
            do {
                _ = try await tracker.addComment(
                    key, request.comment, author: Self.author(context),
                    memory: try Self.memory(request, "LinkExternalIssue/comment", organizationID: organizationID)
                )
            } catch {
                logger.warning("comment of a link failed", metadata: ["issue": "\(linked.id)", "error": "\(error)"])
                context.addTrailingMetadata("x-scm-warning", "the comment could not be posted")
            }
        }
        noteIssueChange("linked", linked.id, organizationID: organizationID, context)
        return linked
    }

    private static func key(_ request: LinkExternalIssueRequest, _ style: IssueKey.Style) throws(RPCError) -> IssueKey {
        guard request.externalKey.isEmpty else {
            guard request.project.isEmpty, request.issueNumber.isEmpty else {
                throw RPCError.badField("external_key", "give either the key or project and issue_number")
            }
            return try key(request.externalKey, style, field: "external_key")
        }
        try IssueRules.checkProject(request.project, "project")
        guard let number = IssueKey.number(request.issueNumber[...].utf8) else {
            throw RPCError.badField("issue_number", "a positive number is required")
        }
        return IssueKey(style: style, container: request.project, number: number)
    }

    /// - Throws: INVALID_ARGUMENT.
    static func key(_ text: String, _ style: IssueKey.Style, field: String) throws(RPCError) -> IssueKey {
        guard let key = IssueKey(text, style: style), !text.utf8.contains(0) else {
            throw RPCError.badField(
                field, "not a key of this tracker (at most \(IssueKey.maximumCharacterCount) characters)"
            )
        }
        return key
    }

    /// What the built-in tracker calls the writer of a comment.
    static func author(_ context: CallContext) -> String {
        "key-\(context.serviceContext[PrincipalKey.self]?.keyID ?? 0)"
    }

    private static func memory(
        _ request: LinkExternalIssueRequest, _ step: String, organizationID: Int64
    ) throws(RPCError) -> IdempotentRequest? {
        guard !request.requestID.isEmpty else { return nil }
        return try IdempotentRequest(
            method: step, requestID: request.requestID, organizationID: organizationID,
            body: [
                "\(request.integrationID)", "\(request.groupID)", request.externalKey, request.project,
                request.issueNumber, request.comment,
            ]
        )
    }

    public func unlinkExternalIssue(
        _ request: UnlinkExternalIssueRequest, context: CallContext
    ) async throws -> Protobuf.Empty {
        let organizationID = try authorise(context, .issues, organizationID: request.organizationID)
        let (issueID, groupID) = (request.externalIssueID, request.groupID)
        try IssueRules.checkID(issueID, "external_issue_id")
        try IssueRules.checkID(groupID, "group_id")
        let deletion = Deletion("UnlinkExternalIssue", issueID, groupID, organizationID: organizationID)
        let (isRemoved, isKnown) = try await mappingStorageErrors {
            try await self.database.write { transaction in
                guard try IssueLinkRows.remove(
                    groupID: groupID, issueID: issueID, organizationID: organizationID, transaction
                ) else { return (false, try deletion.isKnown(transaction.reading)) }
                try deletion.note(transaction)
                return (true, true)
            }
        }
        guard isKnown else { throw Self.issueNotFound }
        if isRemoved { noteIssueChange("unlinked", issueID, organizationID: organizationID, context) }
        return Protobuf.Empty()
    }
}
