import Storage

/// Rows of organizations.
public struct OrganizationStore: Sendable {
    private let database: Database

    public init(_ database: Database) {
        self.database = database
    }

    /// Adds an organization.
    ///
    /// - Parameter slug: 1 to 64 characters of `a-z`, `0-9`, `-`, not at the ends.
    /// - Throws: ``SiloError`` when the slug is invalid or taken, `StorageError`.
    public func create(slug: String) async throws -> Organization {
        try Self.check(slug)
        let now = EpochTime.now
        do {
            let id = try await database.write { transaction in
                try transaction.row(
                    "INSERT INTO organizations (slug, created_at) VALUES (?, ?) RETURNING id",
                    [.text(slug), .integer(now)]
                )?.integer("id")
            }
            guard let id else { throw SiloError.invalid("the organization was not stored") }
            return Organization(id: id, slug: slug, createdAt: now)
        } catch let error as StorageError where error.isUniqueViolation {
            throw SiloError.exists("an organization \"\(slug)\" exists")
        }
    }

    /// All organizations by id.
    public func list() async throws -> [Organization] {
        try await database.read { transaction in
            try transaction.rows("SELECT id, slug, created_at FROM organizations ORDER BY id").map(Organization.init)
        }
    }

    /// nil when there is none.
    public func find(id: Int64) async throws -> Organization? {
        try await database.read { transaction in
            try transaction.row("SELECT id, slug, created_at FROM organizations WHERE id = ?", [.integer(id)])
                .map(Organization.init)
        }
    }

    /// nil when there is none.
    public func find(slug: String) async throws -> Organization? {
        try await database.read { transaction in
            try transaction.row("SELECT id, slug, created_at FROM organizations WHERE slug = ?", [.text(slug)])
                .map(Organization.init)
        }
    }

    /// Removes an organization that owns nothing any more.
    ///
    /// - Throws: ``SiloError`` when there is none, or when it owns keys or repositories; `StorageError`.
    public func remove(id: Int64) async throws {
        do {
            let count = try await database.write { transaction in
                try transaction.execute("DELETE FROM organizations WHERE id = ?", [.integer(id)])
            }
            guard count > 0 else { throw SiloError.notFound("there is no organization \(id)") }
        } catch let error as StorageError where error.isConstraintViolation {
            throw SiloError.invalid("organization \(id) still owns API keys or repositories: remove them first")
        }
    }

    static func check(_ slug: String) throws(SiloError) {
        let bytes = Array(slug.utf8)
        let hyphen = UInt8(ascii: "-")
        let isAllowed = bytes.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == hyphen
        }
        guard isAllowed, (1...64).contains(bytes.count), bytes.first != hyphen, bytes.last != hyphen else {
            throw SiloError.invalid(
                "an organization's slug has 1 to 64 characters of a-z, 0-9 and \"-\", with no \"-\" at its ends"
            )
        }
    }
}

extension Organization {
    init(_ row: SQLRow) throws {
        self.init(id: try row.integer("id"), slug: try row.text("slug"), createdAt: try row.integer("created_at"))
    }
}
