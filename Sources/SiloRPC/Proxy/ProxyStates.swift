import Synchronization

/// Places and breaker for each cell that requests are handed on to.
final class ProxyStates: Sendable {
    private let policy: SiloCallPolicy
    private let states = Mutex<[CellName: DestinationState]>([:])

    init(_ configuration: SiloHTTPClient.Configuration) {
        var policy = SiloCallPolicy()
        policy.maximumConcurrentCalls = configuration.maximumProxiedExchanges
        self.policy = policy
    }

    func state(_ cell: CellName) -> DestinationState {
        states.withLock { states in
            if let state = states[cell] { return state }
            let state = DestinationState(policy, now: .now)
            states[cell] = state
            return state
        }
    }
}
