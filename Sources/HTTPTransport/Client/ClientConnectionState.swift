import Synchronization

/// What can be asked about a connection from any thread, and who wants to know when that changes.
final class ClientConnectionState: Sendable {
    let isOpen = Atomic<Bool>(true)
    /// The connection ended itself because nobody used it.
    let endedIdle = Atomic<Bool>(false)
    /// The server said that this side pings too often (GOAWAY with ENHANCE_YOUR_CALM).
    let wasToldToCalmDown = Atomic<Bool>(false)
    /// Exchanges that may run at once: 1 for HTTP/1.1, the server's MAX_CONCURRENT_STREAMS for HTTP/2.
    let capacity: Atomic<Int>
    /// Places given out by a pool.
    private let leased: Atomic<Int>
    private let changed: @Sendable (Change) -> Void

    enum Change {
        /// An exchange gave its place back.
        case placeFreed
        /// The capacity changed, or the connection takes no more exchanges.
        case other
    }

    /// - Parameter isHeld: a place is taken until ``letGo()``, so that the connection does not end as idle before its
    ///   maker has it.
    init(capacity: Int, isHeld: Bool, changed: @escaping @Sendable (Change) -> Void) {
        self.capacity = Atomic(capacity)
        leased = Atomic(isHeld ? 1 : 0)
        self.changed = changed
    }

    /// Sequentially consistent with the pool's note that somebody waits: one of both sides sees the other.
    var leaseCount: Int { leased.load(ordering: .sequentiallyConsistent) }

    /// Takes a place. Only one thread at a time may ask (the pool's lock).
    func lease() -> Bool {
        guard isOpen.load(ordering: .relaxed), leaseCount < capacity.load(ordering: .relaxed) else { return false }
        leased.add(1, ordering: .relaxed)
        return true
    }

    /// The end of being held; tells nobody.
    func letGo() { leased.subtract(1, ordering: .sequentiallyConsistent) }

    func release() {
        leased.subtract(1, ordering: .sequentiallyConsistent)
        changed(.placeFreed)
    }

    func setCapacity(_ value: Int) {
        guard capacity.exchange(value, ordering: .relaxed) != value else { return }
        changed(.other)
    }

    func markClosed() {
        guard isOpen.exchange(false, ordering: .relaxed) else { return }
        changed(.other)
    }
}
