import Storage

/// Rows of API keys.
public struct APIKeyStore: Sendable {
    private let database: Database

    public init(_ database: Database) {
        self.database = database
    }

    /// Adds a key to an organization.
    ///
    /// - Parameters:
    ///   - text: A key to use instead of a new random one: 20 to 256 printable ASCII characters.
    /// - Returns: the row, and the key's text, which cannot be had again.
    /// - Throws: ``SiloError``: no such organization, invalid key, or the key is taken; `StorageError`.
    public func create(
        organizationID: Int64,
        name: String = "",
        scopes: Set<Scope> = Scope.usual,
        text: String? = nil
    ) async throws -> (key: APIKey, text: String) {
        if let text { try KeyText.check(text) }
        let text = text ?? KeyText.generate()
        let prefix = String(text.prefix(KeyText.prefixCount))
        let now = EpochTime.now
        let arguments: [SQLValue] = [
            .integer(organizationID), .blob(KeyText.hash(text)), .text(prefix), .text(name),
            .text(Self.text(of: scopes)), .integer(now),
        ]
        do {
            let stored = try await database.write { transaction in
                try transaction.row(
                    """
                    INSERT INTO api_keys (organization_id, hash, prefix, name, scopes, is_active, created_at)
                    VALUES (?, ?, ?, ?, ?, 1, ?) RETURNING *
                    """,
                    arguments
                ).map(APIKey.init)
            }
            guard let stored else { throw SiloError.invalid("the API key was not stored") }
            return (stored, text)
        } catch let error as StorageError where error.isUniqueViolation {
            throw SiloError.exists("this API key exists")
        } catch let error as StorageError where error.isConstraintViolation {
            throw SiloError.notFound("there is no organization \(organizationID)")
        }
    }

    /// An organization's keys by id, revoked ones included; all keys without an organization.
    public func list(organizationID: Int64? = nil) async throws -> [APIKey] {
        try await database.read { transaction in
            guard let organizationID else {
                return try transaction.rows("SELECT * FROM api_keys ORDER BY id").map(APIKey.init)
            }
            return try transaction.rows(
                "SELECT * FROM api_keys WHERE organization_id = ? ORDER BY id", [.integer(organizationID)]
            ).map(APIKey.init)
        }
    }

    /// The row of a key's text, revoked or not; nil when it is unknown.
    public func find(text: String) async throws -> APIKey? {
        try await find(hash: KeyText.hash(text))
    }

    func find(hash: [UInt8]) async throws -> APIKey? {
        try await database.read { transaction in
            try transaction.row("SELECT * FROM api_keys WHERE hash = ?", [.blob(hash)]).map(APIKey.init)
        }
    }

    /// Makes a key invalid for good and keeps its row. A running server notices within
    /// ``APIKeyInterceptor/cacheLifetime``.
    ///
    /// - Throws: ``SiloError`` when there is no such key, `StorageError`.
    public func revoke(id: Int64) async throws {
        let count = try await database.write { transaction in
            try transaction.execute("UPDATE api_keys SET is_active = 0 WHERE id = ?", [.integer(id)])
        }
        guard count > 0 else { throw SiloError.notFound("there is no API key \(id)") }
    }

    /// Deletes a key. A running server notices as with ``revoke(id:)``.
    ///
    /// - Throws: ``SiloError`` when there is no such key, `StorageError`.
    public func remove(id: Int64) async throws {
        let count = try await database.write { transaction in
            try transaction.execute("DELETE FROM api_keys WHERE id = ?", [.integer(id)])
        }
        guard count > 0 else { throw SiloError.notFound("there is no API key \(id)") }
    }

    /// Remembers that a key was used, unless that is known for the last hour.
    func noteUse(_ key: APIKey, now: Int64) async throws {
        guard Self.isUseDue(key, now: now) else { return }
        try await database.write { transaction in
            _ = try transaction.execute(
                "UPDATE api_keys SET last_used_at = ? WHERE id = ?", [.integer(now), .integer(key.id)]
            )
        }
    }

    /// An hour is fine enough to see which keys are dead, and keeps writes off the path of calls.
    static func isUseDue(_ key: APIKey, now: Int64) -> Bool {
        guard let lastUsed = key.lastUsedAt else { return true }
        return now - lastUsed >= 3_600_000
    }

    private static func text(of scopes: Set<Scope>) -> String {
        scopes.map(\.rawValue).sorted().joined(separator: " ")
    }
}

extension APIKey {
    init(_ row: SQLRow) throws {
        self.init(
            id: try row.integer("id"),
            organizationID: try row.integer("organization_id"),
            prefix: try row.text("prefix"),
            name: try row.text("name"),
            // A scope of a later version means nothing to this one.
            scopes: Set(try row.text("scopes").split(separator: " ").compactMap { Scope(rawValue: String($0)) }),
            isActive: try row.boolean("is_active"),
            createdAt: try row.integer("created_at"),
            lastUsedAt: try row.integerOrNil("last_used_at")
        )
    }
}
