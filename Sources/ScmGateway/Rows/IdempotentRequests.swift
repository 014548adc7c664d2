import SiloRPC
import Storage

/// Remembers the answers to requests with a `request_id` for 24 hours, per organization and method.
struct IdempotentRequest: Sendable {
    let organizationID: Int64
    let method: String
    let requestID: String
    /// SHA-256 of everything in the request that matters.
    let bodyHash: [UInt8]

    enum Memory: Sendable {
        case unknown
        /// The same request was answered with these bytes.
        case answered([UInt8])
        /// The id was used for another request.
        case differs
    }

    /// 24 hours in milliseconds.
    static let lifetime: Int64 = 86_400_000

    func recall(_ transaction: ReadTransaction) throws -> Memory {
        let row = try transaction.row(
            """
            SELECT body_hash, response FROM idempotent_requests
            WHERE organization_id = ? AND method = ? AND request_id = ? AND created_at >= ?
            """,
            [
                .integer(organizationID), .text(method), .text(requestID),
                .integer(EpochTime.now - Self.lifetime),
            ]
        )
        guard let row else { return .unknown }
        return try row.blob("body_hash") == bodyHash ? .answered(try row.blob("response")) : .differs
    }

    /// Also forgets what is older than 24 hours.
    func remember(_ response: [UInt8], _ transaction: WriteTransaction) throws {
        let now = EpochTime.now
        try transaction.execute(
            "DELETE FROM idempotent_requests WHERE created_at < ?", [.integer(now - Self.lifetime)]
        )
        try transaction.execute(
            """
            INSERT INTO idempotent_requests (organization_id, method, request_id, body_hash, response, created_at)
            VALUES (?, ?, ?, ?, ?, ?)
            ON CONFLICT (organization_id, method, request_id) DO UPDATE SET body_hash = excluded.body_hash,
                response = excluded.response, created_at = excluded.created_at
            """,
            [
                .integer(organizationID), .text(method), .text(requestID), .blob(bodyHash), .blob(response),
                .integer(now),
            ]
        )
    }
}

/// What was deleted within the last 24 hours: deleting it again is no error, so that a client may repeat a call whose
/// answer it has lost.
struct Deletion: Sendable {
    private let memory: IdempotentRequest

    /// - Parameter ids: what the method names the row with.
    init(_ method: String, _ ids: Int64..., organizationID: Int64) {
        // No request id looks like this: they are UUIDs.
        let key = ids.map(String.init).joined(separator: "/")
        memory = IdempotentRequest(organizationID: organizationID, method: method, requestID: key, bodyHash: [])
    }

    func note(_ transaction: WriteTransaction) throws { try memory.remember([], transaction) }

    func isKnown(_ transaction: ReadTransaction) throws -> Bool {
        if case .answered = try memory.recall(transaction) { true } else { false }
    }
}
