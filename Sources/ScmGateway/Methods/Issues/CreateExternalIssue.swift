import FrameCodec
import RPC
import ScmAPI
import SiloRPC
import Storage

extension ScmGatewayService {
    /// Three steps, each of which stays when the next one fails: the tracker's issue, our row, the link. The same
    /// request again goes on where it stopped.
    public func createExternalIssue(
        _ request: CreateExternalIssueRequest, context: CallContext
    ) async throws -> ExternalIssue {
        let organizationID = try authorise(context, .issues, organizationID: request.organizationID)
        let tracker = try await issueTracker(request.integrationID, organizationID: organizationID)
        try Self.check(request)
        // Of the request as it came: what is remembered may be another one the next time.
        let memory = try Self.memory(request, "CreateExternalIssue", organizationID: organizationID)
        let place = try await place(of: request, organizationID: organizationID)
        let draft = IssueDraft(
            project: place.project, title: request.title, description: request.description, labels: request.labels,
            assignee: request.assignee, extra: place.extra
        )
        let created = try await tracker.create(
            draft, memory: try Self.memory(request, "CreateExternalIssue/tracker", organizationID: organizationID)
        )
        let stored = try await store(created, integrationID: request.integrationID, organizationID: organizationID)
        let (id, groupID, integrationID) = (stored.id, request.groupID, request.integrationID)
        do {
            let answer = try await once(memory) { transaction in
                if place.projectID != 0 {
                    try IssueDefaultsRows.store(
                        place, integrationID: integrationID, organizationID: organizationID, transaction
                    )
                }
                if groupID != 0 {
                    try Self.link(groupID: groupID, issueID: id, organizationID: organizationID, transaction)
                }
                let linked = try ExternalIssueRows.find(id: id, organizationID: organizationID, transaction.reading)
                guard let linked else { throw Self.issueNotFound }
                return ExternalIssue(linked)
            }
            noteIssueChange("created", id, organizationID: organizationID, context)
            return answer
        } catch let error as RPCError {
            throw Self.naming(id, error)
        }
    }

    /// An error after the issue was made says which issue that is.
    private static func naming(_ issueID: Int64, _ error: RPCError) -> RPCError {
        let info = error.detail(GoogleRPC.ErrorInfo.self)
        var facts = info?.metadata ?? [:]
        facts["externalIssueId"] = "\(issueID)"
        let reason = info.flatMap { ErrorReason(rawValue: $0.reason) } ?? .limitReached
        let retry = error.detail(GoogleRPC.RetryInfo.self) == nil ? nil : Duration.seconds(1)
        return RPCError(
            error.code, reason, "the issue was created but not linked: \(error.message)", facts: facts,
            retryAfter: retry
        )
    }

    private static func check(_ request: CreateExternalIssueRequest) throws(RPCError) {
        guard request.groupID >= 0 else { throw RPCError.badField("group_id", "an id is not negative") }
        guard request.projectID >= 0 else { throw RPCError.badField("project_id", "an id is not negative") }
        guard request.repositoryID == 0 || request.project.isEmpty else {
            throw RPCError.badField("project", "give either repository_id or project")
        }
        let mayBeKnown = request.projectID != 0 && request.project.isEmpty
        if request.repositoryID == 0, !mayBeKnown { try IssueRules.checkProject(request.project, "project") }
        try IssueRules.checkTitle(request.title, "title")
        try IssueRules.checkText(request.description, "description")
        try IssueRules.checkLabels(request.labels, "labels")
        try IssueRules.checkAssignee(request.assignee, "assignee")
        try IssueRules.checkExtra(request.extra)
    }

    /// Where the issue is to be made: what the request leaves out is what the project's last issue was made with. A
    /// repository's container is called as the repository is.
    private func place(
        of request: CreateExternalIssueRequest, organizationID: Int64
    ) async throws -> IssueDefaults {
        var place = IssueDefaults(projectID: request.projectID, project: request.project, extra: request.extra)
        if request.repositoryID != 0 {
            place.project = try await activeRepository(request.repositoryID, organizationID: organizationID).name
            try IssueRules.checkProject(place.project, "repository_id")
        }
        guard request.projectID != 0 else { return place }
        let known = try await mappingStorageErrors {
            try await self.database.read {
                try IssueDefaultsRows.find(
                    projectID: request.projectID, integrationID: request.integrationID, organizationID: organizationID,
                    $0
                )
            }
        }
        if place.project.isEmpty {
            guard let known else {
                throw RPCError.badField("project", "required: nothing is remembered for this project_id")
            }
            place.project = known.project
        }
        // Another container may know none of the fields.
        if place.extra.isEmpty, let known, known.project == place.project { place.extra = known.extra }
        return place
    }

    private static func memory(
        _ request: CreateExternalIssueRequest, _ step: String, organizationID: Int64
    ) throws(RPCError) -> IdempotentRequest? {
        guard !request.requestID.isEmpty else { return nil }
        let extra = request.extra.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
        return try IdempotentRequest(
            method: step, requestID: request.requestID, organizationID: organizationID,
            body: [
                "\(request.integrationID)", "\(request.groupID)", "\(request.repositoryID)", request.project,
                request.title, request.description, request.assignee, "\(request.labels.count)",
            ] + request.labels + extra + (request.projectID == 0 ? [] : ["project \(request.projectID)"])
        )
    }
}
