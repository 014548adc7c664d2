import Foundation
import SiloRPC
import Storage

/// A JSON array of strings in a column.
enum LabelsText {
    static func encode(_ labels: [String]) -> String {
        guard let data = try? JSONEncoder().encode(labels) else { return "[]" }
        return String(decoding: data, as: UTF8.self)
    }

    static func decode(_ text: String) -> [String] {
        (try? JSONDecoder().decode([String].self, from: Data(text.utf8))) ?? []
    }
}

/// The statements on the built-in tracker's issues.
enum TrackerRows {
    static func insert(
        _ draft: IssueDraft, organizationID: Int64, _ transaction: WriteTransaction
    ) throws -> TrackerIssue? {
        let last = try transaction.row(
            "SELECT MAX(number) AS number FROM tracker_issues WHERE organization_id = ? AND project = ?",
            [.integer(organizationID), .text(draft.project)]
        )?.integerOrNil("number")
        let key = IssueKey(style: .embedded, container: draft.project, number: (last ?? 0) &+ 1)
        let now = EpochTime.now
        return try transaction.row(
            """
            INSERT INTO tracker_issues (organization_id, project, number, key, title, description, state, assignee,
                labels, extra, created_at, updated_at)
            VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?) RETURNING *
            """,
            [
                .integer(organizationID), .text(draft.project), .integer(key.number), .text(key.text),
                .text(draft.title), .text(draft.description), .text(draft.assignee),
                .text(LabelsText.encode(draft.labels)), .text(ConfigText.encode(draft.extra)), .integer(now),
                .integer(now),
            ]
        ).map(TrackerIssue.init)
    }

    static func find(_ key: IssueKey, organizationID: Int64, _ transaction: ReadTransaction) throws -> TrackerIssue? {
        try transaction.row(
            "SELECT * FROM tracker_issues WHERE organization_id = ? AND key = ?",
            [.integer(organizationID), .text(key.text)]
        ).map(TrackerIssue.init)
    }

    static func update(
        _ key: IssueKey, _ change: IssueChange, organizationID: Int64, _ transaction: WriteTransaction
    ) throws -> TrackerIssue? {
        let closed: SQLValue = change.isClosed.map { .integer($0 ? 1 : 0) } ?? .null
        let texts = [change.title, change.description, change.assignee, change.labels.map(LabelsText.encode)]
        return try transaction.row(
            """
            UPDATE tracker_issues SET title = COALESCE(?, title), description = COALESCE(?, description),
                assignee = COALESCE(?, assignee), labels = COALESCE(?, labels), state = COALESCE(?, state),
                updated_at = ?
            WHERE organization_id = ? AND key = ? RETURNING *
            """,
            texts.map { $0.map(SQLValue.text) ?? .null }
                + [closed, .integer(EpochTime.now), .integer(organizationID), .text(key.text)]
        ).map(TrackerIssue.init)
    }

    static func search(
        _ search: IssueSearch, after place: IssueSearchPlace?, limit: Int, organizationID: Int64,
        _ transaction: ReadTransaction
    ) throws -> [FoundIssue] {
        var conditions = ["organization_id = ?"]
        var arguments: [SQLValue] = [.integer(organizationID)]
        if !search.project.isEmpty {
            conditions.append("project = ?")
            arguments.append(.text(search.project))
        }
        if let isClosed = search.isClosed {
            conditions.append("state = ?")
            arguments.append(.integer(isClosed ? 1 : 0))
        }
        if !search.text.isEmpty {
            let columns = ["title", "description", "key"]
            conditions.append("(" + columns.map { "\($0) LIKE ? ESCAPE '\\'" }.joined(separator: " OR ") + ")")
            let pattern = "%\(LikePattern.escaped(search.text))%"
            arguments += columns.map { _ in .text(pattern) }
        }
        if let place {
            // Issues are never deleted, so the last one still tells its key.
            conditions.append(
                """
                (updated_at < ? OR (updated_at = ? AND key >
                    (SELECT key FROM tracker_issues WHERE id = ? AND organization_id = ?)))
                """
            )
            arguments += [place.updatedAt, place.updatedAt, place.id, organizationID].map(SQLValue.integer)
        }
        return try transaction.rows(
            """
            SELECT id, project, number, title, '' AS description, state, assignee, labels, extra, updated_at
            FROM tracker_issues WHERE \(conditions.joined(separator: " AND ")) ORDER BY updated_at DESC, key LIMIT ?
            """,
            arguments + [.integer(Int64(limit))]
        ).map { row in
            FoundIssue(
                place: IssueSearchPlace(updatedAt: try row.integer("updated_at"), id: try row.integer("id")),
                issue: try TrackerIssue(row)
            )
        }
    }
}

extension TrackerIssue {
    fileprivate init(_ row: SQLRow) throws {
        let isClosed = try row.boolean("state")
        let key = IssueKey(style: .embedded, container: try row.text("project"), number: try row.integer("number"))
        self.init(
            key: key, title: try row.text("title"), description: try row.text("description"), isClosed: isClosed,
            assignee: try row.text("assignee"), labels: LabelsText.decode(try row.text("labels")),
            metadata: ConfigText.decode(try row.text("extra")), webURL: key.webURL(base: ""),
            stateName: isClosed ? StatusMapping.embedded.resolved : StatusMapping.embedded.unresolved
        )
    }
}

/// The statements on the built-in tracker's comments.
enum TrackerCommentRows {
    private static let issueID = "(SELECT id FROM tracker_issues WHERE organization_id = ? AND key = ?)"

    static func insert(
        _ key: IssueKey, _ body: String, author: String, organizationID: Int64, _ transaction: WriteTransaction
    ) throws -> TrackerComment? {
        let now = EpochTime.now
        return try transaction.row(
            """
            INSERT INTO tracker_comments (issue_id, body, author, created_at, updated_at)
            VALUES (\(issueID), ?, ?, ?, ?) RETURNING *
            """,
            [
                .integer(organizationID), .text(key.text), .text(body), .text(author), .integer(now), .integer(now),
            ]
        ).map(TrackerComment.init)
    }

    static func update(
        _ key: IssueKey, id: Int64, _ body: String, organizationID: Int64, _ transaction: WriteTransaction
    ) throws -> TrackerComment? {
        try transaction.row(
            "UPDATE tracker_comments SET body = ?, updated_at = ? WHERE id = ? AND issue_id = \(issueID) RETURNING *",
            [.text(body), .integer(EpochTime.now), .integer(id), .integer(organizationID), .text(key.text)]
        ).map(TrackerComment.init)
    }

    static func list(
        _ key: IssueKey, after place: (createdAt: Int64, id: Int64)?, limit: Int, organizationID: Int64,
        _ transaction: ReadTransaction
    ) throws -> [TrackerComment] {
        let place = place ?? (Int64.min, 0)
        return try transaction.rows(
            """
            SELECT * FROM tracker_comments WHERE issue_id = \(issueID) AND (created_at, id) > (?, ?)
            ORDER BY created_at, id LIMIT ?
            """,
            [
                .integer(organizationID), .text(key.text), .integer(place.createdAt), .integer(place.id),
                .integer(Int64(limit)),
            ]
        ).map(TrackerComment.init)
    }
}

extension TrackerComment {
    fileprivate init(_ row: SQLRow) throws {
        self.init(
            id: try row.integer("id"), body: try row.text("body"), author: try row.text("author"),
            createdAt: try row.integer("created_at"), updatedAt: try row.integer("updated_at")
        )
    }
}
