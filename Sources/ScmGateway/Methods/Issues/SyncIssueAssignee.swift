import FrameCodec
import RPC
import ScmAPI
import SiloRPC
import Storage

extension ScmGatewayService {
    public func syncIssueAssignee(
        _ request: SyncIssueAssigneeRequest, context: CallContext
    ) async throws -> Protobuf.Empty {
        let organizationID = try authorise(context, .issues, organizationID: request.organizationID)
        guard request.direction == .outbound || request.direction == .inbound else {
            throw RPCError.badField("direction", "outbound or inbound is required")
        }
        try IssueRules.checkLine(request.user, "user", 0...IssueRules.maximumNameCount)
        let memory = request.requestID.isEmpty
            ? nil
            : try IdempotentRequest(
                method: "SyncIssueAssignee", requestID: request.requestID, organizationID: organizationID,
                body: ["\(request.externalIssueID)", "\(request.direction.rawValue)", request.user]
            )
        let outcome: String
        if let known = try await recalledOutcome(memory) {
            outcome = known
        } else {
            let issue = try await externalIssue(request.externalIssueID, organizationID: organizationID)
            let tracker = try await issueTracker(issue.integrationID, organizationID: organizationID)
            let settings = try await issueSettings(issue.integrationID, organizationID: organizationID)
            let user = TrackerName.normal(request.user)
            let isOutbound = request.direction == .outbound
            let result: SyncOutcome =
                if isOutbound ? settings.carriesAssigneeOut : settings.carriesAssigneeIn {
                    isOutbound ? try await assigneeOut(user, issue, tracker) : try await assigneeIn(user, issue)
                } else {
                    .skipped(.disabled)
                }
            outcome = try await remembering(memory, result)
            noteIssueChange("assignee \(outcome)", issue.id, organizationID: organizationID, context)
        }
        context.addTrailingMetadata("x-scm-sync-outcome", outcome)
        return Protobuf.Empty()
    }

    /// The tracker's assignee is read before it is written, as with states.
    private func assigneeOut(
        _ user: String, _ issue: StoredExternalIssue, _ tracker: any IssueProvider
    ) async throws -> SyncOutcome {
        guard let key = IssueKey(issue.key, style: tracker.keyStyle) else { return .skipped(.badKey) }
        guard TrackerName.normal(try await tracker.issue(key).assignee) != user else { return .unchanged }
        _ = try await refresh(issue, try await tracker.update(key, IssueChange(assignee: user)))
        return .changed
    }

    private func assigneeIn(_ user: String, _ issue: StoredExternalIssue) async throws -> SyncOutcome {
        let changed = try await mappingStorageErrors {
            try await self.database.write {
                try IssueLinkRows.setAssignee(
                    user, ofGroupsOf: issue.id, organizationID: issue.organizationID, $0
                )
            }
        }
        return changed > 0 ? .changed : .unchanged
    }
}
