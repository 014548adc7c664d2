import RPC
import ServiceContextModule
import Synchronization

/// Whose key it is.
final class KnownKey: Sendable {
    /// nil: unknown or revoked.
    let principal: Principal?
    /// The principal alone, for calls that carry nothing else: made once, not for each call.
    let serviceContext: ServiceContext

    init(_ principal: Principal?) {
        self.principal = principal
        var context = ServiceContext.topLevel
        context[PrincipalKey.self] = principal
        serviceContext = context
    }
}

/// Answers to "whose key is this" for a few seconds, so that calls need no database read and no digest.
///
/// Keyed by the key's own bytes, which stay in memory until their place is needed, as they do in the buffers of requests.
/// They are found by a hash with a secret seed and compared in constant time: how long that takes tells nothing about
/// other callers' keys.
///
/// Bounded: when full, refused and expired keys are forgotten, so that a flood of wrong keys cannot push out the right
/// ones; should all be right, everything is. That costs one read per key in use, and no bookkeeping per call.
final class VerifiedKeys: Sendable {
    static let maximumCount = 10_000
    private struct Entry {
        let key: [UInt8]
        let known: KnownKey
        let expiry: ContinuousClock.Instant
    }

    /// Of two keys with one hash the later stays.
    private let entries = Mutex<[Int: Entry]>([:])

    /// nil when nothing is known.
    func known(_ key: UnsafeRawBufferPointer, at now: ContinuousClock.Instant) -> KnownKey? {
        let hash = Self.hash(key)
        return entries.withLock { entries in
            guard let entry = entries[hash], entry.expiry > now, Self.isEqual(entry.key, key) else { return nil }
            return entry.known
        }
    }

    func remember(_ known: KnownKey, for key: [UInt8], until expiry: ContinuousClock.Instant) {
        let hash = key.withUnsafeBytes(Self.hash)
        entries.withLock { entries in
            if entries.count >= Self.maximumCount {
                let now = ContinuousClock.now
                entries = entries.filter { $0.value.known.principal != nil && $0.value.expiry > now }
            }
            if entries.count >= Self.maximumCount {
                guard known.principal != nil else { return }
                entries.removeAll(keepingCapacity: true)
            }
            entries[hash] = Entry(key: key, known: known, expiry: expiry)
        }
    }

    var count: Int { entries.withLock { $0.count } }

    private static func hash(_ key: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: key)
        return hasher.finalize()
    }

    private static func isEqual(_ known: [UInt8], _ key: UnsafeRawBufferPointer) -> Bool {
        guard known.count == key.count else { return false }
        return known.withUnsafeBytes { known in
            var difference: UInt8 = 0
            for index in 0..<known.count { difference |= known[index] ^ key[index] }
            return difference == 0
        }
    }
}
