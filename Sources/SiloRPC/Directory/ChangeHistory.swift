import Storage

/// Numbers the changes of one table of control, so that replicas can ask for what came after a number.
///
/// The numbers are given inside the transaction that makes the change, and SQLite has one writer at a time: who sees a
/// number has seen all smaller ones. A database that is brought back from a backup, or has lost its last transactions,
/// gives numbers again that replicas have seen already. So each process that changes the table begins a new epoch
/// first, and remembers where the one before ended:
///
/// ```
/// this database    epoch a: 1 ... 90 | b: 91 ...
/// a replica at     (a, 88) goes on    (a, 95), (lost, 97): of another future, begins from 0
/// ```
struct ChangeHistory: Sendable {
    /// How far somebody has followed a history.
    struct Place: Sendable, Equatable {
        /// Empty before the first change.
        var epoch = ""
        var sequence: Int64 = 0
    }

    /// A replica that has not asked for so many epochs begins from 0.
    static let maximumEpochCount = 1000

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

    /// Where the history is.
    func place(_ transaction: ReadTransaction) throws -> Place {
        let row = try transaction.row("SELECT epoch, sequence FROM silo_histories WHERE name = ?", [.text(name)])
        return try row.map { Place(epoch: try $0.text("epoch"), sequence: try $0.integer("sequence")) } ?? Place()
    }

    /// Ends the epoch and begins another one.
    func beginEpoch(_ transaction: WriteTransaction) throws {
        try transaction.execute(
            """
            INSERT INTO silo_history_epochs (name, epoch, last_sequence)
            SELECT name, epoch, sequence FROM silo_histories WHERE name = ?
            """, [.text(name)])
        try transaction.execute(
            "UPDATE silo_histories SET epoch = ? WHERE name = ?", [.text(Self.makeEpoch()), .text(name)])
        try transaction.execute(
            """
            DELETE FROM silo_history_epochs WHERE name = ? AND id NOT IN
                (SELECT id FROM silo_history_epochs WHERE name = ? ORDER BY id DESC LIMIT ?)
            """, [.text(name), .text(name), .integer(Int64(Self.maximumEpochCount))])
    }

    /// Whether everything that a replica at `place` has seen is in this history.
    func contains(_ place: Place, _ transaction: ReadTransaction) throws -> Bool {
        let now = try self.place(transaction)
        if place.epoch == now.epoch { return place.sequence <= now.sequence }
        let end = try transaction.row(
            "SELECT last_sequence FROM silo_history_epochs WHERE name = ? AND epoch = ?",
            [.text(name), .text(place.epoch)])
        return try end.map { place.sequence <= (try $0.integer("last_sequence")) } ?? false
    }

    private static func makeEpoch() -> String {
        SecureRandom.bytes(8).map { byte in
            let text = String(byte, radix: 16)
            return byte < 16 ? "0" + text : text
        }.joined()
    }
}

extension Database {
    /// Begins new epochs of control's histories: to be called by each process that changes organizations or keys of
    /// control, before its first change; by a server also before it answers anybody.
    ///
    /// - Throws: `StorageError`.
    public func beginSiloEpoch() async throws {
        try await write { transaction in
            try OrganizationMappingStore.history.beginEpoch(transaction)
            try APIKeyChanges.history.beginEpoch(transaction)
        }
    }
}
