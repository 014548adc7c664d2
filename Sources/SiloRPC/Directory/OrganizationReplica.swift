import Storage
import Synchronization

/// A cell's replica of control's table: durable, so that the cell starts and answers while control is down.
///
/// First a snapshot, page by page, then what has changed since, whenever ``pull()`` is called. Each page is stored in one
/// transaction with the place it ends at: after a crash the next pull goes on there. Rows of this cell's organizations
/// also become rows of `organizations`, which keys and repositories refer to.
public final class OrganizationReplica: OrganizationCells {
    private static let name = "organization_mappings"

    private let database: Database
    private let directory: CellDirectory
    private let cell: CellName
    private let caller: SiloCaller
    private let pageSize: Int32
    /// A pull that has ended this long ago still answers for those who ask again.
    private let patience: Duration
    private let state = Mutex(State())

    private struct State {
        var running: Task<Int, any Error>?
        var lastPull: ContinuousClock.Instant?
        var changed: (@Sendable ([OrganizationReference]) -> Void)?
    }

    /// - Parameters:
    ///   - caller: the way to control.
    ///   - patience: how long after a pull nobody starts another one for an organization that it did not bring.
    public init(
        _ database: Database, directory: CellDirectory, cell: CellName, caller: SiloCaller, pageSize: Int32 = 1000,
        patience: Duration = .seconds(1)
    ) {
        self.database = database
        self.directory = directory
        self.cell = cell
        self.caller = caller
        self.pageSize = pageSize
        self.patience = patience
    }

    /// Calls `changed` with the organizations whose rows have come, after they were stored: whoever remembers them must
    /// forget, or a cell would go on serving an organization that has left it.
    public func observe(_ changed: @escaping @Sendable ([OrganizationReference]) -> Void) {
        state.withLock { $0.changed = changed }
    }

    // MARK: - Pulling

    /// Brings the replica up to date. Many who ask at the same time share one pull.
    ///
    /// - Returns: how many rows came.
    /// - Throws: ``SiloError`` when control cannot be asked, `StorageError`.
    @discardableResult
    public func pull() async throws -> Int {
        let task = state.withLock { state in
            if let running = state.running { return running }
            // Not a child of the caller: others wait for it too, when the caller has given up.
            let task = Task {
                defer {
                    self.state.withLock { state in
                        state.running = nil
                        state.lastPull = .now
                    }
                }
                return try await self.pullAll()
            }
            state.running = task
            return task
        }
        return try await task.value
    }

    /// Pulls every `interval` until the task is cancelled; what goes wrong is told to `failed` and tried again.
    public func run(every interval: Duration = .seconds(2), failed: @Sendable (any Error) -> Void = { _ in }) async {
        while !Task.isCancelled {
            do { try await pull() } catch { failed(error) }
            try? await Task.sleep(for: interval)
        }
    }

    private func pullAll() async throws -> Int {
        let silo = try Silo(mode: .cell, cell: cell, directory: directory, organizations: self, caller: caller)
        let service = try OrganizationMappingServiceDelegate(silo)
        var count = 0
        while true {
            let place = try await place()
            let page = try await service.listChanges(epoch: place.epoch, after: place.sequence, pageSize: pageSize)
            try await store(page, startsAnew: page.epoch != place.epoch)
            let changed = state.withLock { $0.changed }
            changed?(page.mappings.flatMap { [.id($0.organizationID), .slug($0.slug)] })
            count += page.mappings.count
            if !page.hasMore { return count }
            // A page that leads nowhere would be asked for for ever.
            guard page.next > place.sequence || page.epoch != place.epoch else {
                throw SiloError.remote(method: "organization_mapping.ListChanges", message: "a page without rows", requestID: "")
            }
        }
    }

    private func place() async throws -> (epoch: String, sequence: Int64) {
        try await database.read { transaction in
            let row = try transaction.row(
                "SELECT epoch, sequence FROM silo_replicas WHERE name = ?", [.text(Self.name)])
            return (try row?.text("epoch") ?? "", try row?.integer("sequence") ?? 0)
        }
    }

    private func store(_ page: OrganizationMappingServiceListChangesResponse, startsAnew: Bool) async throws {
        guard startsAnew || !page.mappings.isEmpty else { return }
        let cell = cell
        try await database.write { transaction in
            if startsAnew { try transaction.execute("DELETE FROM organization_mapping_replica") }
            for mapping in page.mappings { try Self.store(mapping, own: cell, transaction) }
            try transaction.execute(
                """
                INSERT INTO silo_replicas (name, epoch, sequence) VALUES (?, ?, ?)
                ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence
                """,
                [.text(Self.name), .text(page.epoch), .integer(page.next)]
            )
        }
    }

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
                .integer(mapping.organizationID), .text(mapping.slug), .text(mapping.cellName), .integer(mapping.sequence),
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

    /// Pulls first, unless that has just been done. While control is down the replica's word is the best there is.
    public func refreshedCell(of organization: OrganizationReference) async throws -> String? {
        let isFresh = state.withLock { $0.lastPull.map { $0 + patience > .now } ?? false }
        if !isFresh { _ = try? await pull() }
        return try await cell(of: organization)
    }

    public func someCells() async throws -> [String] {
        try await database.read { transaction in
            try transaction.rows(
                "SELECT DISTINCT cell_name FROM organization_mapping_replica WHERE is_deleted = 0 ORDER BY cell_name LIMIT 2"
            ).map { try $0.text("cell_name") }
        }
    }
}
