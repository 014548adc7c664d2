import Storage

/// Numbers the changes of one table of control, so that replicas can ask for what came after a number.
///
/// The numbers are given inside the transaction that makes the change, and SQLite has one writer at a time: who sees a
/// number has seen all smaller ones. The epoch is new in a database that was made anew or brought back from a backup
/// without it: replicas then begin again.
struct ChangeHistory: Sendable {
    let name: String

    /// The number of a change that is being made.
    func next(_ transaction: WriteTransaction) throws -> Int64 {
        let row = try transaction.row(
            """
            INSERT INTO silo_histories (name, epoch, sequence) VALUES (?, ?, 1)
            ON CONFLICT (name) DO UPDATE SET sequence = silo_histories.sequence + 1 RETURNING sequence
            """,
            [.text(name), .text(Self.makeEpoch())]
        )
        return try row?.integer("sequence") ?? 1
    }

    /// nil before the first change.
    func epoch(_ transaction: ReadTransaction) throws -> String? {
        try transaction.row("SELECT epoch FROM silo_histories WHERE name = ?", [.text(name)])?.text("epoch")
    }

    private static func makeEpoch() -> String {
        SecureRandom.bytes(8).map { byte in
            let text = String(byte, radix: 16)
            return byte < 16 ? "0" + text : text
        }.joined()
    }
}
