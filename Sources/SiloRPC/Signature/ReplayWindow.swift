import Synchronization

/// The nonces that have been used, for as long as their time would still be accepted. Bounded for each key.
///
/// Nonces lie in buckets by the signer's time, and a whole bucket is forgotten when its last time is too old: nothing
/// is searched. What is kept of a nonce is a mark of eight bytes: that two random nonces have the same, and an honest
/// call is refused, is as likely as 1 in 10^13 with a million nonces. Whoever makes nonces that collide has the key,
/// and keeps its own calls out.
final class ReplayWindow: Sendable {
    enum Answer: Equatable { case fresh, seen, full }

    private struct Nonces {
        /// The bucket that was used last, beside the others: nearly every call goes there.
        var current: Int64 = .min
        var currentMarks: Set<UInt64> = []
        var others: [Int64: Set<UInt64>] = [:]
        var count = 0

        /// - Returns: false when there is no such bucket yet.
        mutating func turn(toKnown bucket: Int64) -> Bool {
            if bucket == current { return true }
            guard let marks = others.removeValue(forKey: bucket) else { return false }
            others[current] = currentMarks
            (current, currentMarks) = (bucket, marks)
            return true
        }

        mutating func begin(_ bucket: Int64) {
            if !currentMarks.isEmpty { others[current] = currentMarks }
            (current, currentMarks) = (bucket, [])
        }

        /// In the current bucket.
        ///
        /// - Parameter maximum: of all buckets together.
        mutating func use(_ mark: UInt64, maximum: Int) -> Answer {
            guard count < maximum else { return currentMarks.contains(mark) ? .seen : .full }
            guard currentMarks.insert(mark).inserted else { return .seen }
            count += 1
            return .fresh
        }

        mutating func forget(before oldest: Int64) {
            for bucket in Array(others.keys) where bucket < oldest {
                count -= others.removeValue(forKey: bucket)?.count ?? 0
            }
            guard current < oldest else { return }
            count -= currentMarks.count
            currentMarks = []
        }
    }

    static let bucketMilliseconds: Int64 = 10_000
    /// How far a signer's clock may be off, either way, in milliseconds.
    let tolerance: Int64
    private let maximumCountPerKey: Int
    private let nonces = Mutex<[String: Nonces]>([:])

    init(tolerance: Int64, maximumCountPerKey: Int) {
        self.tolerance = tolerance
        self.maximumCountPerKey = maximumCountPerKey
    }

    /// Remembers a nonce. Call it for valid signatures only, whose time is within the tolerance: then nobody but the
    /// owner of a key can fill its part.
    func use(_ nonce: Silo1Nonce, keyID: String, time: Int64, now: Int64) -> Answer {
        let bucket = time / Self.bucketMilliseconds
        return nonces.withLock { nonces in
            // In place: taking the entry out would copy its sets.
            if let place = nonces.index(forKey: keyID), nonces.values[place].turn(toKnown: bucket) {
                return nonces.values[place].use(nonce.mark, maximum: maximumCountPerKey)
            }
            Self.forget(&nonces, before: (now - tolerance) / Self.bucketMilliseconds)
            nonces[keyID, default: Nonces()].begin(bucket)
            return nonces[keyID, default: Nonces()].use(nonce.mark, maximum: maximumCountPerKey)
        }
    }

    /// Of all keys, so that one that was taken away leaves nothing behind.
    private static func forget(_ nonces: inout [String: Nonces], before oldest: Int64) {
        for key in Array(nonces.keys) {
            nonces[key, default: Nonces()].forget(before: oldest)
            if nonces[key]?.count == 0 { nonces[key] = nil }
        }
    }

    var count: Int { nonces.withLock { $0.values.reduce(0) { $0 + $1.count } } }
}
