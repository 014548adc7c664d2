import Storage

/// A cell's replica of control's API keys: the keys of the cell's own organizations become rows of its `api_keys`,
/// where
/// ``APIKeyInterceptor`` finds them. Durable: calls are let in while control is down.
///
/// Keys are made, changed and revoked in control only; a cell notices with its next pull.
public final class APIKeyReplica: Sendable {
    private let puller: ReplicaPuller<APIKeyRecord>

    /// - Parameter caller: the way to control.
    public init(
        _ database: Database, directory: any CellDirectorySource, cell: CellName, caller: SiloCaller,
        pageSize: Int32 = 1000
    ) {
        puller = ReplicaPuller(
            name: "api_keys", database: database,
            fetch: { epoch, after in
                let control = Silo(calling: caller, from: cell, directory)
                let page = try await APIKeyFeedServiceDelegate(control)
                    .listChanges(cellName: cell.description, epoch: epoch, after: after, pageSize: pageSize)
                return ChangePage(
                    rows: page.records, epoch: page.epoch, next: page.next, hasMore: page.hasMore,
                    continues: page.continues)
            },
            clear: { _ = try $0.execute("DELETE FROM api_keys") },
            store: { try Self.store($0, $1) }
        )
    }

    /// Brings the replica up to date; after the organizations, which keys refer to.
    ///
    /// - Returns: how many changes came, of keys of other cells' organizations too.
    /// - Throws: ``SiloError`` when control cannot be asked; `StorageError`, also for a key whose organization is not
    ///   there yet: the next pull brings it again.
    @discardableResult
    public func pull() async throws -> Int { try await puller.pull() }

    /// As ``pull()``, with every change of before the call.
    func pullAnew() async throws { _ = try await puller.pullAnew() }

    /// Calls `changed` with the ids of the keys whose rows have come, after they were stored, or with nil when the
    /// replica begins anew: whoever remembers a key must forget it, or one that is revoked would go on being accepted.
    public func observe(_ changed: @escaping @Sendable (Set<Int64>?) -> Void) {
        puller.observe { rows in changed(rows.map { Set($0.map(\.keyID)) }) }
    }

    private static func store(_ record: APIKeyRecord, _ transaction: WriteTransaction) throws {
        guard !record.deleted else {
            try transaction.execute("DELETE FROM api_keys WHERE id = ?", [.integer(record.keyID)])
            return
        }
        try transaction.execute(
            """
            INSERT INTO api_keys (id, organization_id, hash, prefix, name, scopes, is_active, created_at, expires_at,
                calls_per_minute, signing_key, replaces_id)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET organization_id = excluded.organization_id, hash = excluded.hash,
                prefix = excluded.prefix, name = excluded.name, scopes = excluded.scopes,
                is_active = excluded.is_active, expires_at = excluded.expires_at,
                calls_per_minute = excluded.calls_per_minute, signing_key = excluded.signing_key,
                replaces_id = excluded.replaces_id
            """,
            [
                .integer(record.keyID), .integer(record.organizationID), .blob(record.hash), .text(record.prefix),
                .text(record.name), .text(record.scopes), .integer(record.active ? 1 : 0), .integer(record.createdAt),
                record.expiresAt.map { .integer($0) } ?? .null, record.callsPerMinute.map { .integer($0) } ?? .null,
                record.signingKey.map { .blob($0) } ?? .null, record.replacesID.map { .integer($0) } ?? .null,
            ]
        )
    }
}
