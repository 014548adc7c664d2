import Storage

/// Control's table of organizations and their cells.
public struct OrganizationMappingStore: OrganizationMappingService, OrganizationCells {
    /// Most rows of one answer of ``listChanges(epoch:after:pageSize:)``.
    public static let maximumPageSize = 1000
    static let history = ChangeHistory(name: "organization_mappings")

    private let database: Database
    private let directories: any CellDirectorySource

    public init(_ database: Database, directory: any CellDirectorySource) {
        self.database = database
        directories = directory
    }

    private var directory: CellDirectory { directories.current }

    // MARK: - OrganizationMappingService

    public func get(organizationID: Int64) async throws -> OrganizationMapping? { try await find(.id(organizationID)) }

    public func getBySlug(slug: String) async throws -> OrganizationMapping? { try await find(.slug(slug)) }

    /// Adds an organization and its row.
    ///
    /// - Parameter cellName: empty for the fallback cell.
    /// - Throws: ``SiloError``: slug invalid or taken, no such cell; `StorageError`.
    public func create(slug: String, cellName: String) async throws -> OrganizationMapping {
        try OrganizationStore.check(slug)
        let cell = cellName.isEmpty ? directory.fallbackCell : try directory.cell(named: cellName).name
        let now = EpochTime.now
        do {
            return try await database.write { transaction in
                let row = try transaction.row(
                    "INSERT INTO organizations (slug, created_at) VALUES (?, ?) RETURNING id",
                    [.text(slug), .integer(now)])
                guard let id = try row?.integer("id") else {
                    throw SiloError.invalid("the organization was not stored")
                }
                let mapping = try Self.insert(id: id, slug: slug, cell: cell, createdAt: now, transaction)
                // A crash right after the commit must not make the same call find its own organization in the way.
                try AnswerClaim.current?.confirm(in: transaction, answer: mapping.serializedBytes())
                return mapping
            }
        } catch let error as StorageError where error.isUniqueViolation {
            throw SiloError.exists("an organization \"\(slug)\" exists")
        }
    }

    public func listChanges(
        epoch: String, after: Int64, pageSize: Int32
    ) async throws -> OrganizationMappingServiceListChangesResponse {
        let limit = pageSize > 0 ? min(Int(pageSize), Self.maximumPageSize) : Self.maximumPageSize
        return try await database.read { transaction in
            let now = try Self.history.place(transaction)
            let continues = try Self.history.contains(.init(epoch: epoch, sequence: after), transaction)
            let start = continues ? after : 0
            var rows = try transaction.rows(
                "SELECT * FROM organization_mappings WHERE sequence > ? ORDER BY sequence LIMIT ?",
                [.integer(start), .integer(Int64(limit) + 1)]
            ).map(OrganizationMapping.init(row:))
            let hasMore = rows.count > limit
            if hasMore { rows.removeLast() }
            return OrganizationMappingServiceListChangesResponse(
                mappings: rows, epoch: now.epoch, next: rows.last?.sequence ?? start, hasMore: hasMore,
                continues: continues)
        }
    }

    // MARK: - Administration

    /// Takes an organization out of the table; what its cell has of it stays there.
    ///
    /// - Throws: ``SiloError`` when there is none, `StorageError`.
    public func remove(organizationID: Int64) async throws {
        try await change(organizationID, "is_deleted = 1", [])
    }

    /// Removes an organization for good: its row here, and its place in the table.
    ///
    /// - Throws: ``SiloError`` when there is none, or it owns API keys or installations; `StorageError`.
    public func delete(organizationID id: Int64) async throws {
        do {
            try await database.write { transaction in
                try Self.change(id, "is_deleted = 1", [], transaction)
                _ = try transaction.execute("DELETE FROM organizations WHERE id = ?", [.integer(id)])
            }
        } catch let error as StorageError where error.isConstraintViolation {
            throw SiloError.invalid("organization \(id) still owns API keys or installations: remove them first")
        }
    }

    /// Says that an organization lives in another cell now, after its rows have been moved there.
    ///
    /// - Throws: ``SiloError``: no such cell, no such organization; `StorageError`.
    public func move(organizationID: Int64, to cell: CellName) async throws {
        let cell = try directory.cell(named: cell.description).name
        try await change(organizationID, "cell_name = ?", [.text(cell.description)])
    }

    /// How many organizations live in each cell, by its name; cells without any are left out.
    public func countsByCell() async throws -> [String: Int64] {
        try await database.read { transaction in
            let rows = try transaction.rows(
                "SELECT cell_name, COUNT(*) AS count FROM organization_mappings WHERE is_deleted = 0 GROUP BY cell_name"
            )
            var counts: [String: Int64] = [:]
            for row in rows { counts[try row.text("cell_name")] = try row.integer("count") }
            return counts
        }
    }

    /// A cell may leave the configuration when nobody lives there any more.
    ///
    /// - Throws: ``SiloError/configuration(_:)`` that names a cell and one of its organizations; `StorageError`.
    public func checkUnused(_ cells: [CellName]) async throws {
        let slugs = try await database.read { transaction in
            try cells.map { cell in
                try transaction.row(
                    "SELECT slug FROM organization_mappings WHERE cell_name = ? AND is_deleted = 0 LIMIT 1",
                    [.text(cell.description)]
                )?.text("slug")
            }
        }
        for (cell, slug) in zip(cells, slugs) {
            guard let slug else { continue }
            throw SiloError.configuration(
                "cells: \(cell) is not there any more, but organizations live in it, such as \(slug)")
        }
    }

    /// Gives organizations of before there were cells their rows, in the fallback cell.
    ///
    /// - Returns: how many there were.
    @discardableResult
    public func adoptOrganizations() async throws -> Int {
        let fallback = directory.fallbackCell
        return try await database.write { transaction in
            let rows = try transaction.rows(
                """
                SELECT id, slug, created_at FROM organizations
                WHERE id NOT IN (SELECT organization_id FROM organization_mappings) ORDER BY id
                """
            ).map(Organization.init)
            for row in rows {
                _ = try Self.insert(id: row.id, slug: row.slug, cell: fallback, createdAt: row.createdAt, transaction)
                try APIKeyChanges.noteAll(organizationID: row.id, transaction)
            }
            return rows.count
        }
    }

    private func change(_ organizationID: Int64, _ assignment: String, _ values: [SQLValue]) async throws {
        try await database.write { try Self.change(organizationID, assignment, values, $0) }
    }

    private static func change(
        _ organizationID: Int64, _ assignment: String, _ values: [SQLValue], _ transaction: WriteTransaction
    ) throws {
        let sequence = try history.next(transaction)
        let count = try transaction.execute(
            "UPDATE organization_mappings SET sequence = ?, \(assignment) WHERE organization_id = ? AND is_deleted = 0",
            [.integer(sequence)] + values + [.integer(organizationID)]
        )
        guard count > 0 else { throw SiloError.notFound("there is no organization \(organizationID)") }
        // The cell that it has come to needs the keys, the one that it has left must forget them.
        try APIKeyChanges.noteAll(organizationID: organizationID, transaction)
    }

    private static func insert(
        id: Int64, slug: String, cell: CellName, createdAt: Int64, _ transaction: WriteTransaction
    ) throws -> OrganizationMapping {
        let sequence = try history.next(transaction)
        try transaction.execute(
            """
            INSERT INTO organization_mappings (organization_id, slug, cell_name, sequence, is_deleted, created_at)
            VALUES (?, ?, ?, ?, 0, ?)
            """,
            [.integer(id), .text(slug), .text(cell.description), .integer(sequence), .integer(createdAt)]
        )
        return OrganizationMapping(
            organizationID: id, slug: slug, cellName: cell.description, sequence: sequence, createdAt: createdAt)
    }

    // MARK: - OrganizationCells

    public func cell(of organization: OrganizationReference) async throws -> String? {
        try await find(organization)?.cellName
    }

    /// Nobody knows better than this table.
    public func refreshedCell(of organization: OrganizationReference) async throws -> String? {
        try await cell(of: organization)
    }

    public func someCells() async throws -> [String] {
        try await database.read { transaction in
            try transaction.rows(
                "SELECT DISTINCT cell_name FROM organization_mappings WHERE is_deleted = 0 ORDER BY cell_name LIMIT 2"
            ).map { try $0.text("cell_name") }
        }
    }

    /// The distinct cells of the given organizations, by name.
    ///
    /// - Throws: ``SiloError/cellResolution(_:)`` for a row that names an unknown cell.
    public func cells(ofOrganizations ids: [Int64]) async throws -> [CellName] {
        guard !ids.isEmpty else { return [] }
        let marks = Array(repeating: "?", count: ids.count).joined(separator: ", ")
        let names = try await database.read { transaction in
            try transaction.rows(
                """
                SELECT DISTINCT cell_name FROM organization_mappings
                WHERE is_deleted = 0 AND organization_id IN (\(marks)) ORDER BY cell_name
                """, ids.map { .integer($0) }
            ).map { try $0.text("cell_name") }
        }
        return try names.map { try directory.cell(named: $0).name }
    }

    /// The cell of an organization that is given as a person would: decimal digits are an id, else it is a slug.
    ///
    /// - Throws: ``SiloError/mappingNotFound(_:)``, ``SiloError/cellResolution(_:)`` for a row that names an unknown
    ///   cell.
    public func cell(forOrganization text: String) async throws -> Cell {
        let isID = !text.isEmpty && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        let reference = isID ? Int64(text).map { OrganizationReference.id($0) } : .slug(text)
        guard let reference, let name = try await cell(of: reference) else {
            throw SiloError.mappingNotFound("no cell has the organization \"\(text.prefix(64))\"")
        }
        return try directory.cell(named: name)
    }

    private func find(_ organization: OrganizationReference) async throws -> OrganizationMapping? {
        let (column, value): (String, SQLValue) =
            switch organization {
            case .id(let id): ("organization_id", .integer(id))
            case .slug(let slug): ("slug", .text(slug))
            }
        return try await database.read { transaction in
            try transaction.row(
                "SELECT * FROM organization_mappings WHERE \(column) = ? AND is_deleted = 0", [value]
            ).map(OrganizationMapping.init(row:))
        }
    }
}

extension OrganizationMapping {
    init(row: SQLRow) throws {
        self.init(
            organizationID: try row.integer("organization_id"), slug: try row.text("slug"),
            cellName: try row.text("cell_name"), sequence: try row.integer("sequence"),
            deleted: try row.boolean("is_deleted"), createdAt: try row.integer("created_at")
        )
    }
}
