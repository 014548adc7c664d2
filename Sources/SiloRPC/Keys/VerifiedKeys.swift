import RPC
import ServiceContextModule
import Synchronization

/// Whose key it is.
final class KnownKey: Sendable {
    let key: [UInt8]
    /// nil: unknown or revoked.
    let principal: Principal?
    /// The principal alone, for calls that carry nothing else: made once, not for each call.
    let serviceContext: ServiceContext

    init(_ key: [UInt8], _ principal: Principal?) {
        self.key = key
        self.principal = principal
        var context = ServiceContext.topLevel
        context[PrincipalKey.self] = principal
        serviceContext = context
    }

    /// In a time that does not tell where a difference is.
    func hasKey(_ other: UnsafeRawBufferPointer) -> Bool {
        guard key.count == other.count else { return false }
        return key.withUnsafeBytes { key in
            var difference: UInt8 = 0
            for index in 0..<key.count { difference |= key[index] ^ other[index] }
            return difference == 0
        }
    }
}

/// Answers to "whose key is this" for a few seconds, so that calls need no database read and no digest.
///
/// Keyed by the key's own bytes, which stay in memory until their place is needed, as they do in the buffers of
/// requests. They are found by a hash with a secret seed and compared in constant time: how long that takes tells
/// nothing about other callers' keys.
///
///     hash -> set of four places: | known, expiry | known, expiry | - | - |
///
/// Bounded by its table. A new entry takes the place of an expired one, else of a refused one, else of the one that
/// expires first; a refused key takes no place from a right one, so that a flood of wrong keys cannot push out the
/// right ones.
final class VerifiedKeys: Sendable {
    static let ways = 4
    static let setCount = 2048

    private struct Entry {
        let hash: Int
        let known: KnownKey
        let expiry: ContinuousClock.Instant
    }

    private struct State {
        var sets = [[Entry]](repeating: [], count: setCount)
        /// How often keys were forgotten: what was read from the database before may be of before.
        var age = 0
        /// Until when what is remembered may be believed; nil for as long as it is remembered.
        var confirmedUntil: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    /// To be read before the database is, for ``remember(_:until:age:)``.
    var age: Int { state.withLock { $0.age } }

    /// From now on nothing is believed after this time, until it is confirmed again.
    func confirm(until time: ContinuousClock.Instant) { state.withLock { $0.confirmedUntil = time } }

    /// Whether what is remembered may be believed.
    func isConfirmed(at now: ContinuousClock.Instant) -> Bool {
        state.withLock { $0.confirmedUntil.map { $0 > now } ?? true }
    }

    /// nil when nothing is known, or nothing may be believed.
    func known(_ key: UnsafeRawBufferPointer, at now: ContinuousClock.Instant) -> KnownKey? {
        let hash = Self.hash(key)
        return state.withLock { state in
            if let end = state.confirmedUntil, end <= now { return nil }
            for entry in state.sets[hash & (Self.setCount - 1)] where entry.hash == hash && entry.known.hasKey(key) {
                return entry.expiry > now ? entry.known : nil
            }
            return nil
        }
    }

    /// - Parameter age: of before the key was looked up; when keys were forgotten since, nothing is remembered.
    func remember(_ known: KnownKey, until expiry: ContinuousClock.Instant, age: Int) {
        let hash = known.key.withUnsafeBytes(Self.hash)
        let now = ContinuousClock.now
        state.withLock { state in
            guard state.age == age else { return }
            Self.add(Entry(hash: hash, known: known, expiry: expiry), to: &state.sets[hash & (Self.setCount - 1)], now)
        }
    }

    private static func add(_ entry: Entry, to set: inout [Entry], _ now: ContinuousClock.Instant) {
        set.removeAll { $0.expiry <= now || $0.hash == entry.hash }
        if set.count >= ways {
            // A refused key first, then the one that expires first.
            let victim = set.indices.min { left, right in
                let (one, two) = (set[left], set[right])
                let (isRight, isOtherRight) = (one.known.principal != nil, two.known.principal != nil)
                return isRight == isOtherRight ? one.expiry < two.expiry : !isRight
            }
            guard let victim, entry.known.principal != nil || set[victim].known.principal == nil else { return }
            set.remove(at: victim)
        }
        set.append(entry)
    }

    /// Forgets keys whose rows have changed, and every refusal: one of the rows may be of a key that was not there.
    func forget(_ keyIDs: Set<Int64>) {
        guard !keyIDs.isEmpty else { return }
        state.withLock { state in
            state.age &+= 1
            for index in state.sets.indices where !state.sets[index].isEmpty {
                state.sets[index].removeAll { $0.known.principal.map { keyIDs.contains($0.keyID) } ?? true }
            }
        }
    }

    func forgetAll() {
        state.withLock { state in
            state.age &+= 1
            for index in state.sets.indices where !state.sets[index].isEmpty { state.sets[index] = [] }
        }
    }

    var count: Int { state.withLock { $0.sets.reduce(0) { $0 + $1.count } } }

    private static func hash(_ key: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: key)
        return hasher.finalize()
    }
}
