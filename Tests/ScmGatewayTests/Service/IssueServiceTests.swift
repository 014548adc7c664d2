import FrameCodec
import Foundation
import RPC
import ScmAPI
import SiloRPC
import Testing

@testable import ScmGateway

/// The built-in tracker over a real database.
struct IssueFixture {
    let gateway: Gateway
    var service: ScmGatewayService { gateway.service }
    var context: CallContext { gateway.context() }
    var stranger: CallContext { gateway.context(organizationID: gateway.second) }

    init() async throws { gateway = try await Gateway() }

    func create(
        _ title: String = "broken", group: Int64 = 0, project: String = "web", requestID: String = "",
        change: (inout CreateExternalIssueRequest) -> Void = { _ in }
    ) async throws -> ExternalIssue {
        var request = CreateExternalIssueRequest(groupID: group, project: project, title: title, requestID: requestID)
        change(&request)
        return try await service.createExternalIssue(request, context: context)
    }

    func link(_ key: String, group: Int64, comment: String = "", requestID: String = "") async throws -> ExternalIssue {
        try await service.linkExternalIssue(
            LinkExternalIssueRequest(groupID: group, externalKey: key, comment: comment, requestID: requestID),
            context: context
        )
    }

    func get(_ id: Int64) async throws -> ExternalIssue {
        try await service.getExternalIssue(
            GetExternalIssueRequest(externalIssueID: id, refresh: true), context: context)
    }

    /// The outcome in the trailing metadata.
    func sync(_ request: SyncIssueStatusRequest) async throws -> String? {
        let context = self.context
        _ = try await service.syncIssueStatus(request, context: context)
        return context.trailingMetadata["x-scm-sync-outcome"]
    }

    func status(_ group: Int64) async throws -> GroupStatus? {
        let organizationID = gateway.first
        return try await gateway.database.read {
            try IssueLinkRows.status(groupID: group, organizationID: organizationID, $0)
        }
    }

    func issueCount() async throws -> Int64? {
        try await gateway.database.read {
            try $0.row("SELECT COUNT(*) AS count FROM tracker_issues")?.integer("count")
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct IssueServiceTests {
    @Test("an issue is made, read, changed and unlinked; the tracker keeps it")
    func life() async throws {
        let fixture = try await IssueFixture()
        let (service, context) = (fixture.service, fixture.context)
        let made = try await fixture.create(group: 7) {
            ($0.description, $0.labels, $0.assignee, $0.extra) = (
                "it **is**", ["bug", "a"], "@Octo", ["priority": "high"]
            )
        }
        #expect(made.key == "web#1" && made.displayName == "web#1" && made.title == "broken")
        #expect(made.description == "it **is**" && made.labels == ["bug", "a"] && made.assignee == "octo")
        #expect(made.metadata == ["priority": "high"] && made.state == .open && made.linkedGroupIDs == [7])
        #expect(made.organizationID == fixture.gateway.first && made.dateAdded != nil)
        let byKey = try await service.getExternalIssue(GetExternalIssueRequest(key: "web#1"), context: context)
        #expect(byKey == made)
        let update = UpdateExternalIssueRequest(
            externalIssue: ExternalIssue(id: made.id, title: "new", description: "ignored", state: .closed, labels: []),
            updateMask: Protobuf.FieldMask(paths: ["title", "state", "labels"])
        )
        let changed = try await service.updateExternalIssue(update, context: context)
        #expect(changed.title == "new" && changed.description == "it **is**" && changed.state == .closed)
        #expect(changed.labels.isEmpty && changed.assignee == "octo" && changed.linkedGroupIDs == [7])
        let unlink = UnlinkExternalIssueRequest(externalIssueID: made.id, groupID: 7)
        _ = try await service.unlinkExternalIssue(unlink, context: context)
        await expectError(.notFound, "ISSUE_NOT_FOUND") { try await fixture.get(made.id) }
        _ = try await service.unlinkExternalIssue(unlink, context: context)
        try await fixture.gateway.letADayPass()
        await expectError(.notFound, "ISSUE_NOT_FOUND") {
            try await service.unlinkExternalIssue(unlink, context: context)
        }
        let again = try await fixture.link("web#1", group: 8)
        #expect(again.title == "new" && again.state == .closed && again.linkedGroupIDs == [8] && again.id != made.id)
    }

    @Test("numbers count per project, and a repository's project is its name")
    func projects() async throws {
        let fixture = try await IssueFixture()
        let repository = try TestRepository()
        try repository.commit("first", ["a": "x\n"])
        let id = try await fixture.gateway.add(repository)
        #expect(try await fixture.create(project: "a").key == "a#1")
        #expect(try await fixture.create(project: "b").key == "b#1")
        #expect(try await fixture.create(project: "a").key == "a#2")
        let ofRepository = try await fixture.create(project: "") { $0.repositoryID = id }
        #expect(ofRepository.key.hasSuffix("#1") && ofRepository.key.count > 2)
        await expectError(.invalidArgument, "BAD_REQUEST", field: "project") {
            try await fixture.create(project: "a") { $0.repositoryID = id }
        }
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await fixture.create(project: "") { $0.repositoryID = 99 }
        }
    }

    @Test("a link is unique per group and issue; groups and issues may have many")
    func links() async throws {
        let fixture = try await IssueFixture()
        let made = try await fixture.create(group: 7)
        await expectError(.alreadyExists, "ALREADY_LINKED") { try await fixture.link("web#1", group: 7) }
        let both = try await fixture.service.linkExternalIssue(
            LinkExternalIssueRequest(groupID: 3, project: "web", issueNumber: "1", comment: "see"),
            context: fixture.context
        )
        #expect(both.id == made.id && both.linkedGroupIDs == [3, 7])
        let comments = try await fixture.service.listIssueComments(
            ListIssueCommentsRequest(externalIssueID: made.id), context: fixture.context
        )
        #expect(comments.comments.map(\.body) == ["see"] && comments.comments.map(\.author) == ["key-1"])
        await expectError(.notFound, "ISSUE_NOT_FOUND") { try await fixture.link("web#2", group: 7) }
        _ = try await fixture.service.unlinkExternalIssue(
            UnlinkExternalIssueRequest(externalIssueID: made.id, groupID: 7), context: fixture.context
        )
        #expect(try await fixture.get(made.id).linkedGroupIDs == [3])
    }

    @Test("a comment that cannot be posted is a warning, and the link stays")
    func commentFails() async throws {
        let fixture = try await IssueFixture()
        _ = try await fixture.create()
        try await fixture.gateway.database.write {
            _ = try $0.execute(
                "CREATE TRIGGER broken BEFORE INSERT ON tracker_comments BEGIN SELECT RAISE(ABORT, 'broken'); END"
            )
        }
        let context = fixture.context
        let linked = try await fixture.service.linkExternalIssue(
            LinkExternalIssueRequest(groupID: 7, externalKey: "web#1", comment: "see"), context: context
        )
        #expect(linked.linkedGroupIDs == [7])
        #expect(context.trailingMetadata["x-scm-warning"] == "the comment could not be posted")
    }

    @Test("when only the link fails the issue stays, is named, and the same request goes on")
    func partialFailure() async throws {
        let fixture = try await IssueFixture()
        let id = UUID().uuidString
        try await fixture.gateway.database.write {
            _ = try $0.execute(
                "CREATE TRIGGER broken BEFORE INSERT ON issue_links BEGIN SELECT RAISE(ABORT, 'broken'); END"
            )
        }
        var named: String?
        do {
            _ = try await fixture.create(group: 7, requestID: id)
            Issue.record("no error")
        } catch let error as RPCError {
            #expect(error.code == .unavailable)
            named = error.detail(GoogleRPC.ErrorInfo.self)?.metadata["externalIssueId"]
        }
        let known = try #require(named.flatMap { Int64($0) })
        #expect(try await fixture.get(known).linkedGroupIDs == [])
        try await fixture.gateway.database.write { _ = try $0.execute("DROP TRIGGER broken") }
        let again = try await fixture.create(group: 7, requestID: id)
        #expect(again.id == known && again.linkedGroupIDs == [7])
        #expect(try await fixture.issueCount() == 1)
    }

    @Test("one request id makes one issue, one link and one comment, also at the same time")
    func requestIDs() async throws {
        let fixture = try await IssueFixture()
        let id = UUID().uuidString
        let answers = try await withThrowingTaskGroup(of: ExternalIssue.self) { group in
            for _ in 0..<8 { group.addTask { try await fixture.create(group: 7, requestID: id) } }
            return try await group.reduce(into: [ExternalIssue]()) { $0.append($1) }
        }
        #expect(Set(answers.map(\.id)).count == 1 && answers.allSatisfy { $0.linkedGroupIDs == [7] })
        #expect(try await fixture.issueCount() == 1)
        await expectError(.invalidArgument, "BAD_REQUEST", field: "request_id") {
            try await fixture.create("other", group: 7, requestID: id)
        }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "request_id") {
            try await fixture.create(requestID: "no uuid")
        }
        let first = try await fixture.link("web#1", group: 8, comment: "c", requestID: id)
        #expect(try await fixture.link("web#1", group: 8, comment: "c", requestID: id) == first)
        let comment = CreateIssueCommentRequest(externalIssueID: first.id, body: "d", requestID: id)
        let once = try await fixture.service.createIssueComment(comment, context: fixture.context)
        #expect(try await fixture.service.createIssueComment(comment, context: fixture.context) == once)
        let list = try await fixture.service.listIssueComments(
            ListIssueCommentsRequest(externalIssueID: first.id), context: fixture.context
        )
        #expect(list.comments.map(\.body) == ["c", "d"])
    }

    @Test("many creates at once get different numbers")
    func manyAtOnce() async throws {
        let fixture = try await IssueFixture()
        let keys = try await withThrowingTaskGroup(of: String.self) { group in
            for number in 0..<20 { group.addTask { try await fixture.create("issue \(number)").key } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(keys == Set((1...20).map { "web#\($0)" }))
    }

    @Test("comments are added, quoted, changed and listed in pages")
    func comments() async throws {
        let fixture = try await IssueFixture()
        let (service, context) = (fixture.service, fixture.context)
        let issue = try await fixture.create()
        for number in 0..<5 {
            _ = try await service.createIssueComment(
                CreateIssueCommentRequest(externalIssueID: issue.id, body: "c\(number)"), context: context
            )
        }
        let quoted = try await service.createIssueComment(
            CreateIssueCommentRequest(externalIssueID: issue.id, body: "hello", authorName: "Jane"), context: context
        )
        #expect(quoted.body == "**Jane** wrote:\n\n> hello" && quoted.externalIssueID == issue.id)
        let changed = try await service.updateIssueComment(
            UpdateIssueCommentRequest(externalIssueID: issue.id, commentID: quoted.id, body: "bye"), context: context
        )
        #expect(changed.id == quoted.id && changed.body == "bye")
        var bodies: [String] = []
        var request = ListIssueCommentsRequest(externalIssueID: issue.id, pageSize: 2)
        repeat {
            let page = try await service.listIssueComments(request, context: context)
            bodies += page.comments.map(\.body)
            request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        #expect(bodies == ["c0", "c1", "c2", "c3", "c4", "bye"])
        let other = try await fixture.create()
        await expectError(.notFound, "ISSUE_NOT_FOUND") {
            try await service.updateIssueComment(
                UpdateIssueCommentRequest(externalIssueID: other.id, commentID: quoted.id, body: "x"), context: context
            )
        }
    }

    @Test("a page of long comments is cut before it outgrows a message")
    func longComments() async throws {
        let fixture = try await IssueFixture()
        let issue = try await fixture.create()
        let long = String(repeating: "\u{1F41B}", count: 65_536)
        for _ in 0..<10 {
            _ = try await fixture.service.createIssueComment(
                CreateIssueCommentRequest(externalIssueID: issue.id, body: long), context: fixture.context
            )
        }
        var request = ListIssueCommentsRequest(externalIssueID: issue.id, pageSize: 100)
        var (count, pages) = (0, 0)
        repeat {
            let page = try await fixture.service.listIssueComments(request, context: fixture.context)
            #expect(page.serializedBytes().count < 4 * 1024 * 1024)
            count += page.comments.count
            pages += 1
            request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        #expect(count == 10 && pages > 1)
    }

    @Test("lists and searches are walked whole, each issue once")
    func pages() async throws {
        let fixture = try await IssueFixture()
        let (service, context) = (fixture.service, fixture.context)
        for number in 1...7 { _ = try await fixture.create("Title \(number)", group: number > 4 ? 9 : 0) }
        _ = try await fixture.create("100% sure", project: "other")
        for size: Int32 in [1, 2, 3, 50] {
            var list = ListExternalIssuesRequest(pageSize: size)
            var ids: [Int64] = []
            repeat {
                let page = try await service.listExternalIssues(list, context: context)
                ids += page.externalIssues.map(\.id)
                list.pageToken = page.nextPageToken
            } while !list.pageToken.isEmpty
            #expect(ids == ids.sorted() && ids.count == 8 && Set(ids).count == 8)
            var search = SearchIssuesRequest(project: "web", pageSize: size)
            var hits: [IssueHit] = []
            repeat {
                let page = try await service.searchIssues(search, context: context)
                hits += page.results
                search.pageToken = page.nextPageToken
            } while !search.pageToken.isEmpty
            #expect(Set(hits.map(\.key)).count == 7 && hits.count == 7)
            #expect(hits.allSatisfy { $0.externalIssueID > 0 && $0.project == "web" })
        }
        let ofGroup = try await service.listExternalIssues(ListExternalIssuesRequest(groupID: 9), context: context)
        #expect(ofGroup.externalIssues.map(\.title) == ["Title 5", "Title 6", "Title 7"])
        func search(_ text: String, _ state: IssueState = .unspecified) async throws -> [String] {
            try await service.searchIssues(SearchIssuesRequest(query: text, state: state), context: context).results
                .map(\.key)
        }
        #expect(try await search("title 3") == ["web#3"])
        #expect(try await search("WEB#3") == ["web#3"])
        #expect(try await search("%") == ["other#1"])
        #expect(try await search("", .closed) == [])
        await expectError(.invalidArgument, "BAD_REQUEST", field: "page_token") {
            let page = try await service.searchIssues(SearchIssuesRequest(pageSize: 1), context: context)
            return try await service.searchIssues(
                SearchIssuesRequest(query: "x", pageSize: 1, pageToken: page.nextPageToken), context: context
            )
        }
    }
}
