import Testing

@testable import ScmGateway

/// The cases of status synchronisation, both ways.
@Suite(.timeLimit(.minutes(5))) struct StatusSyncTests {
    struct Outbound: Sendable, CustomTestStringConvertible {
        var name: String
        var status = GroupStatus.resolved
        var isEnabled = true
        var key = "owner/repo#12"
        var mapping: StatusMapping? = StatusMapping(resolved: "closed", unresolved: "open")
        var current = "open"
        var expected: OutboundStatus
        var testDescription: String { name }
    }

    @Test(
        "outbound", arguments: [
            Outbound(name: "S1 resolved, issue open", expected: .write("closed")),
            Outbound(name: "S2 resolved, issue closed", current: "closed", expected: .done(.unchanged)),
            Outbound(name: "S3 switched off", isEnabled: false, expected: .done(.skipped(.disabled))),
            Outbound(name: "S4 no mapping", mapping: nil, expected: .done(.skipped(.noProjectMapping))),
            Outbound(name: "S5 archived", status: .archived, expected: .done(.skipped(.groupState))),
            Outbound(name: "S6 key without #", key: "owner/repo", expected: .done(.skipped(.badKey))),
            Outbound(name: "unresolved, issue closed", status: .unresolved, current: "closed", expected: .write("open"))
        ]
    )
    func outbound(_ row: Outbound) {
        let plan = OutboundStatus.plan(
            row.status, isEnabled: row.isEnabled, hasKey: IssueKey(row.key, style: .github) != nil,
            mapping: row.mapping,
            current: row.current
        )
        #expect(plan == row.expected)
    }

    struct Inbound: Sendable, CustomTestStringConvertible {
        var name: String
        var event: TrackerEvent
        var meaning: TrackerEvent.Meaning
        var groups: [GroupStatus]
        var expected: [GroupStatus?]
        var testDescription: String { name }
    }

    private static let azure = TrackerEvent.Meaning.azure(done: ["Closed", "Resolved"])

    @Test(
        "inbound", arguments: [
            Inbound(
                name: "S7 GitHub closed", event: TrackerEvent(action: "closed"), meaning: .github,
                groups: [.unresolved, .resolved], expected: [.resolved, nil]
            ),
            Inbound(
                name: "S8 GitHub reopened", event: TrackerEvent(action: "reopened"), meaning: .github,
                groups: [.resolved, .unresolved], expected: [.unresolved, nil]
            ),
            Inbound(
                name: "S9 GitHub labeled", event: TrackerEvent(action: "labeled"), meaning: .github,
                groups: [.resolved, .unresolved], expected: [nil, nil]
            ),
            Inbound(
                name: "S10 Azure Active to Closed", event: TrackerEvent(oldState: "Active", newState: "Closed"),
                meaning: azure, groups: [.unresolved], expected: [.resolved]
            ),
            Inbound(
                name: "S11 Azure Closed to Resolved", event: TrackerEvent(oldState: "Closed", newState: "Resolved"),
                meaning: azure, groups: [.unresolved, .resolved], expected: [nil, nil]
            ),
            Inbound(
                name: "S12 Azure nothing to Active", event: TrackerEvent(newState: "Active"), meaning: azure,
                groups: [.resolved], expected: [.unresolved]
            ),
            Inbound(
                name: "S14 no groups", event: TrackerEvent(action: "closed"), meaning: .github, groups: [], expected: []
            ),
            Inbound(
                name: "S15 archived group", event: TrackerEvent(action: "closed"), meaning: .github,
                groups: [.archived], expected: [nil]
            ),
            Inbound(
                name: "archived group, reopened", event: TrackerEvent(action: "reopened"), meaning: .github,
                groups: [.archived], expected: [nil]
            ),
            Inbound(
                name: "Azure between two states that are not done",
                event: TrackerEvent(oldState: "New", newState: "Active"), meaning: azure, groups: [.resolved],
                expected: [nil]
            ),
            Inbound(
                name: "GitLab close", event: TrackerEvent(action: "close"), meaning: .gitlab, groups: [.unresolved],
                expected: [.resolved]
            ),
            Inbound(
                name: "GitLab reopen", event: TrackerEvent(action: "reopen"), meaning: .gitlab, groups: [.resolved],
                expected: [.unresolved]
            ),
            Inbound(
                name: "built-in tracker by states", event: TrackerEvent(oldState: "open", newState: "closed"),
                meaning: .embedded, groups: [.unresolved], expected: [.resolved]
            ),
        ]
    )
    func inbound(_ row: Inbound) {
        let effect = row.event.effect(row.meaning)
        #expect(row.groups.map { effect.status(after: $0) } == row.expected)
    }

    @Test("S13 a release strategy needs releases in every project")
    func strategies() {
        #expect(ResolutionStrategy.nextRelease.applied(everyProjectHasRelease: false) == .plain)
        #expect(ResolutionStrategy.nextRelease.applied(everyProjectHasRelease: true) == .nextRelease)
        #expect(ResolutionStrategy.currentRelease.applied(everyProjectHasRelease: true) == .currentRelease)
    }

    @Test func whatComesInNeverGoesOutAgain() {
        for status in [GroupStatus.resolved, .unresolved] {
            let state = status == .resolved ? "closed" : "open"
            let plan = OutboundStatus.plan(status, isEnabled: true, hasKey: true, mapping: .embedded, current: state)
            #expect(plan == .done(.unchanged))
        }
    }

    @Test func outcomesAsMetadata() {
        let outcomes: [SyncOutcome] = [
            .changed, .unchanged, .skipped(.disabled), .skipped(.groupState), .skipped(.badKey),
            .skipped(.noProjectMapping), .skipped(.notLinked),
        ]
        #expect(outcomes.map(\.text) == [
            "changed", "unchanged", "skipped:disabled", "skipped:group_state", "skipped:bad_key",
            "skipped:no_project_mapping", "skipped:not_linked",
        ])
    }
}

@Suite(.timeLimit(.minutes(5))) struct IssueTextTests {
    @Test("keys, names for people and pages", arguments: [
        (IssueKey.Style.github, "o/r#12", "https://h", "o/r#12", "https://h/o/r/issues/12"),
        (.gitlab, "h/g:a/b#3", "https://h", "a/b#3", "https://h/a/b/-/issues/3"),
        (.bitbucket, "w/s#1", "https://bitbucket.org", "w/s#1", "https://bitbucket.org/w/s/issues/1"),
        (.azure, "77", "https://h/o", "#77", "https://h/o/_workitems/edit/77"),
        (.embedded, "my project#9", "", "my project#9", ""),
    ])
    func keys(style: IssueKey.Style, text: String, base: String, name: String, url: String) throws {
        let key = try #require(IssueKey(text, style: style))
        #expect(key.text == text && key.displayName() == name && key.webURL(base: base) == url)
    }

    @Test("a GitLab project may hold a colon, its domain not")
    func colons() throws {
        let key = try #require(IssueKey("h/g:a:b#3", style: .gitlab))
        #expect(key.domain == "h/g" && key.container == "a:b")
        #expect(IssueKey("77", style: .azure)?.displayName(area: "Team\\Web") == "Team\\Web#77")
    }

    @Test(arguments: [
        "", "#", "#1", "a", "a#", "a#0", "a#01", "a#-1", "a#+1", "a#1#2", "a##1", "a#1 ", "a# 1", "a#\u{661}",
        "a#1\u{301}",
        "a#9223372036854775808", "a#1\u{0}", String(repeating: "a", count: 255) + "#1",
    ])
    func badKeys(text: String) {
        for style in [IssueKey.Style.github, .embedded, .gitlab, .azure] {
            #expect(IssueKey(text, style: style) == nil)
        }
        #expect(IssueKey(":\(text)", style: .gitlab) == nil)
    }

    @Test func namesOfPeople() {
        #expect(TrackerName.normal("@Octo") == "octo")
        #expect(TrackerName.normal("Jane Doe <Jane@Example.org>") == "jane@example.org")
        #expect(TrackerName.normal("") == "" && TrackerName.normal("@") == "" && TrackerName.normal("<>") == "")
    }

    @Test func commentsQuoteTheirWriter() {
        #expect(CommentText.quoted("a\n\nb", author: "Jane") == "**Jane** wrote:\n\n> a\n>\n> b")
        #expect(CommentText.quoted("a", author: "") == "a")
    }
}
