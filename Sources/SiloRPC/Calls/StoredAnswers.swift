import RPC
import Storage
import Synchronization

/// Answers of calls with an idempotency key, in the database: whoever sends the same call again gets the same answer,
/// and the service runs once, restarts included.
///
/// ```
///             claim                      answer
///   (no row) -------> claimed --------------------------> answered
///                       |  ^                                ^
///                       |  | service threw: row removed      |
///             confirm() |                                    |
///       (in the service's own transaction)                   |
///                       +---> confirmed --- answer ----------+
/// ```
///
/// After a crash a row may stay `claimed`: a method that is `idempotent` is then run again, one that is `once` never is
/// (``SiloError/outcomeUnknown(method:)``). A service that calls ``AnswerClaim/confirm(in:answer:)`` in the transaction
/// that does the work leaves no doubt: what is not confirmed was not done, and what is done has its answer.
public struct StoredAnswers: Sendable {
    /// How long answers are kept. Default one day.
    public var age: Duration = .seconds(86_400)
    /// A larger answer is not kept: whoever repeats the call is told that it was done. Default 256 KiB.
    public var maximumAnswerByteCount = 256 * 1024

    private let database: Database
    private let owner: String

    /// - Parameter database: with the migrations of ``SiloSchema``. One server at a time uses it.
    public init(_ database: Database) {
        self.database = database
        owner = RequestID.make()
    }

    private enum State: String { case claimed, confirmed, answered }

    private enum Claim: Sendable {
        case ours
        case running
        case answered([UInt8])
        case unknown
        case otherRequest
    }

    /// - Parameter request: the encoded request message.
    /// - Throws: what `produce` throws; ``SiloError``: validation when the key was used for another request, the
    ///   outcome unknown; `RPCError` ABORTED while the first call still runs; `StorageError`.
    public func answer(
        _ call: SiloInboundCall, key: String, request: [UInt8], _ produce: @Sendable () async throws -> [UInt8]
    ) async throws -> [UInt8] {
        guard (1...48).contains(key.utf8.count) else {
            throw SiloError.validation(code: "idempotency-key", message: "an idempotency key has 1 to 48 bytes")
        }
        let row = AnswerRow(call, key, request)
        switch try await claim(row, reruns: call.method.idempotency == .idempotent) {
        case .answered(let answer): return answer
        case .unknown: throw SiloError.outcomeUnknown(method: call.method.key)
        case .otherRequest:
            throw SiloError.validation(
                code: "idempotency-key", message: "this idempotency key was used for another request")
        case .running:
            var error = RPCError(.aborted, "the first call with this idempotency key is still running")
            error.retryPushback = .milliseconds(100)
            throw error
        case .ours: break
        }
        let answer: [UInt8]
        do {
            answer = try await AnswerClaim.$current.withValue(AnswerClaim(row: row)) { try await produce() }
        } catch {
            // Whoever waits for the answer may have gone; the row must say what happened all the same.
            _ = await Task { try? await release(row) }.value
            throw error
        }
        try await Task { try await store(answer, row) }.value
        return answer
    }

    private func claim(_ row: AnswerRow, reruns: Bool) async throws -> Claim {
        let (owner, now, oldest) = (owner, EpochTime.now, EpochTime.now - age.components.seconds * 1000)
        return try await database.write { transaction in
            try transaction.execute("DELETE FROM silo_answers WHERE created_at < ?", [.integer(oldest)])
            let inserted = try transaction.execute(
                """
                INSERT INTO silo_answers (source, method, call_key, request_hash, owner, state, created_at)
                VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, method, call_key) DO NOTHING
                """,
                row.identity + [.blob(row.hash), .text(owner), .text(State.claimed.rawValue), .integer(now)])
            if inserted > 0 { return .ours }
            guard let found = try transaction.row("SELECT * FROM silo_answers \(AnswerRow.condition)", row.identity)
            else {
                return .running
            }
            guard try found.blob("request_hash") == row.hash else { return .otherRequest }
            switch State(rawValue: try found.text("state")) {
            case .answered: return try found.blobOrNil("answer").map { .answered($0) } ?? .unknown
            case .claimed, .confirmed:
                if try found.text("owner") == owner { return .running }
                guard try found.text("state") == State.claimed.rawValue, reruns else { return .unknown }
                try transaction.execute(
                    "UPDATE silo_answers SET owner = ? \(AnswerRow.condition)", [.text(owner)] + row.identity)
                return .ours
            case nil: return .unknown
            }
        }
    }

    /// The service did nothing, unless it has confirmed before it failed.
    private func release(_ row: AnswerRow) async throws {
        try await database.write { transaction in
            _ = try transaction.execute(
                "DELETE FROM silo_answers \(AnswerRow.condition) AND state = ?",
                row.identity + [.text(State.claimed.rawValue)])
        }
    }

    private func store(_ answer: [UInt8], _ row: AnswerRow) async throws {
        let kept: SQLValue = answer.count <= maximumAnswerByteCount ? .blob(answer) : .null
        try await database.write { transaction in
            _ = try transaction.execute(
                "UPDATE silo_answers SET state = ?, answer = ? \(AnswerRow.condition)",
                [.text(State.answered.rawValue), kept] + row.identity)
        }
    }
}

/// Which row of `silo_answers` a call has.
struct AnswerRow: Sendable {
    static let condition = "WHERE source = ? AND method = ? AND call_key = ?"

    let identity: [SQLValue]
    let hash: [UInt8]

    init(_ call: SiloInboundCall, _ key: String, _ request: [UInt8]) {
        identity = [.text(call.source?.description ?? ""), .text(call.method.key), .text(key)]
        hash = SHA256.digest(request)
    }
}

/// The call with an idempotency key that a service is serving.
public struct AnswerClaim: Sendable {
    @TaskLocal public static var current: AnswerClaim?

    let row: AnswerRow

    /// Says, in the transaction that does the work, that the work is done: either both are in the database or neither.
    ///
    /// - Parameter answer: the encoded response, when it is known already: whoever repeats the call then gets it
    ///   whatever happens next; nil leaves "done" as all that is known after a crash.
    /// - Throws: `StorageError`
    public func confirm(in transaction: WriteTransaction, answer: [UInt8]? = nil) throws {
        try transaction.execute(
            "UPDATE silo_answers SET state = ?, answer = ? \(AnswerRow.condition)",
            [.text(answer == nil ? "confirmed" : "answered"), answer.map { .blob($0) } ?? .null] + row.identity)
    }
}
