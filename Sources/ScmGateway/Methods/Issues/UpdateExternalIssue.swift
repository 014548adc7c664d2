import RPC
import ScmAPI
import SiloRPC

extension ScmGatewayService {
    /// The tracker first: what it refuses is not stored here either.
    public func updateExternalIssue(
        _ request: UpdateExternalIssueRequest, context: CallContext
    ) async throws -> ExternalIssue {
        let organizationID = try authorise(context, .issues, organizationID: request.organizationID)
        let new = request.externalIssue ?? ExternalIssue()
        let change = try Self.change(new, request.updateMask?.paths ?? [])
        let known = try await externalIssue(new.id, organizationID: organizationID, field: "external_issue.id")
        let tracker = try await issueTracker(known.integrationID, organizationID: organizationID)
        let key = try Self.key(known.key, tracker.keyStyle, field: "external_issue.key")
        let stored = try await refresh(known, try await tracker.update(key, change))
        noteIssueChange("updated", stored.id, organizationID: organizationID, context)
        return ExternalIssue(stored)
    }

    private static func change(_ new: ExternalIssue, _ paths: [String]) throws(RPCError) -> IssueChange {
        guard !paths.isEmpty else { throw RPCError.badField("update_mask", "name the fields to change") }
        var change = IssueChange()
        for path in paths {
            switch path {
            case "title":
                try IssueRules.checkTitle(new.title, "external_issue.title")
                change.title = new.title
            case "description":
                try IssueRules.checkText(new.description, "external_issue.description")
                change.description = new.description
            case "state":
                guard new.state == .open || new.state == .closed else {
                    throw RPCError.badField("external_issue.state", "an issue is open or closed")
                }
                change.isClosed = new.state == .closed
            case "assignee":
                try IssueRules.checkAssignee(new.assignee, "external_issue.assignee")
                change.assignee = new.assignee
            case "labels":
                try IssueRules.checkLabels(new.labels, "external_issue.labels")
                change.labels = new.labels
            default: throw RPCError.badField("update_mask", "\"\(path.prefix(64))\" cannot be changed")
            }
        }
        return change
    }
}
