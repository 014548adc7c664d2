import FrameCodec
import RPC
import ScmAPI
import SiloRPC
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct IssueSettingsTests {
    private func update(
        _ fixture: IssueFixture, _ paths: [String], _ settings: IssueSettings, context: CallContext? = nil
    ) async throws -> IssueSettings {
        try await fixture.service.updateIssueSettings(
            UpdateIssueSettingsRequest(issueSettings: settings, updateMask: Protobuf.FieldMask(paths: paths)),
            context: context ?? fixture.context
        )
    }

    private func out(_ issue: ExternalIssue, resolved: Bool) -> SyncIssueStatusRequest {
        SyncIssueStatusRequest(externalIssueID: issue.id, direction: .outbound, groupID: 7, resolved: resolved)
    }

    private func closed(_ issue: ExternalIssue, requestID: String = "") -> SyncIssueStatusRequest {
        SyncIssueStatusRequest(
            externalIssueID: issue.id, direction: .inbound, providerEvent: ["action": "closed"], requestID: requestID,
            projectsHaveReleases: true
        )
    }

    private func assign(_ fixture: IssueFixture, _ issue: ExternalIssue, _ way: SyncDirection) async throws -> String? {
        let context = fixture.context
        _ = try await fixture.service.syncIssueAssignee(
            SyncIssueAssigneeRequest(externalIssueID: issue.id, direction: way, user: "ada"), context: context)
        return context.trailingMetadata["x-scm-sync-outcome"]
    }

    @Test("without settings everything passes; what is set stays, one field at a time, for one organization")
    func settings() async throws {
        let fixture = try await IssueFixture()
        let first = try await fixture.service.getIssueSettings(GetIssueSettingsRequest(), context: fixture.context)
        #expect(first.syncStatusForward && first.syncStatusReverse && first.syncForwardAssignment)
        #expect(first.syncReverseAssignment && first.syncComments && first.resolutionStrategy == .unspecified)
        #expect(
            first.statusMappings.isEmpty && first.dateUpdated == nil && first.organizationID == fixture.gateway.first)
        let mappings = [
            IssueStatusMapping(project: "web", resolvedStatus: "closed", unresolvedStatus: ""),
            IssueStatusMapping(project: "", resolvedStatus: "", unresolvedStatus: "open"),
        ]
        let changed = try await update(
            fixture, ["status_mappings", "resolution_strategy", "sync_comments"],
            IssueSettings(resolutionStrategy: .nextRelease, statusMappings: mappings)
        )
        #expect(changed.statusMappings == mappings.reversed() && changed.resolutionStrategy == .nextRelease)
        #expect(!changed.syncComments && changed.syncStatusForward && changed.dateUpdated != nil)
        #expect(
            try await fixture.service.getIssueSettings(GetIssueSettingsRequest(), context: fixture.context) == changed)
        let other = try await fixture.service.getIssueSettings(GetIssueSettingsRequest(), context: fixture.stranger)
        #expect(other.syncComments && other.statusMappings.isEmpty)
        await expectError(.notFound, "INTEGRATION_NOT_FOUND") {
            try await fixture.service.getIssueSettings(
                GetIssueSettingsRequest(integrationID: 9), context: fixture.context)
        }
    }

    /// 7.2: what the last issue of one of our projects was made with is what the next one is made with.
    @Test func theLastContainerOfAProjectIsRemembered() async throws {
        let fixture = try await IssueFixture()
        func create(_ request: CreateExternalIssueRequest, _ context: CallContext? = nil) async throws -> String {
            try await fixture.service.createExternalIssue(request, context: context ?? fixture.context).key
        }
        func defaults(_ context: CallContext) async throws -> [IssueDefaults] {
            try await fixture.service.getIssueSettings(GetIssueSettingsRequest(), context: context).issueDefaults
        }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "project") {
            try await create(.init(title: "t", projectID: 5))
        }
        let extra = ["priority": "high"]
        #expect(try await create(.init(project: "web", title: "t", extra: extra, projectID: 5)) == "web#1")
        #expect(try await create(.init(title: "t", projectID: 5)) == "web#2")
        let known = [IssueDefaults(projectID: 5, project: "web", extra: extra)]
        #expect(try await defaults(fixture.context) == known, "fields stay with their container")
        // Without a project of ours nothing is remembered, nor of what fails.
        #expect(try await create(.init(project: "other", title: "t")) == "other#1")
        await expectError(.invalidArgument) { try await create(.init(project: "bad", title: "", projectID: 5)) }
        #expect(try await defaults(fixture.context) == known)
        #expect(try await create(.init(project: "api", title: "t", projectID: 5)) == "api#1")
        #expect(try await create(.init(title: "t", projectID: 5)) == "api#2")
        #expect(try await defaults(fixture.context) == [IssueDefaults(projectID: 5, project: "api")])
        // The same request again is the same issue, whatever has been remembered since.
        let again = CreateExternalIssueRequest(
            title: "once", requestID: "5b0f3c55-4a3b-4a39-9a3f-0d9c8e7f6a51", projectID: 5)
        #expect(try await create(again) == "api#3")
        #expect(try await create(.init(project: "web", title: "t", projectID: 5)) == "web#3")
        #expect(try await create(again) == "api#3")
        // Another organization's project of the same number is another one.
        #expect(try await defaults(fixture.stranger).isEmpty)
        await expectError(.invalidArgument, "BAD_REQUEST", field: "project") {
            try await create(.init(title: "t", projectID: 5), fixture.stranger)
        }
    }

    /// The one that was used longest ago goes first.
    @Test func onlySoManyProjectsAreRemembered() async throws {
        let fixture = try await IssueFixture()
        let organization = fixture.gateway.first
        let count = IssueDefaultsRows.maximumCount
        try await fixture.gateway.database.write { transaction in
            for id in 1...(count + 2) {
                try IssueDefaultsRows.store(
                    IssueDefaults(projectID: id, project: "p"), integrationID: 0, organizationID: organization,
                    transaction)
            }
        }
        let settings = try await fixture.service.getIssueSettings(GetIssueSettingsRequest(), context: fixture.context)
        #expect(settings.issueDefaults.map(\.projectID) == Array(3...(count + 2)))
    }

    @Test("S3: each switch stops its own way")
    func switches() async throws {
        let fixture = try await IssueFixture()
        let issue = try await fixture.create(group: 7)
        _ = try await update(fixture, ["sync_status_forward"], IssueSettings())
        #expect(try await fixture.sync(out(issue, resolved: true)) == "skipped:disabled")
        #expect(try await fixture.get(issue.id).state == .open)
        #expect(try await fixture.sync(closed(issue)) == "unchanged")
        _ = try await update(
            fixture, ["sync_status_forward", "sync_status_reverse"], IssueSettings(syncStatusForward: true))
        #expect(try await fixture.sync(closed(issue)) == "skipped:disabled")
        #expect(try await fixture.sync(out(issue, resolved: true)) == "changed")
        #expect(try await assign(fixture, issue, .outbound) == "changed")
        _ = try await update(fixture, ["sync_forward_assignment"], IssueSettings())
        #expect(try await assign(fixture, issue, .outbound) == "skipped:disabled")
        #expect(try await assign(fixture, issue, .inbound) == "changed")
        _ = try await update(fixture, ["sync_reverse_assignment"], IssueSettings())
        #expect(try await assign(fixture, issue, .inbound) == "skipped:disabled")

        _ = try await update(fixture, ["sync_comments"], IssueSettings())
        var comment = CreateIssueCommentRequest(externalIssueID: issue.id, body: "seen", authorName: "Ada")
        await expectError(.failedPrecondition, "SYNC_DISABLED") { [comment] in
            try await fixture.service.createIssueComment(comment, context: fixture.context)
        }
        comment.authorName = ""
        let made = try await fixture.service.createIssueComment(comment, context: fixture.context)
        await expectError(.failedPrecondition, "SYNC_DISABLED") {
            try await fixture.service.updateIssueComment(
                UpdateIssueCommentRequest(
                    externalIssueID: issue.id, commentID: made.id, body: "again", authorName: "Ada"),
                context: fixture.context)
        }
    }

    @Test("S4: states are mapped for each project, and a state that is mapped to nothing is not carried")
    func mappings() async throws {
        let fixture = try await IssueFixture()
        let (web, app) = (try await fixture.create(group: 7), try await fixture.create(group: 7, project: "app"))
        // The other way round, to see that the mapping counts.
        _ = try await update(fixture, ["status_mappings"], IssueSettings(statusMappings: [
            IssueStatusMapping(project: "web", resolvedStatus: "open", unresolvedStatus: "closed"),
            IssueStatusMapping(project: "", resolvedStatus: "closed"),
        ]))
        #expect(try await fixture.sync(out(web, resolved: true)) == "unchanged")
        #expect(try await fixture.sync(out(web, resolved: false)) == "changed")
        #expect(try await fixture.get(web.id).state == .closed)
        #expect(try await fixture.sync(out(app, resolved: true)) == "changed")
        #expect(try await fixture.sync(out(app, resolved: false)) == "skipped:no_project_mapping")
        #expect(try await fixture.get(app.id).state == .closed)
    }

    @Test("S13: the strategy is followed when every project has a release, and told each time")
    func strategy() async throws {
        let fixture = try await IssueFixture()
        let issue = try await fixture.create(group: 7)
        _ = try await update(fixture, ["resolution_strategy"], IssueSettings(resolutionStrategy: .currentRelease))
        let id = "6f1f7c1e-7f5c-4c7e-9d5f-0d6f3f3f3f3f"
        for _ in 0..<2 {
            let context = fixture.context
            _ = try await fixture.service.syncIssueStatus(closed(issue, requestID: id), context: context)
            #expect(context.trailingMetadata["x-scm-sync-outcome"] == "changed")
            #expect(context.trailingMetadata["x-scm-resolution"] == "resolve_current_release")
        }
        let other = try await fixture.create(group: 8)
        var request = closed(other)
        request.projectsHaveReleases = false
        let context = fixture.context
        _ = try await fixture.service.syncIssueStatus(request, context: context)
        #expect(context.trailingMetadata["x-scm-sync-outcome"] == "changed")
        #expect(context.trailingMetadata["x-scm-resolution"] == nil)
    }

    @Test("bad settings name their field, and change nothing")
    func badValues() async throws {
        let fixture = try await IssueFixture()
        let twice = [IssueStatusMapping(project: "web"), IssueStatusMapping(project: "web")]
        let cases: [([String], IssueSettings, String)] = [
            ([], IssueSettings(), "update_mask"), (["sync_everything"], IssueSettings(), "update_mask"),
            (["organization_id"], IssueSettings(), "update_mask"),
            (["resolution_strategy"], IssueSettings(resolutionStrategy: IssueResolutionStrategy(rawValue: 9)),
                "issue_settings.resolution_strategy"),
            (
                ["sync_comments", "status_mappings"], IssueSettings(statusMappings: twice),
                "issue_settings.status_mappings"
            ),
            (
                ["status_mappings"],
                IssueSettings(statusMappings: [IssueStatusMapping(project: "a", resolvedStatus: "done")]),
                "issue_settings.status_mappings"),
            (["status_mappings"], IssueSettings(statusMappings: [IssueStatusMapping(project: "a#b")]),
                "issue_settings.status_mappings"),
            (
                ["status_mappings"],
                IssueSettings(statusMappings: (0...1000).map { IssueStatusMapping(project: "p\($0)") }),
                "issue_settings.status_mappings"),
        ]
        for (paths, settings, field) in cases {
            let error = await #expect(throws: RPCError.self) { try await update(fixture, paths, settings) }
            #expect(error?.detail(GoogleRPC.BadRequest.self)?.fieldViolations.first?.field == field)
        }
        #expect(
            try await fixture.service.getIssueSettings(GetIssueSettingsRequest(), context: fixture.context).syncComments
        )
        let reader = fixture.gateway.context(scopes: [.read])
        await expectError(.permissionDenied, "SCOPE_MISSING") {
            try await update(fixture, ["sync_comments"], IssueSettings(), context: reader)
        }
        #expect(try await fixture.service.getIssueSettings(GetIssueSettingsRequest(), context: reader).syncComments)
    }
}
