import Synchronization

/// The nonces that have been used, for as long as their time would still be accepted. Bounded for each key.
///
/// Nonces lie in buckets by the signer's time, and a whole bucket is forgotten when its last time is too old: nothing
/// is searched. What is kept of a nonce is a hash of eight bytes under a key of this process: a refusal of an honest
/// call by a collision is as likely as 1 in 10^13 with a million nonces.
final class ReplayWindow: Sendable {
    enum Answer: Equatable { case fresh, seen, full }

    private struct Nonces {
        /// The bucket that was used last, beside the others: nearly every call goes there.
        var current: Int64 = .min
        var currentHashes: Set<UInt64> = []
        var others: [Int64: Set<UInt64>] = [:]
        var count = 0

        /// - Returns: false when there is no such bucket yet.
        mutating func turn(toKnown bucket: Int64) -> Bool {
            if bucket == current { return true }
            guard let hashes = others.removeValue(forKey: bucket) else { return false }
            others[current] = currentHashes
            (current, currentHashes) = (bucket, hashes)
            return true
        }

        mutating func begin(_ bucket: Int64) {
            if !currentHashes.isEmpty { others[current] = currentHashes }
            (current, currentHashes) = (bucket, [])
        }

        /// In the current bucket.
        ///
        /// - Parameter maximum: of all buckets together.
        mutating func use(_ hash: UInt64, maximum: Int) -> Answer {
            guard count < maximum else { return currentHashes.contains(hash) ? .seen : .full }
            guard currentHashes.insert(hash).inserted else { return .seen }
            count += 1
            return .fresh
        }

        mutating func forget(before oldest: Int64) {
            for bucket in Array(others.keys) where bucket < oldest {
                count -= others.removeValue(forKey: bucket)?.count ?? 0
            }
            guard current < oldest else { return }
            count -= currentHashes.count
            currentHashes = []
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
        let hash = UInt64(truncatingIfNeeded: nonce.hashValue)
        let bucket = time / Self.bucketMilliseconds
        return nonces.withLock { nonces in
            // In place: taking the entry out would copy its sets.
            if let place = nonces.index(forKey: keyID), nonces.values[place].turn(toKnown: bucket) {
                return nonces.values[place].use(hash, maximum: maximumCountPerKey)
            }
            Self.forget(&nonces, before: (now - tolerance) / Self.bucketMilliseconds)
            nonces[keyID, default: Nonces()].begin(bucket)
            return nonces[keyID, default: Nonces()].use(hash, maximum: maximumCountPerKey)
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
