import SiloRPC
import Storage

/// When mirrors are fetched by themselves. Times are milliseconds since 1970 UTC.
enum MirrorSchedule {
    /// Longest time to the next try after failures, unless the interval is longer.
    static let longestWait = 86_400_000

    /// The next fetch.
    ///
    /// - Parameters:
    ///   - interval: in milliseconds; 0 for never.
    ///   - failures: since the last success; each one doubles the time.
    ///   - jitter: -1 to 1: up to a tenth of the time earlier or later, so that mirrors added together do not stay so.
    /// - Returns: 0 for never.
    static func next(after now: Int64, interval: Int64, failures: Int64, jitter: Double) -> Int64 {
        guard interval > 0 else { return 0 }
        let longest = Double(max(interval, Int64(longestWait)))
        let wait = min(Double(interval) * Double(1 << min(max(failures, 0), 16)), longest)
        return now + Int64(wait * (1 + 0.1 * min(max(jitter, -1), 1)))
    }

    static func next(after now: Int64, interval: Int64, failures: Int64) -> Int64 {
        next(after: now, interval: interval, failures: failures, jitter: Double.random(in: -1...1))
    }

    /// How often to look for mirrors that are due.
    static func pause(interval: Duration) -> Duration {
        interval > .zero ? min(.seconds(15), max(.milliseconds(50), interval / 4)) : .seconds(15)
    }
}

extension MirrorRows {
    /// Fetches at most this many that are due at one look; the others wait for the next.
    private static let dueCount = 64

    static func due(_ now: Int64, _ transaction: ReadTransaction) throws -> [StoredRepository] {
        try transaction.rows(
            """
            SELECT * FROM repositories
            WHERE mirror_state IN (2, 4) AND mirror_next_at > 0 AND mirror_next_at <= ? AND status = ?
                AND deleted_at IS NULL
            ORDER BY mirror_next_at, id LIMIT \(dueCount)
            """,
            [.integer(now), .integer(StoredRepository.Status.active.rawValue)]
        ).map(StoredRepository.init)
    }

    /// The mirrors that follow the server's interval get it. Those that never were due, or would be later than it says,
    /// are spread over the next interval.
    ///
    /// - Parameter interval: in milliseconds; 0 for never.
    static func adopt(interval: Int64, _ transaction: WriteTransaction) throws {
        let now = EpochTime.now
        let sql =
            if interval > 0 {
                """
                UPDATE repositories SET mirror_next_at = ? + abs(random() % ?)
                WHERE mirror_state > 0 AND mirror_interval < 0 AND (mirror_next_at = 0 OR mirror_next_at > ?)
                """
            } else {
                "UPDATE repositories SET mirror_next_at = 0 WHERE mirror_state > 0 AND mirror_interval < 0"
            }
        let latest = now + interval + interval / 10
        try transaction.execute(sql, interval > 0 ? [.integer(now), .integer(interval), .integer(latest)] : [])
    }

    /// Sets a mirror's own interval, and when it is due by that.
    ///
    /// - Parameters:
    ///   - seconds: nil to follow the server.
    ///   - server: the server's interval in milliseconds.
    /// - Returns: nil when there is no such mirror.
    static func setInterval(
        _ seconds: Int64?, of id: Int64, server: Int64, _ transaction: WriteTransaction
    ) throws -> StoredRepository? {
        let interval = seconds.map { $0 * 1000 } ?? server
        let now = EpochTime.now
        return try transaction.row(
            """
            UPDATE repositories SET mirror_interval = ?, mirror_next_at = ?, updated_at = ?
            WHERE id = ? AND mirror_state > 0 AND deleted_at IS NULL RETURNING *
            """,
            [
                .integer(seconds ?? -1), .integer(MirrorSchedule.next(after: now, interval: interval, failures: 0)),
                .integer(now), .integer(id),
            ]
        ).map(StoredRepository.init)
    }

    static func makeDue(_ id: Int64, _ transaction: WriteTransaction) throws {
        try transaction.execute(
            "UPDATE repositories SET mirror_next_at = ? WHERE id = ?", [.integer(EpochTime.now), .integer(id)]
        )
    }

    static func maintained(_ id: Int64, byteCount: Int, _ transaction: WriteTransaction) throws -> Bool {
        try transaction.execute(
            "UPDATE repositories SET mirror_maintained_at = ?, mirror_size = ? WHERE id = ? AND deleted_at IS NULL",
            [.integer(EpochTime.now), .integer(Int64(byteCount)), .integer(id)]
        ) > 0
    }
}
