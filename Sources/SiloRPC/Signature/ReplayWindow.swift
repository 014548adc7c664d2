import Synchronization

/// The nonces that have been used, for as long as their time would still be accepted. Bounded for each key.
///
/// Nonces lie in buckets by the signer's time, and a whole bucket is forgotten when its last time is too old: nothing
/// is searched. What is kept of a nonce is a hash of eight bytes under a key of this process: a refusal of an honest
/// call by a collision is as likely as 1 in 10^13 with a million nonces.
final class ReplayWindow: Sendable {
    enum Answer: Equatable { case fresh, seen, full }

    private struct Nonces {
        var buckets: [Int64: Set<UInt64>] = [:]
        var count = 0

        /// - Parameter maximum: of all buckets together.
        mutating func use(_ hash: UInt64, bucket: Int64, maximum: Int) -> Answer {
            if buckets[bucket]?.contains(hash) == true { return .seen }
            guard count < maximum else { return .full }
            buckets[bucket, default: []].insert(hash)
            count += 1
            return .fresh
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
    func use(_ nonce: [UInt8], keyID: String, time: Int64, now: Int64) -> Answer {
        let hash = UInt64(truncatingIfNeeded: nonce.hashValue)
        return nonces.withLock { nonces in
            let bucket = time / Self.bucketMilliseconds
            // In place: taking the entry out would copy its sets.
            if let place = nonces.index(forKey: keyID), nonces.values[place].buckets[bucket] != nil {
                return nonces.values[place].use(hash, bucket: bucket, maximum: maximumCountPerKey)
            }
            Self.forget(&nonces, before: (now - tolerance) / Self.bucketMilliseconds)
            return nonces[keyID, default: Nonces()].use(hash, bucket: bucket, maximum: maximumCountPerKey)
        }
    }

    /// Of all keys, so that one that was taken away leaves nothing behind.
    private static func forget(_ nonces: inout [String: Nonces], before oldest: Int64) {
        for key in Array(nonces.keys) {
            for bucket in Array(nonces[key, default: Nonces()].buckets.keys) where bucket < oldest {
                let count = nonces[key]?.buckets.removeValue(forKey: bucket)?.count ?? 0
                nonces[key, default: Nonces()].count -= count
            }
            if nonces[key]?.count == 0 { nonces[key] = nil }
        }
    }

    var count: Int { nonces.withLock { $0.values.reduce(0) { $0 + $1.count } } }
}
