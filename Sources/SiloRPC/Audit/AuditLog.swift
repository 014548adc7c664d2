import Logging
import Storage

/// One call, or one command of the operator, that may have changed something.
public struct AuditEntry: Sendable, Hashable {
    public let id: Int64
    /// When it began: milliseconds since 1970 UTC.
    public let at: Int64
    public let organizationID: Int64
    /// 0 for the command line.
    public let keyID: Int64
    /// `/service/method`, or the words of a command.
    public let method: String
    /// The numbers in the request, such as `repositoryId=3`.
    public let subject: String
    public let peer: String
    public let requestID: String
    /// How it ended: a status code's name; ``AuditLog/started`` when that is not known.
    public let outcome: String
}

/// Who changed what, and when: rows in the database, and a line each in the log.
public struct AuditLog: Sendable {
    /// Outcome of an entry whose call runs, or did when the server ended.
    public static let started = "STARTED"
    /// Entries between two looks for those that are too old.
    private static let sweepInterval: Int64 = 1000

    private let database: Database
    private let logger: Logger
    private let retentionDays: Int

    /// - Parameter retentionDays: older entries are deleted, a thousand entries later at the latest.
    public init(_ database: Database, logger: Logger = Logger(label: "audit"), retentionDays: Int = 365) {
        self.database = database
        self.logger = logger
        self.retentionDays = retentionDays
    }

    /// Notes that something is about to be changed.
    ///
    /// - Returns: the entry's id, for ``end(_:outcome:)``.
    /// - Throws: `StorageError`: it must not be changed then.
    public func begin(
        organizationID: Int64, keyID: Int64 = 0, method: String, subject: String, peer: String, requestID: String = "",
        outcome: String = AuditLog.started
    ) async throws -> Int64 {
        let now = EpochTime.now
        let oldest = now - Int64(retentionDays) * 86_400_000
        let id = try await database.write { transaction in
            let row = try transaction.row(
                """
                INSERT INTO audit_entries (at, organization_id, key_id, method, subject, peer, request_id, outcome)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
                """,
                [
                    .integer(now), .integer(organizationID), .integer(keyID), .text(method), .text(subject), .text(peer),
                    .text(requestID), .text(outcome),
                ]
            )
            let id = try row?.integer("id") ?? 0
            if id % Self.sweepInterval == 1 {
                try transaction.execute("DELETE FROM audit_entries WHERE at < ?", [.integer(oldest)])
            }
            return id
        }
        logger.notice("audit", metadata: [
            "audit_id": "\(id)", "organization": "\(organizationID)", "key": "\(keyID)", "method": "\(method)",
            "subject": "\(subject)", "peer": "\(peer)", "request_id": "\(requestID)", "outcome": "\(outcome)",
        ])
        return id
    }

    /// Notes how it ended. An entry that cannot be completed stays ``started``, and the log has the outcome.
    public func end(_ id: Int64, outcome: String) async {
        logger.notice("audit", metadata: ["audit_id": "\(id)", "outcome": "\(outcome)"])
        do {
            try await database.write { transaction in
                _ = try transaction.execute(
                    "UPDATE audit_entries SET outcome = ? WHERE id = ?", [.text(outcome), .integer(id)]
                )
            }
        } catch {
            logger.error("an audit entry was not completed", metadata: ["audit_id": "\(id)", "error": "\(error)"])
        }
    }

    /// Entries, newest first.
    ///
    /// - Parameters:
    ///   - organizationID: 0 for all.
    ///   - keyID: 0 for all.
    ///   - id: only older ones than this; nil for the newest.
    public func list(
        organizationID: Int64 = 0, keyID: Int64 = 0, before id: Int64? = nil, limit: Int
    ) async throws -> [AuditEntry] {
        try await database.read { transaction in
            try transaction.rows(
                """
                SELECT * FROM audit_entries
                WHERE (? = 0 OR organization_id = ?) AND (? = 0 OR key_id = ?) AND id < ? ORDER BY id DESC LIMIT ?
                """,
                [
                    .integer(organizationID), .integer(organizationID), .integer(keyID), .integer(keyID),
                    .integer(id ?? .max), .integer(Int64(limit)),
                ]
            ).map(AuditEntry.init)
        }
    }
}

extension AuditEntry {
    init(_ row: SQLRow) throws {
        self.init(
            id: try row.integer("id"), at: try row.integer("at"), organizationID: try row.integer("organization_id"),
            keyID: try row.integer("key_id"), method: try row.text("method"), subject: try row.text("subject"),
            peer: try row.text("peer"), requestID: try row.text("request_id"), outcome: try row.text("outcome")
        )
    }
}
