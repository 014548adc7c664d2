import NIOCore

/// The connections to one backend of a pool: one address under round-robin, the whole list under pick-first.
///
///     idle --wanted--> connecting --ok--> ready --last one ended--> idle
///       ^                  |
///       |                 failed
///       +--retryAt------ transientFailure
struct PoolSlot {
    let id: UInt64
    /// In the order to try them; the one that answered last is first.
    var addresses: [SocketAddress]
    var connections: [HTTPClientConnection] = []
    /// Attempts in progress.
    var connecting = 0
    /// Failed attempts in a row.
    var failures = 0
    /// No attempt before that.
    var retryAt: NIODeadline?
    var lastFailure: String?
    /// Exchanges one connection is expected to carry; learned from the connections that were made.
    var exchangesPerConnection: Int

    /// A connection with room: the least loaded one.
    mutating func lease() -> HTTPClientConnection? {
        var best: HTTPClientConnection?
        var bestCount = Int.max
        for connection in connections where connection.isOpen {
            let count = connection.state.leaseCount
            if count < bestCount, count < connection.state.capacity.load(ordering: .relaxed) {
                best = connection
                bestCount = count
            }
        }
        guard let best, best.state.lease() else { return nil }
        return best
    }

    /// Forgets connections that take no more exchanges; they end by themselves. Returns how many of them did not
    /// end because nobody used them.
    mutating func dropClosed() -> [HTTPClientConnection] {
        guard connections.contains(where: { !$0.isOpen }) else { return [] }
        let closed = connections.filter { !$0.isOpen }
        connections.removeAll { !$0.isOpen }
        return closed
    }

    var state: ConnectivityState {
        if connections.contains(where: \.isOpen) { return .ready }
        if connecting > 0 { return .connecting }
        return failures > 0 ? .transientFailure : .idle
    }

    func mayConnect(_ now: NIODeadline) -> Bool { retryAt.map { $0 <= now } ?? true }

    mutating func didConnect(_ connection: HTTPClientConnection) {
        connection.state.letGo()
        connecting -= 1
        failures = 0
        retryAt = nil
        lastFailure = nil
        connections.append(connection)
        exchangesPerConnection = max(1, connection.state.capacity.load(ordering: .relaxed))
        if let address = connection.remoteAddress, let index = addresses.firstIndex(of: address) {
            addresses.insert(addresses.remove(at: index), at: 0)
        }
    }

    mutating func didFail(_ reason: String, retryAt: NIODeadline) {
        connecting -= 1
        self.retryAt = retryAt
        // A further connection that failed says nothing of those that are open.
        guard !connections.contains(where: \.isOpen) else { return }
        failures += 1
        lastFailure = reason
    }
}
