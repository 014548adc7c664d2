import Storage
import Synchronization

/// A page of what has changed in one of control's tables.
struct ChangePage<Row: Sendable>: Sendable {
    let rows: [Row]
    /// The history that they are of.
    let epoch: String
    /// Where to ask from next.
    let next: Int64
    let hasMore: Bool
    /// What the replica holds is of this history, whatever the epoch was called.
    let continues: Bool

    /// Whether the rows are of another history than what a replica at `place` holds.
    func isAnother(than place: ChangeHistory.Place) -> Bool {
        !continues && (epoch != place.epoch || next < place.sequence)
    }
}

/// Brings a replica of one of control's tables up to date.
///
/// ```
/// place of the replica -> page of changes after it -> rows and new place stored in one transaction -> next page
/// ```
///
/// After a crash the next pull goes on where the last stored page ended. When control's history is not the one that the
/// replica has followed (``ChangeHistory``), everything is forgotten and the pages begin again from 0.
final class ReplicaPuller<Row: Sendable>: Sendable {
    /// The table, and the row in `silo_replicas`.
    let name: String
    private let database: Database
    private let fetch: @Sendable (_ epoch: String, _ after: Int64) async throws -> ChangePage<Row>
    private let clear: @Sendable (WriteTransaction) throws -> Void
    private let store: @Sendable (Row, WriteTransaction) throws -> Void
    private let state = Mutex(State())

    private struct State {
        var running: Task<Int, any Error>?
        var changed: (@Sendable ([Row]?) -> Void)?
    }

    init(
        name: String, database: Database,
        fetch: @escaping @Sendable (_ epoch: String, _ after: Int64) async throws -> ChangePage<Row>,
        clear: @escaping @Sendable (WriteTransaction) throws -> Void,
        store: @escaping @Sendable (Row, WriteTransaction) throws -> Void
    ) {
        self.name = name
        self.database = database
        self.fetch = fetch
        self.clear = clear
        self.store = store
    }

    /// Calls `changed` with the rows of every page, after they were stored; with nil when what was there is gone.
    func observe(_ changed: @escaping @Sendable ([Row]?) -> Void) { state.withLock { $0.changed = changed } }

    /// Many who pull at the same time share one pull.
    ///
    /// - Returns: how many rows came.
    func pull() async throws -> Int {
        let task = state.withLock { state in
            if let running = state.running { return running }
            // Not a child of the caller: others wait for it too, when the caller has given up.
            let task = Task {
                defer { self.state.withLock { $0.running = nil } }
                return try await self.pullAll()
            }
            state.running = task
            return task
        }
        return try await task.value
    }

    /// As ``pull()``, but with every change of before the call: a pull that runs already does not count.
    func pullAnew() async throws -> Int {
        if let running = state.withLock({ $0.running }) { _ = try? await running.value }
        return try await pull()
    }

    private func pullAll() async throws -> Int {
        var count = 0
        while true {
            let place = try await place()
            let page = try await fetch(place.epoch, place.sequence)
            let startsAnew = page.isAnother(than: place)
            try await store(page, at: place, startsAnew: startsAnew)
            let changed = state.withLock { $0.changed }
            changed?(startsAnew ? nil : page.rows)
            count += page.rows.count
            if !page.hasMore { return count }
            // A page that leads nowhere would be asked for for ever.
            guard page.next > place.sequence || startsAnew else {
                throw SiloError.remote(method: name, message: "a page of changes without end", requestID: "")
            }
        }
    }

    private func place() async throws -> ChangeHistory.Place {
        let name = name
        return try await database.read { transaction in
            let row = try transaction.row("SELECT epoch, sequence FROM silo_replicas WHERE name = ?", [.text(name)])
            guard let row else { return ChangeHistory.Place() }
            return ChangeHistory.Place(epoch: try row.text("epoch"), sequence: try row.integer("sequence"))
        }
    }

    private func store(_ page: ChangePage<Row>, at place: ChangeHistory.Place, startsAnew: Bool) async throws {
        let (name, clear, store) = (name, clear, store)
        guard startsAnew || !page.rows.isEmpty || page.hasMore || page.epoch != place.epoch else { return }
        try await database.write { transaction in
            if startsAnew { try clear(transaction) }
            for row in page.rows { try store(row, transaction) }
            try transaction.execute(
                """
                INSERT INTO silo_replicas (name, epoch, sequence) VALUES (?, ?, ?)
                ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence
                """,
                [.text(name), .text(page.epoch), .integer(page.next)]
            )
        }
    }
}
