import SiloRPC
import Storage

/// Entries in the order in which they came. Nothing keeps one from being written twice but the class of the methods.
struct Ledger: CellLedgerService, ControlLedgerService {
    static let migration = Migration(
        "ledger-1",
        sql: "CREATE TABLE ledger (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, entry TEXT NOT NULL)")

    let database: Database

    func book(organizationID: Int64, entry: String) async throws { try await write(entry) }

    func book(entry: String) async throws { try await write(entry) }

    private func write(_ entry: String) async throws {
        let claim = AnswerClaim.current
        try await database.write { transaction in
            try transaction.execute("INSERT INTO ledger (entry) VALUES (?)", [.text(entry)])
            // The answer is Empty, which has no bytes: whoever asks again after a crash gets it.
            try claim?.confirm(in: transaction, answer: [])
        }
    }
}
