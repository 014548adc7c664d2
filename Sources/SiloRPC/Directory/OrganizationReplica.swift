import Storage

/// A cell's replica of control's table of organizations: durable, so that the cell starts and answers while control is
/// down.
///
/// First a snapshot, page by page, then what has changed since, whenever ``pull()`` is called. Rows of this cell's
/// organizations also become rows of `organizations`, which keys and repositories refer to.
public final class OrganizationReplica: OrganizationCells {
    private let database: Database
    private let cell: CellName
    private let puller: ReplicaPuller<OrganizationMapping>
    private let demand: ReplicaDemand

    /// - Parameters:
    ///   - caller: the way to control.
    ///   - limits: how control is asked for organizations that the replica lacks.
    public init(
        _ database: Database, directory: any CellDirectorySource, cell: CellName, caller: SiloCaller,
        pageSize: Int32 = 1000, limits: ReplicaDemand.Limits = ReplicaDemand.Limits()
    ) {
        self.database = database
        self.cell = cell
        let puller = ReplicaPuller<OrganizationMapping>(
            name: "organization_mappings", database: database,
            fetch: { epoch, after in
                let control = Silo(calling: caller, from: cell, directory)
                let page = try await OrganizationMappingServiceDelegate(control)
                    .listChanges(epoch: epoch, after: after, pageSize: pageSize)
                return ChangePage(
                    rows: page.mappings, epoch: page.epoch, next: page.next, hasMore: page.hasMore,
                    continues: page.continues)
            },
            clear: { _ = try $0.execute("DELETE FROM organization_mapping_replica") },
            store: { try Self.store($0, own: cell, $1) }
        )
        self.puller = puller
        demand = ReplicaDemand(limits: limits) { _ = try await puller.pullAnew() }
    }

    /// Calls `changed` with the organizations whose rows have come, after they were stored, or with nil when the
    /// replica begins anew: whoever remembers them must forget, or a cell would go on serving an organization that has
    /// left it.
    public func observe(_ changed: @escaping @Sendable ([OrganizationReference]?) -> Void) {
        puller.observe { rows in changed(rows.map { $0.flatMap { [.id($0.organizationID), .slug($0.slug)] } }) }
    }

    /// Brings the replica up to date. Many who ask at the same time share one pull.
    ///
    /// - Returns: how many rows came.
    /// - Throws: ``SiloError`` when control cannot be asked, `StorageError`.
    @discardableResult
    public func pull() async throws -> Int { try await puller.pull() }

    /// As ``pull()``, with every change of before the call.
    func pullAnew() async throws { _ = try await puller.pullAnew() }

    /// Control that was brought back from a backup may give an organization's id again. Its rows here are still the
    /// other organization's, so the new one is not served.
    private static func isSomebodyElse(_ mapping: OrganizationMapping, _ transaction: WriteTransaction) throws -> Bool {
        try transaction.row(
            "SELECT 1 FROM organizations WHERE id = ? AND created_at <> ?",
            [.integer(mapping.organizationID), .integer(mapping.createdAt)]) != nil
    }

    private static func store(_ mapping: OrganizationMapping, own: CellName, _ transaction: WriteTransaction) throws {
        let isOwn = mapping.cellName == own.description && !mapping.deleted
        let isServed = isOwn ? try !isSomebodyElse(mapping, transaction) : !mapping.deleted
        try transaction.execute(
            """
            INSERT INTO organization_mapping_replica
                (organization_id, slug, cell_name, sequence, is_deleted, created_at)
            VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (organization_id) DO UPDATE SET slug = excluded.slug, cell_name = excluded.cell_name,
                sequence = excluded.sequence, is_deleted = excluded.is_deleted, created_at = excluded.created_at
            """,
            [
                .integer(mapping.organizationID), .text(mapping.slug), .text(mapping.cellName),
                .integer(mapping.sequence),
                .integer(isServed ? 0 : 1), .integer(mapping.createdAt),
            ]
        )
        guard isOwn, isServed else { return }
        // A removed organization may have left its rows here; its slug is another one's now. No slug has a "~".
        try transaction.execute(
            "UPDATE organizations SET slug = slug || '~' || id WHERE slug = ? AND id <> ?",
            [.text(mapping.slug), .integer(mapping.organizationID)])
        try transaction.execute(
            """
            INSERT INTO organizations (id, slug, created_at) VALUES (?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET slug = excluded.slug
            """,
            [.integer(mapping.organizationID), .text(mapping.slug), .integer(mapping.createdAt)]
        )
    }

    /// - Throws: ``SiloError/configuration(_:)`` that names organizations of control whose ids are other organizations'
    ///   here, so that they are not served; `StorageError`.
    public func checkOwners() async throws {
        let slugs = try await database.read { [cell] transaction in
            try transaction.rows(
                """
                SELECT r.slug FROM organization_mapping_replica r JOIN organizations o ON o.id = r.organization_id
                WHERE r.cell_name = ? AND r.created_at <> o.created_at ORDER BY o.id LIMIT 10
                """, [.text(cell.description)]
            ).map { try $0.text("slug") }
        }
        guard !slugs.isEmpty else { return }
        throw SiloError.configuration(
            "control has given ids again that are other organizations' here: \(slugs.joined(separator: ", ")) of "
                + "control cannot be served; was control brought back from a backup?")
    }

    // MARK: - OrganizationCells

    public func cell(of organization: OrganizationReference) async throws -> String? {
        let (column, value): (String, SQLValue) =
            switch organization {
            case .id(let id): ("organization_id", .integer(id))
            case .slug(let slug): ("slug", .text(slug))
            }
        return try await database.read { transaction in
            try transaction.row(
                "SELECT cell_name FROM organization_mapping_replica WHERE \(column) = ? AND is_deleted = 0", [value]
            )?.text("cell_name")
        }
    }

    /// Asks control first, as ``ReplicaDemand`` does. While control is down the replica's word is the best there is.
    public func refreshedCell(of organization: OrganizationReference) async throws -> String? {
        _ = await demand.refresh()
        return try await cell(of: organization)
    }

    public func someCells() async throws -> [String] {
        try await database.read { transaction in
            try transaction.rows(
                "SELECT DISTINCT cell_name FROM organization_mapping_replica WHERE is_deleted = 0 ORDER BY "
                    + "cell_name LIMIT 2"
            ).map { try $0.text("cell_name") }
        }
    }
}
