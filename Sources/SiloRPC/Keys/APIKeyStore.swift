import Storage

/// Rows of API keys.
public struct APIKeyStore: Sendable {
    private let database: Database

    public init(_ database: Database) {
        self.database = database
    }

    /// Adds a key to an organization, as ``create(_:)``.
    public func create(
        organizationID: Int64,
        name: String = "",
        scopes: Set<Scope> = Scope.usual,
        text: String? = nil
    ) async throws -> (key: APIKey, text: String) {
        try await create(NewAPIKey(organizationID: organizationID, name: name, scopes: scopes, text: text))
    }

    /// Adds a key to an organization.
    ///
    /// - Returns: the row, and the key's text, which cannot be had again.
    /// - Throws: ``SiloError``: no such organization, invalid key, or the key is taken; `StorageError`.
    public func create(_ new: NewAPIKey) async throws -> (key: APIKey, text: String) {
        try new.check()
        let text = new.text ?? KeyText.generate()
        let stored = try await mappingConstraints(new) {
            try await database.write { try Self.insert(new, text: text, $0) }
        }
        return (stored, text)
    }

    /// Makes a new key with the properties of an old one, and lets the old one expire.
    ///
    /// - Parameter overlap: milliseconds that the old key stays valid, unless it ends earlier anyway.
    /// - Returns: the new row, its text, which cannot be had again, and the old row.
    /// - Throws: ``SiloError``: no such key, or it is revoked or expired; `StorageError`.
    public func rotate(id: Int64, overlap: Int64) async throws -> (key: APIKey, text: String, old: APIKey) {
        let text = KeyText.generate()
        let now = EpochTime.now
        let end = now.addingReportingOverflow(max(0, overlap)).partialValue
        return try await database.write { transaction in
            let row = try transaction.row("SELECT * FROM api_keys WHERE id = ?", [.integer(id)])
            guard let old = try row.map(APIKey.init) else { throw Self.noKey(id) }
            guard old.isValid(at: now) else {
                throw SiloError.wrongState("API key \(id) is revoked or expired: make a new one")
            }
            var new = NewAPIKey(
                organizationID: old.organizationID, name: old.name, scopes: old.scopes,
                callsPerMinute: old.callsPerMinute, isSigning: old.isSigning
            )
            new.replacesID = id
            let key = try Self.insert(new, text: text, transaction)
            let shortened = try transaction.row(
                "UPDATE api_keys SET expires_at = ? WHERE id = ? RETURNING *",
                [.integer(min(end, old.expiresAt ?? .max)), .integer(id)]
            )
            guard let shortened else { throw Self.noKey(id) }
            try APIKeyChanges.note(id: id, organizationID: old.organizationID, transaction)
            return (key, text, try APIKey(shortened))
        }
    }

    /// Lets a key end at a time, or never. A running server notices as with ``revoke(id:)``.
    ///
    /// - Parameter expiresAt: milliseconds since 1970 UTC; nil for never.
    /// - Throws: ``SiloError`` when there is no such key, or it is revoked; `StorageError`.
    @discardableResult
    public func expire(id: Int64, at expiresAt: Int64?) async throws -> APIKey {
        try await database.write { transaction in
            let row = try transaction.row(
                "UPDATE api_keys SET expires_at = ? WHERE id = ? RETURNING *",
                [expiresAt.map { .integer($0) } ?? .null, .integer(id)]
            )
            guard let key = try row.map(APIKey.init) else { throw Self.noKey(id) }
            guard key.isActive else { throw SiloError.wrongState("API key \(id) is revoked for good") }
            try APIKeyChanges.note(id: id, organizationID: key.organizationID, transaction)
            return key
        }
    }

    private static func insert(_ new: NewAPIKey, text: String, _ transaction: WriteTransaction) throws -> APIKey {
        let row = try transaction.row(
            """
            INSERT INTO api_keys (organization_id, hash, prefix, name, scopes, is_active, created_at, expires_at,
                calls_per_minute, signing_key, replaces_id)
            VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?) RETURNING *
            """,
            [
                .integer(new.organizationID), .blob(KeyText.hash(text)),
                .text(String(text.prefix(KeyText.prefixCount))),
                .text(new.name), .text(Self.text(of: new.scopes)), .integer(EpochTime.now),
                new.expiresAt.map { .integer($0) } ?? .null, new.callsPerMinute.map { .integer(Int64($0)) } ?? .null,
                new.isSigning ? .blob(RequestSignature.signingKey(of: text)) : .null,
                new.replacesID.map { .integer($0) } ?? .null,
            ]
        )
        guard let row else { throw SiloError.invalid("the API key was not stored") }
        let key = try APIKey(row)
        try APIKeyChanges.note(id: key.id, organizationID: key.organizationID, transaction)
        return key
    }

    private func mappingConstraints<R>(_ new: NewAPIKey, _ body: () async throws -> R) async throws -> R {
        do {
            return try await body()
        } catch let error as StorageError where error.isUniqueViolation {
            throw SiloError.exists("this API key exists")
        } catch let error as StorageError where error.isConstraintViolation {
            throw SiloError.notFound("there is no organization \(new.organizationID)")
        }
    }

    private static func noKey(_ id: Int64) -> SiloError {
        SiloError.notFound("there is no API key \(id)")
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

    /// A page of keys by id, of one organization or of all.
    func list(organizationID: Int64, after id: Int64, limit: Int) async throws -> [APIKey] {
        try await database.read { transaction in
            try transaction.rows(
                "SELECT * FROM api_keys WHERE (? = 0 OR organization_id = ?) AND id > ? ORDER BY id LIMIT ?",
                [.integer(organizationID), .integer(organizationID), .integer(id), .integer(Int64(limit))]
            ).map(APIKey.init)
        }
    }

    /// A key that signs, with what it signs with; nil when there is none of that id.
    func findSigning(id: Int64) async throws -> (key: APIKey, secret: [UInt8])? {
        try await database.read { transaction in
            let row = try transaction.row(
                "SELECT * FROM api_keys WHERE id = ? AND signing_key IS NOT NULL", [.integer(id)]
            )
            return try row.map { (try APIKey($0), try $0.blob("signing_key")) }
        }
    }

    /// The keys that have changed after a place in the history, by whatever process; nil for all of them.
    func changes(after place: ChangeHistory.Place?) async throws -> (keyIDs: Set<Int64>?, place: ChangeHistory.Place) {
        try await database.read { try APIKeyChanges.changed(after: place, $0) }
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

    /// Makes a key invalid for good and keeps its row. A running server notices, whatever process does it, before the
    /// first call that comes ``KeyChangeWatch/interval`` later.
    ///
    /// - Throws: ``SiloError`` when there is no such key, `StorageError`.
    public func revoke(id: Int64) async throws {
        try await database.write { transaction in
            let row = try transaction.row(
                "UPDATE api_keys SET is_active = 0 WHERE id = ? RETURNING organization_id", [.integer(id)])
            guard let row else { throw Self.noKey(id) }
            try APIKeyChanges.note(id: id, organizationID: try row.integer("organization_id"), transaction)
        }
    }

    /// Deletes a key. A running server notices as with ``revoke(id:)``.
    ///
    /// - Throws: ``SiloError`` when there is no such key, `StorageError`.
    public func remove(id: Int64) async throws {
        try await database.write { transaction in
            let row = try transaction.row("DELETE FROM api_keys WHERE id = ? RETURNING organization_id", [.integer(id)])
            guard let row else { throw Self.noKey(id) }
            try APIKeyChanges.note(
                id: id, organizationID: try row.integer("organization_id"), isDeleted: true, transaction)
        }
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
            lastUsedAt: try row.integerOrNil("last_used_at"),
            expiresAt: try row.integerOrNil("expires_at"),
            callsPerMinute: try row.integerOrNil("calls_per_minute").map { Int(clamping: $0) },
            isSigning: try row.value("signing_key") != .null,
            replacesID: try row.integerOrNil("replaces_id")
        )
    }
}
