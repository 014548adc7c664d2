import FrameCodec
import Foundation
import RPC
import ScmAPI
import SiloRPC
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct IssueSyncServiceTests {
    private func inbound(_ id: Int64, _ action: String, requestID: String = "") -> SyncIssueStatusRequest {
        SyncIssueStatusRequest(
            externalIssueID: id, direction: .inbound, providerEvent: ["action": action], requestID: requestID
        )
    }

    @Test("out: the group's state reaches the tracker once")
    func outbound() async throws {
        let fixture = try await IssueFixture()
        let issue = try await fixture.create(group: 7)
        var request = SyncIssueStatusRequest(
            externalIssueID: issue.id, direction: .outbound, groupID: 7, resolved: true)
        #expect(try await fixture.sync(request) == "changed")
        #expect(try await fixture.get(issue.id).state == .closed)
        #expect(try await fixture.sync(request) == "unchanged")
        // What the caller said of the group is kept.
        request.resolved = nil
        #expect(try await fixture.sync(request) == "unchanged")
        request.resolved = false
        #expect(try await fixture.sync(request) == "changed")
        #expect(try await fixture.get(issue.id).state == .open)
        request.groupID = 8
        #expect(try await fixture.sync(request) == "skipped:not_linked")
        let without = SyncIssueStatusRequest(externalIssueID: issue.id, direction: .outbound, resolved: true)
        #expect(try await fixture.sync(without) == "changed")
    }

    @Test("S5, S15: an archived group neither goes out nor comes in")
    func archived() async throws {
        let fixture = try await IssueFixture()
        let issue = try await fixture.create(group: 7)
        let organizationID = fixture.gateway.first
        try await fixture.gateway.database.write {
            try IssueLinkRows.setStatus(.archived, groupID: 7, organizationID: organizationID, $0)
        }
        let out = SyncIssueStatusRequest(externalIssueID: issue.id, direction: .outbound, groupID: 7)
        #expect(try await fixture.sync(out) == "skipped:group_state")
        #expect(try await fixture.sync(inbound(issue.id, "closed")) == "unchanged")
        #expect(try await fixture.status(7) == .archived)
    }

    @Test("in: all groups follow, other issues of theirs too, the issue itself never")
    func inboundPassesOn() async throws {
        let fixture = try await IssueFixture()
        let first = try await fixture.create("first", group: 7)
        _ = try await fixture.link(first.key, group: 8)
        let other = try await fixture.create("other", group: 7)
        #expect(try await fixture.sync(inbound(first.id, "closed")) == "changed")
        #expect(try await fixture.status(7) == .resolved)
        #expect(try await fixture.status(8) == .resolved)
        #expect(try await fixture.get(other.id).state == .closed)
        // The tracker's own word on the first issue stands.
        #expect(try await fixture.get(first.id).state == .open)
        #expect(try await fixture.sync(inbound(first.id, "closed")) == "unchanged")
        #expect(try await fixture.sync(inbound(first.id, "labeled")) == "unchanged")
        #expect(try await fixture.sync(inbound(other.id, "reopened")) == "changed")
        #expect(try await fixture.status(7) == .unresolved)
        #expect(try await fixture.status(8) == .resolved)
    }

    @Test("S14: an issue without groups changes nothing")
    func noGroups() async throws {
        let fixture = try await IssueFixture()
        let issue = try await fixture.create()
        #expect(try await fixture.sync(inbound(issue.id, "closed")) == "unchanged")
    }

    @Test("the same request again tells the same outcome")
    func requestIDs() async throws {
        let fixture = try await IssueFixture()
        let issue = try await fixture.create(group: 7)
        let id = UUID().uuidString
        #expect(try await fixture.sync(inbound(issue.id, "closed", requestID: id)) == "changed")
        #expect(try await fixture.sync(inbound(issue.id, "closed", requestID: id)) == "changed")
        await expectError(.invalidArgument, "BAD_REQUEST", field: "request_id") {
            try await fixture.sync(inbound(issue.id, "reopened", requestID: id))
        }
        #expect(try await fixture.status(7) == .resolved)
    }

    @Test("assignees in both directions")
    func assignees() async throws {
        let fixture = try await IssueFixture()
        let issue = try await fixture.create(group: 7)
        func sync(_ direction: SyncDirection, _ user: String) async throws -> String? {
            let context = fixture.context
            _ = try await fixture.service.syncIssueAssignee(
                SyncIssueAssigneeRequest(externalIssueID: issue.id, direction: direction, user: user), context: context
            )
            return context.trailingMetadata["x-scm-sync-outcome"]
        }
        #expect(try await sync(.outbound, "@Octo") == "changed")
        #expect(try await fixture.get(issue.id).assignee == "octo")
        #expect(try await sync(.outbound, "octo") == "unchanged")
        #expect(try await sync(.outbound, "") == "changed")
        #expect(try await fixture.get(issue.id).assignee == "")
        #expect(try await sync(.inbound, "Jane <Jane@example.org>") == "changed")
        #expect(try await sync(.inbound, "jane@example.org") == "unchanged")
        #expect(try await sync(.inbound, "") == "changed")
    }
}

/// What the issue methods refuse, and whom.
@Suite(.timeLimit(.minutes(5))) struct IssueBoundaryTests {
    @Test("bad values name their field")
    func badValues() async throws {
        let fixture = try await IssueFixture()
        let long = String(repeating: "x", count: 256)
        let bad: [(String, (inout CreateExternalIssueRequest) -> Void)] = [
            ("title", { $0.title = "" }), ("title", { $0.title = long }), ("title", { $0.title = "a\u{0}" }),
            ("title", { $0.title = "a\nb" }), ("project", { $0.project = "" }), ("project", { $0.project = "a#b" }),
            ("project", { $0.project = "a\u{0}" }), ("project", { $0.project = long }),
            ("description", { $0.description = "\u{0}" }),
            ("description", { $0.description = String(repeating: "x", count: 65_537) }),
            ("labels", { $0.labels = ["a", "a"] }), ("labels", { $0.labels = [""] }),
            ("labels", { $0.labels = Array(repeating: "a", count: 101) }), ("labels", { $0.labels = ["\u{0}"] }),
            ("assignee", { $0.assignee = "a\r\nb" }), ("extra", { $0.extra = ["other": "x"] }),
            ("extra", { $0.extra = ["priority": "\u{0}"] }), ("group_id", { $0.groupID = -1 }),
        ]
        for (field, change) in bad {
            await expectError(.invalidArgument, "BAD_REQUEST", field: field) {
                try await fixture.create(change: change)
            }
        }
        await expectError(.notFound, "INTEGRATION_NOT_FOUND") { try await fixture.create { $0.integrationID = 5 } }
        #expect(try await fixture.issueCount() == 0)
        for key in ["", "web", "web#", "web#0", "web#1#1", "#1", "web#1\u{0}", "we\u{0}b#1"] {
            await expectError(.invalidArgument, "BAD_REQUEST") { try await fixture.link(key, group: 7) }
        }
    }

    @Test("bad values of changes, comments, searches and synchronisations name their field")
    func badChanges() async throws {
        let fixture = try await IssueFixture()
        let (service, context) = (fixture.service, fixture.context)
        let id = try await fixture.create(group: 7).id
        func update(_ paths: [String], _ issue: ExternalIssue) async throws -> ExternalIssue {
            try await service.updateExternalIssue(
                UpdateExternalIssueRequest(externalIssue: issue, updateMask: Protobuf.FieldMask(paths: paths)),
                context: context
            )
        }
        await expectError(.invalidArgument, field: "update_mask") { try await update([], ExternalIssue(id: id)) }
        await expectError(.invalidArgument, field: "update_mask") { try await update(["key"], ExternalIssue(id: id)) }
        await expectError(.invalidArgument, field: "external_issue.title") {
            try await update(["title"], ExternalIssue(id: id))
        }
        await expectError(.invalidArgument, field: "external_issue.state") {
            try await update(["state"], ExternalIssue(id: id))
        }
        await expectError(.invalidArgument, field: "external_issue.id") {
            try await update(["state"], ExternalIssue(state: .open))
        }
        await expectError(.invalidArgument, field: "body") {
            try await service.createIssueComment(CreateIssueCommentRequest(externalIssueID: id), context: context)
        }
        await expectError(.invalidArgument, field: "query") {
            try await service.searchIssues(SearchIssuesRequest(query: "\u{0}"), context: context)
        }
        await expectError(.invalidArgument, field: "state") {
            try await service.listExternalIssues(
                ListExternalIssuesRequest(state: IssueState(rawValue: 9)), context: context)
        }
        let syncs: [(String, SyncIssueStatusRequest)] = [
            ("direction", SyncIssueStatusRequest(externalIssueID: id)),
            ("group_id", SyncIssueStatusRequest(externalIssueID: id, direction: .outbound)),
            ("provider_event", SyncIssueStatusRequest(externalIssueID: id, direction: .inbound)),
            ("external_issue_id", SyncIssueStatusRequest(direction: .inbound, providerEvent: ["action": "closed"])),
        ]
        for (field, request) in syncs {
            await expectError(.invalidArgument, field: field) { try await fixture.sync(request) }
        }
    }

    @Test("another organization's issue does not exist, and keys do not collide")
    func tenancy() async throws {
        let fixture = try await IssueFixture()
        let (service, stranger) = (fixture.service, fixture.stranger)
        let issue = try await fixture.create("secret", group: 7)
        let comment = try await service.createIssueComment(
            CreateIssueCommentRequest(externalIssueID: issue.id, body: "c"), context: fixture.context
        )
        let calls: [() async throws -> Void] = [
            {
                _ = try await service.getExternalIssue(
                    GetExternalIssueRequest(externalIssueID: issue.id), context: stranger)
            },
            { _ = try await service.getExternalIssue(GetExternalIssueRequest(key: issue.key), context: stranger) },
            {
                _ = try await service.updateExternalIssue(
                    UpdateExternalIssueRequest(
                        externalIssue: ExternalIssue(id: issue.id, title: "x"),
                        updateMask: Protobuf.FieldMask(paths: ["title"])
                    ), context: stranger
                )
            },
            {
                _ = try await service.linkExternalIssue(
                    LinkExternalIssueRequest(groupID: 1, externalKey: issue.key), context: stranger
                )
            },
            {
                _ = try await service.unlinkExternalIssue(
                    UnlinkExternalIssueRequest(externalIssueID: issue.id, groupID: 7), context: stranger
                )
            },
            {
                _ = try await service.createIssueComment(
                    CreateIssueCommentRequest(externalIssueID: issue.id, body: "x"), context: stranger
                )
            },
            {
                _ = try await service.updateIssueComment(
                    UpdateIssueCommentRequest(externalIssueID: issue.id, commentID: comment.id, body: "x"),
                    context: stranger
                )
            },
            {
                _ = try await service.listIssueComments(
                    ListIssueCommentsRequest(externalIssueID: issue.id), context: stranger
                )
            },
            { _ = try await service.syncIssueStatus(self.resolve(issue.id), context: stranger) },
            {
                _ = try await service.syncIssueAssignee(
                    SyncIssueAssigneeRequest(externalIssueID: issue.id, direction: .inbound), context: stranger
                )
            },
        ]
        for call in calls { await expectError(.notFound, "ISSUE_NOT_FOUND") { try await call() } }
        let found = try await service.searchIssues(SearchIssuesRequest(query: "secret"), context: stranger)
        let listed = try await service.listExternalIssues(ListExternalIssuesRequest(groupID: 7), context: stranger)
        #expect(found.results.isEmpty && listed.externalIssues.isEmpty)
        let own = try await service.createExternalIssue(
            CreateExternalIssueRequest(groupID: 7, project: "web", title: "mine"), context: stranger
        )
        #expect(own.key == issue.key && own.id != issue.id)
        _ = try await service.syncIssueStatus(resolve(own.id), context: stranger)
        #expect(try await fixture.status(7) == .unresolved)
        #expect(try await fixture.get(issue.id).title == "secret")
    }

    private func resolve(_ id: Int64) -> SyncIssueStatusRequest {
        SyncIssueStatusRequest(externalIssueID: id, direction: .inbound, providerEvent: ["action": "closed"])
    }

    @Test("reading needs scm:read, changing scm:issues")
    func scopes() async throws {
        let fixture = try await IssueFixture()
        let issue = try await fixture.create(group: 7)
        let reader = fixture.gateway.context(scopes: [.read, .write])
        let writer = fixture.gateway.context(scopes: [.issues])
        _ = try await fixture.service.getExternalIssue(
            GetExternalIssueRequest(externalIssueID: issue.id), context: reader)
        await expectError(.permissionDenied, "SCOPE_MISSING") {
            try await fixture.service.createExternalIssue(CreateExternalIssueRequest(), context: reader)
        }
        await expectError(.permissionDenied, "SCOPE_MISSING") {
            try await fixture.service.syncIssueStatus(resolve(issue.id), context: reader)
        }
        await expectError(.permissionDenied, "SCOPE_MISSING") {
            try await fixture.service.listExternalIssues(ListExternalIssuesRequest(), context: writer)
        }
        _ = try await fixture.service.syncIssueStatus(resolve(issue.id), context: writer)
    }
}
