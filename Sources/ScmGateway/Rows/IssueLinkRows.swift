import SiloRPC
import Storage

/// The statements on groups, as far as issues care, and on their links to issues.
enum IssueLinkRows {
    enum Added: Sendable {
        case added, alreadyThere
        case full(String, limit: Int)
    }

    /// Bounds what one event of a tracker can set off.
    static let maximumGroupsOfIssue = 1000
    static let maximumIssuesOfGroup = 100

    /// A group that is linked for the first time counts as unresolved until somebody says otherwise.
    static func add(
        groupID: Int64, issueID: Int64, organizationID: Int64, _ transaction: WriteTransaction
    ) throws -> Added {
        guard try !exists(groupID: groupID, issueID: issueID, organizationID: organizationID, transaction.reading)
        else { return .alreadyThere }
        let ofIssue = try count("external_issue_id = ?", issueID, organizationID, transaction.reading)
        guard ofIssue < maximumGroupsOfIssue else { return .full("groups of an issue", limit: maximumGroupsOfIssue) }
        let ofGroup = try count("group_id = ?", groupID, organizationID, transaction.reading)
        guard ofGroup < maximumIssuesOfGroup else { return .full("issues of a group", limit: maximumIssuesOfGroup) }
        let now = EpochTime.now
        try transaction.execute(
            """
            INSERT INTO issue_groups (organization_id, group_id, status, resolution, assignee, updated_at)
            VALUES (?, ?, ?, '', '', ?) ON CONFLICT (organization_id, group_id) DO NOTHING
            """,
            [.integer(organizationID), .integer(groupID), .integer(GroupStatus.unresolved.rawValue), .integer(now)]
        )
        try transaction.execute(
            "INSERT INTO issue_links (organization_id, group_id, external_issue_id, created_at) VALUES (?, ?, ?, ?)",
            [.integer(organizationID), .integer(groupID), .integer(issueID), .integer(now)]
        )
        return .added
    }

    private static func count(
        _ condition: String, _ id: Int64, _ organizationID: Int64, _ transaction: ReadTransaction
    ) throws -> Int64 {
        try transaction.row(
            "SELECT COUNT(*) AS count FROM issue_links WHERE organization_id = ? AND \(condition)",
            [.integer(organizationID), .integer(id)]
        )?.integer("count") ?? 0
    }

    static func exists(
        groupID: Int64, issueID: Int64, organizationID: Int64, _ transaction: ReadTransaction
    ) throws -> Bool {
        try transaction.row(
            """
            SELECT group_id FROM issue_links WHERE organization_id = ? AND group_id = ? AND external_issue_id = ?
            """,
            [.integer(organizationID), .integer(groupID), .integer(issueID)]
        ) != nil
    }

    /// Removes a link, and the known issue with its last one.
    ///
    /// - Returns: false when there is no such link.
    static func remove(
        groupID: Int64, issueID: Int64, organizationID: Int64, _ transaction: WriteTransaction
    ) throws -> Bool {
        let removed = try transaction.execute(
            "DELETE FROM issue_links WHERE organization_id = ? AND group_id = ? AND external_issue_id = ?",
            [.integer(organizationID), .integer(groupID), .integer(issueID)]
        )
        guard removed > 0 else { return false }
        try transaction.execute(
            """
            DELETE FROM external_issues WHERE id = ? AND organization_id = ?
                AND NOT EXISTS (SELECT 1 FROM issue_links WHERE external_issue_id = external_issues.id)
            """,
            [.integer(issueID), .integer(organizationID)]
        )
        return true
    }

    // MARK: Groups

    /// nil for a group that was never linked.
    static func status(groupID: Int64, organizationID: Int64, _ transaction: ReadTransaction) throws -> GroupStatus? {
        try transaction.row(
            "SELECT status FROM issue_groups WHERE organization_id = ? AND group_id = ?",
            [.integer(organizationID), .integer(groupID)]
        ).map { GroupStatus(rawValue: try $0.integer("status")) ?? .archived }
    }

    static func setStatus(
        _ status: GroupStatus, resolution: ResolutionStrategy = .plain, groupID: Int64, organizationID: Int64,
        _ transaction: WriteTransaction
    ) throws {
        try transaction.execute(
            """
            UPDATE issue_groups SET status = ?, resolution = ?, updated_at = ?
            WHERE organization_id = ? AND group_id = ?
            """,
            [
                .integer(status.rawValue), .text(resolution.rawValue), .integer(EpochTime.now),
                .integer(organizationID),
                .integer(groupID),
            ]
        )
    }

    /// - Returns: how many groups had another assignee.
    static func setAssignee(
        _ assignee: String, ofGroupsOf issueID: Int64, organizationID: Int64, _ transaction: WriteTransaction
    ) throws -> Int {
        try transaction.execute(
            """
            UPDATE issue_groups SET assignee = ?, updated_at = ? WHERE organization_id = ? AND assignee <> ?
                AND group_id IN (SELECT group_id FROM issue_links WHERE external_issue_id = ?)
            """,
            [
                .text(assignee), .integer(EpochTime.now), .integer(organizationID), .text(assignee), .integer(issueID),
            ]
        )
    }
}
