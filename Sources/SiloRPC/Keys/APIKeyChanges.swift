import Storage

/// The history of changes of `api_keys`, which cells' replicas follow.
enum APIKeyChanges {
    static let history = ChangeHistory(name: "api_keys")

    /// More changes than these are not told one by one.
    static let maximumCount: Int64 = 1000

    /// The keys that have changed after a place; nil for all of them: there were too many, or it is another history.
    static func changed(
        after place: ChangeHistory.Place?, _ transaction: ReadTransaction
    ) throws -> (keyIDs: Set<Int64>?, place: ChangeHistory.Place) {
        let now = try history.place(transaction)
        if now == place { return ([], now) }
        guard let place, try history.contains(place, transaction),
            (0...maximumCount).contains(now.sequence &- place.sequence)
        else { return (nil, now) }
        let rows = try transaction.rows(
            "SELECT key_id FROM api_key_changes WHERE sequence > ?", [.integer(place.sequence)])
        return (Set(try rows.map { try $0.integer("key_id") }), now)
    }

    /// To be called in the transaction that changes the key.
    static func note(
        id: Int64, organizationID: Int64, isDeleted: Bool = false, _ transaction: WriteTransaction
    ) throws {
        let sequence = try history.next(transaction)
        try transaction.execute(
            """
            INSERT INTO api_key_changes (key_id, organization_id, sequence, is_deleted) VALUES (?, ?, ?, ?)
            ON CONFLICT (key_id) DO UPDATE SET sequence = excluded.sequence, is_deleted = excluded.is_deleted
            """,
            [.integer(id), .integer(organizationID), .integer(sequence), .integer(isDeleted ? 1 : 0)]
        )
    }

    /// Every key of an organization, as if it had changed.
    static func noteAll(organizationID: Int64, _ transaction: WriteTransaction) throws {
        let rows = try transaction.rows(
            "SELECT id FROM api_keys WHERE organization_id = ? ORDER BY id", [.integer(organizationID)])
        for row in rows { try note(id: try row.integer("id"), organizationID: organizationID, transaction) }
    }
}

/// Control's side: gives cells the changes of their organizations' keys.
public struct APIKeyFeed: APIKeyFeedService {
    /// Most rows of one answer.
    public static let maximumPageSize = 1000

    private let database: Database

    public init(_ database: Database) {
        self.database = database
    }

    /// - Throws: ``SiloError/forbidden(_:)`` when one cell asks for another cell's keys, or nobody knows who asks (a
    ///   call under `rpc0`).
    public func listChanges(
        cellName: String, epoch: String, after: Int64, pageSize: Int32
    ) async throws -> APIKeyFeedServiceListChangesResponse {
        switch SiloScope.current.source {
        case nil: throw SiloError.forbidden("keys are told to silos that have signed with a key of their own only")
        case .cell(let source)? where source.description != cellName:
            throw SiloError.forbidden("\(source) is told of its own keys only, not of those of \(cellName.prefix(64))")
        default: break
        }
        let limit = pageSize > 0 ? min(Int(pageSize), Self.maximumPageSize) : Self.maximumPageSize
        return try await database.read { transaction in
            let now = try APIKeyChanges.history.place(transaction)
            let continues = try APIKeyChanges.history.contains(.init(epoch: epoch, sequence: after), transaction)
            let start = continues ? after : 0
            // All changes, so that the place moves past those of other cells, and a moved organization's keys go.
            var rows = try transaction.rows(
                """
                SELECT c.key_id, c.organization_id AS owner_id, c.sequence, c.is_deleted, m.cell_name, k.*
                FROM api_key_changes c
                LEFT JOIN api_keys k ON k.id = c.key_id
                LEFT JOIN organization_mappings m ON m.organization_id = c.organization_id AND m.is_deleted = 0
                WHERE c.sequence > ? ORDER BY c.sequence LIMIT ?
                """,
                [.integer(start), .integer(Int64(limit) + 1)]
            )
            let hasMore = rows.count > limit
            if hasMore { rows.removeLast() }
            return APIKeyFeedServiceListChangesResponse(
                records: try rows.map { try APIKeyRecord(change: $0, cell: cellName) }, epoch: now.epoch,
                next: try rows.last?.integer("sequence") ?? start, hasMore: hasMore, continues: continues)
        }
    }
}

extension APIKeyRecord {
    /// The row of a change; nothing but its id when the key is gone, or another cell's.
    init(change row: SQLRow, cell: String) throws {
        let isGone = try row.boolean("is_deleted") || (try row.textOrNil("cell_name")) != cell
        guard !isGone else {
            self.init(keyID: try row.integer("key_id"), sequence: try row.integer("sequence"), deleted: true)
            return
        }
        self.init(
            keyID: try row.integer("key_id"), organizationID: try row.integer("owner_id"), hash: try row.blob("hash"),
            prefix: try row.text("prefix"), name: try row.text("name"), scopes: try row.text("scopes"),
            active: try row.boolean("is_active"), createdAt: try row.integer("created_at"),
            expiresAt: try row.integerOrNil("expires_at"), callsPerMinute: try row.integerOrNil("calls_per_minute"),
            signingKey: try row.value("signing_key") == .null ? nil : try row.blob("signing_key"),
            replacesID: try row.integerOrNil("replaces_id"), sequence: try row.integer("sequence")
        )
    }
}
