import RPC
import ScmAPI
import SiloRPC
import Storage

/// A page is cut short before it outgrows a message; the first item always fits.
enum PageBytes {
    static let maximum = 2 * 1024 * 1024
    /// Items read at once.
    static let chunk = 50

    /// Reads items one after the other until the page is full by number or by bytes.
    ///
    /// - Returns: the page, and whether there is more.
    static func page<Item: Sendable>(
        _ size: Int, byteCount: (Item) -> Int, next: (_ last: Item?, _ limit: Int) async throws -> [Item]
    ) async throws -> (items: [Item], hasMore: Bool) {
        var items: [Item] = []
        var bytes = 0
        while true {
            let limit = min(chunk, size - items.count + 1)
            let part = try await next(items.last, limit)
            for item in part {
                bytes += byteCount(item)
                if items.count == size || (bytes > maximum && !items.isEmpty) { return (items, true) }
                items.append(item)
            }
            if part.count < limit { return (items, false) }
        }
    }
}

extension ScmGatewayService {
    public func getExternalIssue(
        _ request: GetExternalIssueRequest, context: CallContext
    ) async throws -> ExternalIssue {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        let known = try await known(request, organizationID: organizationID)
        guard request.refresh else { return ExternalIssue(known) }
        let tracker = try await issueTracker(known.integrationID, organizationID: organizationID)
        let key = try Self.key(known.key, tracker.keyStyle, field: "key")
        return ExternalIssue(try await refresh(known, try await tracker.issue(key)))
    }

    private func known(
        _ request: GetExternalIssueRequest, organizationID: Int64
    ) async throws -> StoredExternalIssue {
        guard request.externalIssueID == 0 else {
            guard request.key.isEmpty, request.integrationID == 0 else {
                throw RPCError.badField("key", "give either external_issue_id, or integration_id and key")
            }
            return try await externalIssue(request.externalIssueID, organizationID: organizationID)
        }
        let tracker = try await issueTracker(request.integrationID, organizationID: organizationID)
        let key = try Self.key(request.key, tracker.keyStyle, field: "key")
        let integrationID = request.integrationID
        let found = try await mappingStorageErrors {
            try await self.database.read {
                try ExternalIssueRows.find(
                    key: key.text, integrationID: integrationID, organizationID: organizationID, $0
                )
            }
        }
        guard let found else { throw Self.issueNotFound }
        return found
    }

    public func listExternalIssues(
        _ request: ListExternalIssuesRequest, context: CallContext
    ) async throws -> ListExternalIssuesResponse {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        if request.integrationID != 0 {
            try await checkInstalled(request.integrationID, organizationID: organizationID)
            return ListExternalIssuesResponse()
        }
        guard request.groupID >= 0 else { throw RPCError.badField("group_id", "an id is not negative") }
        let filter = ExternalIssueFilter(
            organizationID: organizationID, groupID: request.groupID, isClosed: try IssueRules.isClosed(request.state)
        )
        let size = try PageSize.check(request.pageSize)
        let pageFilter = try PageFilter(
            "ListExternalIssues", ["\(organizationID)", "\(request.groupID)", "\(request.state.rawValue)"]
        )
        let start = try PageToken.parse(request.pageToken, filter: pageFilter)?.position ?? 0
        let (page, hasMore) = try await PageBytes.page(
            size, byteCount: { (issue: StoredExternalIssue) in
                issue.title.utf8.count + issue.description.utf8.count + issue.groupIDs.count * 10
                    + issue.labels.reduce(0) { $0 + $1.utf8.count } + 1000
            }
        ) { last, limit in
            let after = last?.id ?? start
            return try await mappingStorageErrors {
                try await self.database.read { try ExternalIssueRows.list(filter, after: after, limit: limit, $0) }
            }
        }
        return ListExternalIssuesResponse(
            externalIssues: page.map(ExternalIssue.init),
            nextPageToken: hasMore ? page.last.map { PageToken(filter: pageFilter, position: $0.id).text } ?? "" : ""
        )
    }

    /// An issue that changes between two pages may be seen twice or not at all: the newest is first.
    public func searchIssues(
        _ request: SearchIssuesRequest, context: CallContext
    ) async throws -> SearchIssuesResponse {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        let tracker = try await issueTracker(request.integrationID, organizationID: organizationID)
        try IssueRules.checkLine(request.query, "query", 0...IssueKey.maximumCharacterCount)
        try IssueRules.checkLine(request.project, "project", 0...IssueRules.maximumNameCount)
        let search = IssueSearch(
            project: request.project, text: request.query, isClosed: try IssueRules.isClosed(request.state)
        )
        let size = min(try PageSize.check(request.pageSize), Self.maximumIssuePageSize)
        let pageFilter = try PageFilter(
            "SearchIssues", ["\(organizationID)", request.project, request.query, "\(request.state.rawValue)"]
        )
        let place = try PageToken.parse(request.pageToken, filter: pageFilter).map(IssueSearchPlace.init)
        let found = try await tracker.search(search, after: place, limit: size + 1)
        let page = found.prefix(size)
        let keys = page.map(\.issue.key.text)
        let integrationID = request.integrationID
        let ids = try await mappingStorageErrors {
            try await self.database.read {
                try ExternalIssueRows.ids(
                    keys: keys, integrationID: integrationID, organizationID: organizationID, $0
                )
            }
        }
        let last = found.count > size ? page.last?.place : nil
        return SearchIssuesResponse(
            results: page.map { IssueHit($0, externalIssueID: ids[$0.issue.key.text] ?? 0) },
            nextPageToken: last.map {
                PageToken(filter: pageFilter, position: $0.updatedAt, anchor: "\($0.id)").text
            } ?? ""
        )
    }

    /// The largest page of a list that a tracker answers.
    static let maximumIssuePageSize = 100
}

extension IssueSearchPlace {
    fileprivate init(_ token: PageToken) throws(RPCError) {
        guard let id = Int64(token.anchor) else {
            throw RPCError.badField("page_token", "not a page token of this service")
        }
        self.init(updatedAt: token.position, id: id)
    }
}

extension IssueHit {
    fileprivate init(_ found: FoundIssue, externalIssueID: Int64) {
        let issue = found.issue
        self.init(
            key: issue.key.text, title: issue.title, state: issue.isClosed ? .closed : .open, webURL: issue.webURL,
            project: issue.key.container, externalIssueID: externalIssueID,
            dateUpdated: .init(millisecondsSinceEpoch: found.place.updatedAt)
        )
    }
}
