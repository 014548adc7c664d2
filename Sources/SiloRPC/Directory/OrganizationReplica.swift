import Storage

/// A cell's replica of control's table of organizations: durable, so that the cell starts and answers while control is
/// down.
///
/// First a snapshot, page by page, then what has changed since, whenever ``pull()`` is called. Rows of this cell's
/// organizations also become rows of `organizations`, which keys and repositories refer to.
public final class OrganizationReplica: OrganizationCells {
    private let database: Database
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
        let puller = ReplicaPuller<OrganizationMapping>(
            name: "organization_mappings", database: database,
            fetch: { epoch, after in
                let control = Silo(calling: caller, from: cell, directory)
                let page = try await OrganizationMappingServiceDelegate(control)
                    .listChanges(epoch: epoch, after: after, pageSize: pageSize)
                return ChangePage(rows: page.mappings, epoch: page.epoch, next: page.next, hasMore: page.hasMore)
            },
            clear: { _ = try $0.execute("DELETE FROM organization_mapping_replica") },
            store: { try Self.store($0, own: cell, $1) }
        )
        self.puller = puller
        demand = ReplicaDemand(limits: limits) { _ = try await puller.pullAnew() }
    }

    /// Calls `changed` with the organizations whose rows have come, after they were stored: whoever remembers them must
    /// forget, or a cell would go on serving an organization that has left it.
    public func observe(_ changed: @escaping @Sendable ([OrganizationReference]) -> Void) {
        puller.observe { rows in changed(rows.flatMap { [.id($0.organizationID), .slug($0.slug)] }) }
    }

    /// Brings the replica up to date. Many who ask at the same time share one pull.
    ///
    /// - Returns: how many rows came.
    /// - Throws: ``SiloError`` when control cannot be asked, `StorageError`.
    @discardableResult
    public func pull() async throws -> Int { try await puller.pull() }

    /// As ``pull()``, with every change of before the call.
    func pullAnew() async throws { _ = try await puller.pullAnew() }

    private static func store(_ mapping: OrganizationMapping, own: CellName, _ transaction: WriteTransaction) throws {
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
                .integer(mapping.deleted ? 1 : 0), .integer(mapping.createdAt),
            ]
        )
        guard mapping.cellName == own.description, !mapping.deleted else { return }
        try transaction.execute(
            """
            INSERT INTO organizations (id, slug, created_at) VALUES (?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET slug = excluded.slug
            """,
            [.integer(mapping.organizationID), .text(mapping.slug), .integer(mapping.createdAt)]
        )
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
