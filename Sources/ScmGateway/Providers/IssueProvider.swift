/// An issue as its tracker has it.
struct TrackerIssue: Sendable {
    var key: IssueKey
    var title: String
    var description: String
    var isClosed: Bool
    var assignee: String
    var labels: [String]
    /// Facts of the tracker.
    var metadata: [String: String]
    var webURL: String
    /// The tracker's own word for the state, as a ``StatusMapping`` has it.
    var stateName: String
}

/// What a new issue is made of; checked by the caller.
struct IssueDraft: Sendable {
    var project: String
    var title: String
    var description: String
    var labels: [String]
    var assignee: String
    var extra: [String: String]
}

/// What becomes of an issue; nil leaves a field as it is.
struct IssueChange: Sendable {
    var title: String?
    var description: String?
    var isClosed: Bool?
    var assignee: String?
    var labels: [String]?
}

struct IssueSearch: Sendable {
    var project = ""
    var text = ""
    var isClosed: Bool?
}

/// Where a search goes on: newest first, then by key.
struct IssueSearchPlace: Sendable {
    /// Milliseconds since 1970 UTC.
    var updatedAt: Int64
    /// The tracker's own id of the last issue.
    var id: Int64
}

struct FoundIssue: Sendable {
    var place: IssueSearchPlace
    var issue: TrackerIssue
}

struct TrackerComment: Sendable {
    var id: Int64
    var body: String
    var author: String
    /// Milliseconds since 1970 UTC.
    var createdAt: Int64
    var updatedAt: Int64
}

/// A tracker of one organization, one protocol for each thing it may be able to do; a handler asks for the capability
/// it needs. Methods throw `RPCError`, NOT_FOUND (ISSUE_NOT_FOUND) for an issue that the tracker does not have.
protocol IssueProvider: Sendable {
    var keyStyle: IssueKey.Style { get }
    /// How its events are read.
    var inbound: TrackerEvent.Meaning { get }
    /// The names of its states; nil when it does not say.
    var states: Set<String>? { get }
    /// Its own mapping, where the organization's settings have none; nil for a project whose states mean nothing to us.
    func statusMapping(project: String) async throws -> StatusMapping?
    /// - Parameter memory: the same request again gives the issue that the first made; nil makes one each time.
    func create(_ draft: IssueDraft, memory: IdempotentRequest?) async throws -> TrackerIssue
    func issue(_ key: IssueKey) async throws -> TrackerIssue
    func update(_ key: IssueKey, _ change: IssueChange) async throws -> TrackerIssue
    /// Moves the issue to a state by the tracker's own name of it.
    func setState(_ key: IssueKey, _ name: String) async throws -> TrackerIssue
}

protocol IssueSearchProvider: Sendable {
    func search(_ search: IssueSearch, after place: IssueSearchPlace?, limit: Int) async throws -> [FoundIssue]
}

protocol IssueCommentProvider: Sendable {
    /// Oldest first, then by id.
    func comments(
        _ key: IssueKey, after place: (createdAt: Int64, id: Int64)?, limit: Int
    ) async throws -> [TrackerComment]
    /// - Parameter memory: as with ``IssueProvider/create(_:memory:)``.
    func addComment(
        _ key: IssueKey, _ body: String, author: String, memory: IdempotentRequest?
    ) async throws -> TrackerComment
    func updateComment(_ key: IssueKey, id: String, _ body: String) async throws -> TrackerComment
}
