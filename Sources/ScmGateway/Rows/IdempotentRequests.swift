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
            """,
            [
                .integer(organizationID), .text(method), .text(requestID), .blob(bodyHash), .blob(response),
                .integer(now),
            ]
        )
    }
}
