import FrameCodec
import RPC
import ScmAPI
import SiloRPC
import Storage

extension ScmGatewayService {
    public func syncIssueStatus(
        _ request: SyncIssueStatusRequest, context: CallContext
    ) async throws -> Protobuf.Empty {
        let organizationID = try authorise(context, .issues, organizationID: request.organizationID)
        try Self.check(request)
        let memory = try Self.memory(request, organizationID: organizationID)
        let outcome: String
        if let known = try await recalledOutcome(memory) {
            outcome = known
        } else {
            let issue = try await externalIssue(request.externalIssueID, organizationID: organizationID)
            let tracker = try await issueTracker(issue.integrationID, organizationID: organizationID)
            let settings = try await issueSettings(issue.integrationID, organizationID: organizationID)
            outcome = request.direction == .outbound
                ? try await statusOut(request, issue, tracker, settings, memory)
                : try await statusIn(request, issue, tracker, settings, memory, context)
            noteIssueChange("status \(outcome)", issue.id, organizationID: organizationID, context)
        }
        // `changed resolve_next_release` is an outcome and how the groups were resolved.
        let words = outcome.split(separator: " ", maxSplits: 1).map(String.init)
        context.addTrailingMetadata("x-scm-sync-outcome", words.first ?? outcome)
        if words.count == 2 { context.addTrailingMetadata("x-scm-resolution", words[1]) }
        return Protobuf.Empty()
    }

    private static let maximumEventEntryCount = 16
    private static let maximumEventByteCount = 1000

    private static func check(_ request: SyncIssueStatusRequest) throws(RPCError) {
        guard request.groupID >= 0 else { throw RPCError.badField("group_id", "an id is not negative") }
        switch request.direction {
        case .outbound:
            guard request.groupID > 0 || request.resolved != nil else {
                throw RPCError.badField("group_id", "the group whose state counts, or resolved, is required")
            }
        case .inbound:
            let event = request.providerEvent
            guard !(event["action"] ?? "").isEmpty || !(event["new_state"] ?? "").isEmpty else {
                throw RPCError.badField("provider_event", "action or new_state is required")
            }
            guard event.count <= maximumEventEntryCount,
                event.allSatisfy({ $0.key.utf8.count + $0.value.utf8.count <= maximumEventByteCount })
            else {
                throw RPCError.badField(
                    "provider_event", "at most \(maximumEventEntryCount) entries of \(maximumEventByteCount) bytes"
                )
            }
        default: throw RPCError.badField("direction", "outbound or inbound is required")
        }
    }

    private static func memory(
        _ request: SyncIssueStatusRequest, organizationID: Int64
    ) throws(RPCError) -> IdempotentRequest? {
        guard !request.requestID.isEmpty else { return nil }
        let event = request.providerEvent.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
        return try IdempotentRequest(
            method: "SyncIssueStatus", requestID: request.requestID, organizationID: organizationID,
            body: [
                "\(request.externalIssueID)", "\(request.direction.rawValue)", "\(request.groupID)",
                request.resolved.map { "\($0)" } ?? "",
            ] + event + (request.projectsHaveReleases ? ["projects have releases"] : [])
        )
    }

    // MARK: Outbound

    private func statusOut(
        _ request: SyncIssueStatusRequest, _ issue: StoredExternalIssue, _ tracker: any IssueProvider,
        _ settings: IssueSyncSettings, _ memory: IdempotentRequest?
    ) async throws -> String {
        let status = try await groupStatus(request, issue)
        var outcome = SyncOutcome.skipped(.notLinked)
        if let status { outcome = try await carry(status, to: issue, tracker, settings) }
        return try await remembering(memory, outcome)
    }

    /// What the caller says of the group counts and is kept; else what we know of it.
    ///
    /// - Returns: nil for a group that is not linked to the issue (any more).
    private func groupStatus(
        _ request: SyncIssueStatusRequest, _ issue: StoredExternalIssue
    ) async throws -> GroupStatus? {
        let said: GroupStatus? = request.resolved.map { $0 ? .resolved : .unresolved }
        let (groupID, organizationID) = (request.groupID, issue.organizationID)
        guard groupID != 0 else { return said }
        return try await mappingStorageErrors {
            try await self.database.write { transaction in
                guard try IssueLinkRows.exists(
                    groupID: groupID, issueID: issue.id, organizationID: organizationID, transaction.reading
                ) else { return nil }
                let known = try IssueLinkRows.status(
                    groupID: groupID, organizationID: organizationID, transaction.reading
                )
                guard let said else { return known }
                if said != known {
                    try IssueLinkRows.setStatus(
                        said, groupID: groupID, organizationID: organizationID, transaction
                    )
                }
                return said
            }
        }
    }

    /// Brings the tracker's issue to a group's state. The tracker's state is read before it is written.
    private func carry(
        _ status: GroupStatus, to issue: StoredExternalIssue, _ tracker: any IssueProvider,
        _ settings: IssueSyncSettings
    ) async throws -> SyncOutcome {
        let key = IssueKey(issue.key, style: tracker.keyStyle)
        var (current, mapping) = ("", StatusMapping?.none)
        if let key {
            current = try await tracker.issue(key).stateName
            mapping = settings.mapping(
                project: key.container, standard: try await tracker.statusMapping(project: key.container)
            )
        }
        let plan = OutboundStatus.plan(
            status, isEnabled: settings.carriesStatusOut, hasKey: key != nil, mapping: mapping, current: current
        )
        switch plan {
        case .done(let outcome): return outcome
        case .write(let state):
            guard let key else { return .skipped(.badKey) }
            _ = try await refresh(issue, try await tracker.setState(key, state))
            return .changed
        }
    }

    // MARK: Inbound

    private func statusIn(
        _ request: SyncIssueStatusRequest, _ issue: StoredExternalIssue, _ tracker: any IssueProvider,
        _ settings: IssueSyncSettings, _ memory: IdempotentRequest?, _ context: CallContext
    ) async throws -> String {
        guard settings.carriesStatusIn else { return try await remembering(memory, .skipped(.disabled)) }
        let event = TrackerEvent(
            action: request.providerEvent["action"] ?? "", oldState: request.providerEvent["old_state"] ?? "",
            newState: request.providerEvent["new_state"] ?? ""
        )
        let effect = event.effect(tracker.inbound)
        // No release is known here: the caller says whether there are some.
        let resolution = settings.strategy.applied(everyProjectHasRelease: request.projectsHaveReleases)
        if let key = IssueKey(issue.key, style: tracker.keyStyle) {
            _ = try await refresh(issue, try await tracker.issue(key))
        }
        let (outcome, groups) = try await mappingStorageErrors {
            try await self.database.write { transaction in
                try Self.apply(effect, resolution, to: issue, memory, transaction)
            }
        }
        await passOn(groups, from: issue, tracker, settings, context)
        return outcome
    }

    /// - Returns: what to answer, and the groups that changed.
    private static func apply(
        _ effect: TrackerEvent.Effect, _ resolution: ResolutionStrategy, to issue: StoredExternalIssue,
        _ memory: IdempotentRequest?, _ transaction: WriteTransaction
    ) throws -> (String, [(Int64, GroupStatus)]) {
        if let known = try outcome(memory, transaction.reading) { return (known, []) }
        let organizationID = issue.organizationID
        let linked = try ExternalIssueRows.find(id: issue.id, organizationID: organizationID, transaction.reading)
        var changed: [(Int64, GroupStatus)] = []
        for groupID in linked?.groupIDs ?? [] {
            let old = try IssueLinkRows.status(groupID: groupID, organizationID: organizationID, transaction.reading)
            guard let old, let new = effect.status(after: old) else { continue }
            try IssueLinkRows.setStatus(
                new, resolution: new == .resolved ? resolution : .plain, groupID: groupID,
                organizationID: organizationID, transaction
            )
            changed.append((groupID, new))
        }
        var outcome = (changed.isEmpty ? SyncOutcome.unchanged : .changed).text
        if changed.contains(where: { $0.1 == .resolved }), resolution != .plain { outcome += " " + resolution.rawValue }
        try memory?.remember(Array(outcome.utf8), transaction)
        return (outcome, changed)
    }

    /// The loop guard: a change that came from an issue never goes back to that issue, only to the groups' others.
    private func passOn(
        _ groups: [(Int64, GroupStatus)], from issue: StoredExternalIssue, _ tracker: any IssueProvider,
        _ settings: IssueSyncSettings, _ context: CallContext
    ) async {
        for (groupID, status) in groups {
            do {
                let filter = ExternalIssueFilter(
                    organizationID: issue.organizationID, integrationID: issue.integrationID, groupID: groupID
                )
                let others = try await database.read {
                    try ExternalIssueRows.list(filter, after: 0, limit: IssueLinkRows.maximumIssuesOfGroup, $0)
                }
                for other in others where other.id != issue.id {
                    _ = try await carry(status, to: other, tracker, settings)
                }
            } catch {
                logger.warning("status was not passed on", metadata: ["group": "\(groupID)", "error": "\(error)"])
                context.addTrailingMetadata("x-scm-warning", "group \(groupID): its other issues were not all reached")
            }
        }
    }

    // MARK: Memory of outcomes

    static func outcome(_ memory: IdempotentRequest?, _ transaction: ReadTransaction) throws -> String? {
        switch try memory?.recall(transaction) {
        case .answered(let bytes): return String(decoding: bytes, as: UTF8.self)
        case .differs: throw IdempotentRequest.differentBody
        case .unknown, nil: return nil
        }
    }

    func recalledOutcome(_ memory: IdempotentRequest?) async throws -> String? {
        guard let memory else { return nil }
        return try await mappingStorageErrors { try await self.database.read { try Self.outcome(memory, $0) } }
    }

    /// - Returns: the outcome, or that of the same request when it was answered meanwhile.
    func remembering(_ memory: IdempotentRequest?, _ outcome: SyncOutcome) async throws -> String {
        guard let memory else { return outcome.text }
        return try await mappingStorageErrors {
            try await self.database.write { transaction in
                if let known = try Self.outcome(memory, transaction.reading) { return known }
                try memory.remember(Array(outcome.text.utf8), transaction)
                return outcome.text
            }
        }
    }
}
