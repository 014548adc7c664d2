import FrameCodec
import ScmAPI
import SiloRPC
import Storage

/// What we know of a tracker's issue.
struct StoredExternalIssue: Sendable {
    let id: Int64
    let organizationID: Int64
    /// 0 for the built-in tracker.
    let integrationID: Int64
    let key: String
    let displayName: String
    let title: String
    let description: String
    let webURL: String
    let isClosed: Bool
    let assignee: String
    let labels: [String]
    let metadata: [String: String]
    /// Milliseconds since 1970 UTC.
    let createdAt: Int64
    let updatedAt: Int64
    /// Ascending.
    var groupIDs: [Int64] = []

    init(_ row: SQLRow) throws {
        id = try row.integer("id")
        organizationID = try row.integer("organization_id")
        integrationID = try row.integer("integration_id")
        key = try row.text("key")
        displayName = try row.text("display_name")
        title = try row.text("title")
        description = try row.text("description")
        webURL = try row.text("web_url")
        isClosed = try row.boolean("state")
        assignee = try row.text("assignee")
        labels = LabelsText.decode(try row.text("labels"))
        metadata = ConfigText.decode(try row.text("metadata"))
        createdAt = try row.integer("created_at")
        updatedAt = try row.integer("updated_at")
    }
}

struct ExternalIssueFilter: Sendable {
    var organizationID: Int64
    /// nil for all.
    var integrationID: Int64?
    /// 0 for all.
    var groupID: Int64 = 0
    /// nil for both.
    var isClosed: Bool?
}

/// The statements on the table of known issues.
enum ExternalIssueRows {
    /// Makes the row, or brings it up to date with the tracker.
    static func store(
        _ issue: TrackerIssue, integrationID: Int64, organizationID: Int64, _ transaction: WriteTransaction
    ) throws -> StoredExternalIssue? {
        let now = EpochTime.now
        let row = try transaction.row(
            """
            INSERT INTO external_issues (organization_id, integration_id, key, display_name, title, description,
                web_url, state, assignee, labels, metadata, created_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (organization_id, integration_id, key) DO UPDATE SET display_name = excluded.display_name,
                title = excluded.title, description = excluded.description, web_url = excluded.web_url,
                state = excluded.state, assignee = excluded.assignee, labels = excluded.labels,
                metadata = excluded.metadata, updated_at = excluded.updated_at
            RETURNING *
            """,
            [
                .integer(organizationID), .integer(integrationID), .text(issue.key.text),
                .text(issue.key.displayName(area: issue.metadata["area_path"] ?? "")), .text(issue.title),
                .text(issue.description), .text(issue.webURL), .integer(issue.isClosed ? 1 : 0), .text(issue.assignee),
                .text(LabelsText.encode(issue.labels)), .text(ConfigText.encode(issue.metadata)), .integer(now),
                .integer(now),
            ]
        )
        return try row.flatMap { try withGroups([StoredExternalIssue($0)], transaction.reading).first }
    }

    static func find(id: Int64, organizationID: Int64, _ transaction: ReadTransaction) throws -> StoredExternalIssue? {
        try find("id = ?", [.integer(id)], organizationID: organizationID, transaction)
    }

    static func find(
        key: String, integrationID: Int64, organizationID: Int64, _ transaction: ReadTransaction
    ) throws -> StoredExternalIssue? {
        try find(
            "integration_id = ? AND key = ?", [.integer(integrationID), .text(key)], organizationID: organizationID,
            transaction
        )
    }

    private static func find(
        _ condition: String, _ arguments: [SQLValue], organizationID: Int64, _ transaction: ReadTransaction
    ) throws -> StoredExternalIssue? {
        let row = try transaction.row(
            "SELECT * FROM external_issues WHERE organization_id = ? AND \(condition)",
            [.integer(organizationID)] + arguments
        )
        return try row.flatMap { try withGroups([StoredExternalIssue($0)], transaction).first }
    }

    /// By id.
    static func list(
        _ filter: ExternalIssueFilter, after last: Int64, limit: Int, _ transaction: ReadTransaction
    ) throws -> [StoredExternalIssue] {
        var conditions = ["organization_id = ?", "id > ?"]
        var arguments: [SQLValue] = [.integer(filter.organizationID), .integer(last)]
        if let integrationID = filter.integrationID {
            conditions.append("integration_id = ?")
            arguments.append(.integer(integrationID))
        }
        if let isClosed = filter.isClosed {
            conditions.append("state = ?")
            arguments.append(.integer(isClosed ? 1 : 0))
        }
        if filter.groupID != 0 {
            conditions.append(
                "id IN (SELECT external_issue_id FROM issue_links WHERE organization_id = ? AND group_id = ?)"
            )
            arguments += [.integer(filter.organizationID), .integer(filter.groupID)]
        }
        let rows = try transaction.rows(
            "SELECT * FROM external_issues WHERE \(conditions.joined(separator: " AND ")) ORDER BY id LIMIT ?",
            arguments + [.integer(Int64(limit))]
        )
        return try withGroups(rows.map(StoredExternalIssue.init), transaction)
    }

    /// The ids of known issues by key.
    static func ids(
        keys: [String], integrationID: Int64, organizationID: Int64, _ transaction: ReadTransaction
    ) throws -> [String: Int64] {
        guard !keys.isEmpty else { return [:] }
        let rows = try transaction.rows(
            """
            SELECT id, key FROM external_issues WHERE organization_id = ? AND integration_id = ?
                AND key IN (\(keys.map { _ in "?" }.joined(separator: ", ")))
            """,
            [.integer(organizationID), .integer(integrationID)] + keys.map(SQLValue.text)
        )
        return try Dictionary(rows.map { (try $0.text("key"), try $0.integer("id")) }) { first, _ in first }
    }

    private static func withGroups(
        _ issues: [StoredExternalIssue], _ transaction: ReadTransaction
    ) throws -> [StoredExternalIssue] {
        guard !issues.isEmpty else { return [] }
        var groups: [Int64: [Int64]] = [:]
        let rows = try transaction.rows(
            """
            SELECT external_issue_id, group_id FROM issue_links
            WHERE external_issue_id IN (\(issues.map { _ in "?" }.joined(separator: ", "))) ORDER BY group_id
            """,
            issues.map { .integer($0.id) }
        )
        for row in rows {
            groups[try row.integer("external_issue_id"), default: []].append(try row.integer("group_id"))
        }
        return issues.map { issue in
            var issue = issue
            issue.groupIDs = groups[issue.id] ?? []
            return issue
        }
    }
}

extension ExternalIssue {
    init(_ stored: StoredExternalIssue) {
        self.init(
            id: stored.id, organizationID: stored.organizationID, integrationID: stored.integrationID, key: stored.key,
            title: stored.title, description: stored.description, webURL: stored.webURL, metadata: stored.metadata,
            displayName: stored.displayName, state: stored.isClosed ? .closed : .open,
            dateAdded: .init(millisecondsSinceEpoch: stored.createdAt), linkedGroupIDs: stored.groupIDs,
            dateUpdated: .init(millisecondsSinceEpoch: stored.updatedAt), assignee: stored.assignee,
            labels: stored.labels
        )
    }
}
