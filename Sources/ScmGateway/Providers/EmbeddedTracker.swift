import FrameCodec
import RPC
import ScmAPI
import Storage

/// The built-in tracker of one organization: issues and comments in the server's own database. Names of people are
/// lower-case, without `@`.
struct EmbeddedTracker: IssueProvider, IssueSearchProvider, IssueCommentProvider {
    let service: ScmGatewayService
    let organizationID: Int64

    var keyStyle: IssueKey.Style { .embedded }
    var inbound: TrackerEvent.Meaning { .embedded }
    var states: Set<String>? { [StatusMapping.embedded.resolved, StatusMapping.embedded.unresolved] }

    func statusMapping(project: String) async throws -> StatusMapping? { .embedded }

    func create(_ draft: IssueDraft, memory: IdempotentRequest?) async throws -> TrackerIssue {
        var draft = draft
        draft.assignee = TrackerName.normal(draft.assignee)
        // The memory holds the key only: what the issue has become meanwhile is read.
        let made = try await service.once(memory) { [draft] transaction in
            guard let issue = try TrackerRows.insert(draft, organizationID: organizationID, transaction) else {
                throw Self.notFound
            }
            return ExternalIssue(key: issue.key.text)
        }
        guard let key = IssueKey(made.key, style: .embedded) else { throw Self.notFound }
        return try await issue(key)
    }

    func issue(_ key: IssueKey) async throws -> TrackerIssue {
        let found = try await service.mappingStorageErrors {
            try await service.database.read { try TrackerRows.find(key, organizationID: organizationID, $0) }
        }
        guard let found else { throw Self.notFound }
        return found
    }

    func update(_ key: IssueKey, _ change: IssueChange) async throws -> TrackerIssue {
        var change = change
        change.assignee = change.assignee.map(TrackerName.normal)
        let found = try await service.mappingStorageErrors { [change] in
            try await service.database.write {
                try TrackerRows.update(key, change, organizationID: organizationID, $0)
            }
        }
        guard let found else { throw Self.notFound }
        return found
    }

    func setState(_ key: IssueKey, _ name: String) async throws -> TrackerIssue {
        try await update(key, IssueChange(isClosed: name == StatusMapping.embedded.resolved))
    }

    func search(_ search: IssueSearch, after place: IssueSearchPlace?, limit: Int) async throws -> [FoundIssue] {
        try await service.mappingStorageErrors {
            try await service.database.read {
                try TrackerRows.search(search, after: place, limit: limit, organizationID: organizationID, $0)
            }
        }
    }

    func comments(
        _ key: IssueKey, after place: (createdAt: Int64, id: Int64)?, limit: Int
    ) async throws -> [TrackerComment] {
        try await service.mappingStorageErrors {
            try await service.database.read {
                try TrackerCommentRows.list(key, after: place, limit: limit, organizationID: organizationID, $0)
            }
        }
    }

    func addComment(
        _ key: IssueKey, _ body: String, author: String, memory: IdempotentRequest?
    ) async throws -> TrackerComment {
        let made = try await service.once(memory) { transaction in
            guard try TrackerRows.find(key, organizationID: organizationID, transaction.reading) != nil,
                let comment = try TrackerCommentRows.insert(
                    key, body, author: author, organizationID: organizationID, transaction
                )
            else { throw Self.notFound }
            return IssueComment(comment)
        }
        return TrackerComment(made)
    }

    func updateComment(_ key: IssueKey, id: String, _ body: String) async throws -> TrackerComment {
        guard let number = IssueKey.number(id[...].utf8) else { throw Self.notFound }
        let found = try await service.mappingStorageErrors {
            try await service.database.write {
                try TrackerCommentRows.update(key, id: number, body, organizationID: organizationID, $0)
            }
        }
        guard let found else { throw Self.notFound }
        return found
    }

    private static var notFound: RPCError { ScmGatewayService.issueNotFound }
}

extension IssueComment {
    init(_ comment: TrackerComment) {
        self.init(
            id: "\(comment.id)", body: comment.body, author: comment.author,
            dateAdded: .init(millisecondsSinceEpoch: comment.createdAt),
            dateUpdated: .init(millisecondsSinceEpoch: comment.updatedAt)
        )
    }
}

extension TrackerComment {
    fileprivate init(_ comment: IssueComment) {
        func milliseconds(_ time: Protobuf.Timestamp?) -> Int64 {
            time.map { $0.seconds &* 1000 &+ Int64($0.nanos) / 1_000_000 } ?? 0
        }
        self.init(
            id: Int64(comment.id) ?? 0, body: comment.body, author: comment.author,
            createdAt: milliseconds(comment.dateAdded), updatedAt: milliseconds(comment.dateUpdated)
        )
    }
}
