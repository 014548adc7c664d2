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
    /// Ids in the answer, such as `id=7`.
    public let result: String
}

/// Which entries of an ``AuditLog`` are wanted. 0 and empty texts leave a condition out.
public struct AuditFilter: Sendable {
    public var organizationID: Int64 = 0
    public var keyID: Int64 = 0
    /// Part of the method's path, or of a command's words.
    public var method = ""
    /// The whole outcome, such as `NOT_FOUND`.
    public var outcome = ""
    /// A whole word of ``AuditEntry/subject`` or ``AuditEntry/result``, such as `repositoryId=3`.
    public var subject = ""
    /// Milliseconds since 1970 UTC; nil for the beginning.
    public var since: Int64?
    /// Milliseconds since 1970 UTC, exclusive; nil for the end.
    public var until: Int64?

    public init(organizationID: Int64 = 0, keyID: Int64 = 0) {
        self.organizationID = organizationID
        self.keyID = keyID
    }

    fileprivate var conditions: (sql: [String], arguments: [SQLValue]) {
        var (sql, arguments): ([String], [SQLValue]) = ([], [])
        func add(_ condition: String, _ values: [SQLValue], when isWanted: Bool) {
            guard isWanted else { return }
            sql.append(condition)
            arguments += values
        }
        add("organization_id = ?", [.integer(organizationID)], when: organizationID != 0)
        add("key_id = ?", [.integer(keyID)], when: keyID != 0)
        add("instr(method, ?) > 0", [.text(method)], when: !method.isEmpty)
        add("outcome = ?", [.text(outcome)], when: !outcome.isEmpty)
        add("instr(' ' || subject || ' ' || result || ' ', ?) > 0", [.text(" \(subject) ")], when: !subject.isEmpty)
        add("at >= ?", [.integer(since ?? 0)], when: since != nil)
        add("at < ?", [.integer(until ?? 0)], when: until != nil)
        return (sql, arguments)
    }
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
                    .integer(now), .integer(organizationID), .integer(keyID), .text(method), .text(subject),
                    .text(peer),
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
    ///
    /// - Parameter result: ids in the answer.
    public func end(_ id: Int64, outcome: String, result: String = "") async {
        logger.notice("audit", metadata: ["audit_id": "\(id)", "outcome": "\(outcome)", "result": "\(result)"])
        do {
            try await database.write { transaction in
                _ = try transaction.execute(
                    "UPDATE audit_entries SET outcome = ?, result = ? WHERE id = ?",
                    [.text(outcome), .text(result), .integer(id)]
                )
            }
        } catch {
            logger.error("an audit entry was not completed", metadata: ["audit_id": "\(id)", "error": "\(error)"])
        }
    }

    /// Entries, newest first.
    ///
    /// - Parameters:
    ///   - filter: which ones.
    ///   - id: only older ones than this; nil for the newest.
    public func list(
        _ filter: AuditFilter = AuditFilter(), before id: Int64? = nil, limit: Int
    ) async throws -> [AuditEntry] {
        let (conditions, arguments) = filter.conditions
        return try await database.read { transaction in
            try transaction.rows(
                """
                SELECT * FROM audit_entries
                WHERE \((["id < ?"] + conditions).joined(separator: " AND ")) ORDER BY id DESC LIMIT ?
                """,
                [.integer(id ?? .max)] + arguments + [.integer(Int64(limit))]
            ).map(AuditEntry.init)
        }
    }
}

extension AuditEntry {
    init(_ row: SQLRow) throws {
        self.init(
            id: try row.integer("id"), at: try row.integer("at"), organizationID: try row.integer("organization_id"),
            keyID: try row.integer("key_id"), method: try row.text("method"), subject: try row.text("subject"),
            peer: try row.text("peer"), requestID: try row.text("request_id"), outcome: try row.text("outcome"),
            result: try row.text("result")
        )
    }
}
