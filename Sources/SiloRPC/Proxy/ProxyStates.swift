import Synchronization

/// What has become of requests that were handed on to a cell.
public struct ProxiedRequests: Sendable, Hashable {
    public let cell: CellName
    /// The status of the cell's answer, such as `200`, or why the proxy answered itself, such as `CELL_UNREACHABLE`.
    public let outcome: String
}

/// Places and breaker for each cell that requests are handed on to, and what is counted of them.
final class ProxyStates: Sendable {
    private let policy: SiloCallPolicy
    private let states = Mutex<[CellName: DestinationState]>([:])
    private let all = Mutex<[ProxiedRequests: Int]>([:])

    var counts: [ProxiedRequests: Int] { all.withLock { $0 } }

    func note(_ cell: CellName, _ outcome: String) {
        all.withLock { $0[ProxiedRequests(cell: cell, outcome: outcome), default: 0] += 1 }
    }

    init(_ configuration: SiloHTTPClient.Configuration) {
        var policy = SiloCallPolicy()
        policy.maximumConcurrentCalls = configuration.maximumProxiedExchanges
        self.policy = policy
    }

    func state(_ cell: CellName) -> DestinationState {
        states.withLock { states in
            if let state = states[cell] { return state }
            let state = DestinationState(policy, now: .now())
            states[cell] = state
            return state
        }
    }
}
