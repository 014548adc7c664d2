import NIOCore
import NIOPosix
import Synchronization

/// Connections to the servers behind one target: found, opened when needed, shared, replaced when they end.
///
/// Thread-safe. Nothing is opened before the first caller asks.
public final class HTTPConnectionPool: Sendable {
    public struct Configuration: Sendable {
        public var target: ConnectionTarget
        public var httpProtocol: HTTPClientProtocol
        public var balancing = LoadBalancing.pickFirst
        public var connection = HTTPClientConfiguration()
        /// HTTP/2: a further connection is opened when the server's MAX_CONCURRENT_STREAMS is reached on all.
        /// HTTP/1.1: each carries one exchange. Default 4 for HTTP/2, 16 for HTTP/1.1.
        public var maximumConnectionsPerAddress: Int
        public var backoff = ConnectionBackoff()
        /// The name is not looked up more often than this. Default 5 s.
        public var minimumResolutionInterval: Duration = .seconds(5)
        /// Several addresses: the next is tried when one has not answered for this long. Default 250 ms (RFC 8305).
        public var addressStagger: Duration = .milliseconds(250)
        /// Callers that may wait for a connection at once. Default 10,000.
        public var maximumWaiting = 10_000
        /// Sees every address before it is connected to, and throws to refuse it (``AddressPolicy``).
        public var addressVetting: (@Sendable (SocketAddress) throws -> Void)?
        /// Finds the addresses; nil takes what the target says.
        public var resolver: (any NameResolver)?

        public init(target: ConnectionTarget, httpProtocol: HTTPClientProtocol) {
            self.target = target
            self.httpProtocol = httpProtocol
            maximumConnectionsPerAddress = httpProtocol == .http1 ? 16 : 4
        }
    }

    let configuration: Configuration
    let group: any EventLoopGroup
    private let resolver: any NameResolver
    private let state: Mutex<PoolState>
    /// Somebody waits: whoever frees a place has to look.
    private let isAwaited = Atomic<Bool>(false)

    public init(_ configuration: Configuration, group: any EventLoopGroup) {
        self.configuration = configuration
        self.group = group
        resolver = configuration.resolver ?? configuration.target.resolver
        state = Mutex(PoolState(configuration))
    }

    // MARK: Asking for a connection

    /// A connection with a free place, if there is one now. The place must be used by starting exactly one exchange.
    package func leaseNow() -> HTTPClientConnection? { state.withLock { $0.lease() } }

    /// A connection with a free place.
    ///
    /// - Parameters:
    ///   - waitForReady: go on waiting while every address fails, instead of throwing `.unavailable`.
    /// - Throws: ``HTTPPoolError``
    package func lease(waitForReady: Bool, deadline: NIODeadline?) async throws(HTTPPoolError) -> HTTPClientConnection {
        if let connection = leaseNow() { return connection }
        let waiter = PoolWaiter(waitForReady: waitForReady)
        let timer = deadline.map { deadline in
            group.next().scheduleTask(deadline: deadline) { self.giveUp(waiter, atDeadline: true) }
        }
        defer { timer?.cancel() }
        let result: Result<HTTPClientConnection, HTTPPoolError> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                change { $0.enqueue(waiter, continuation) }
            }
        } onCancel: {
            afterCancellation { $0.giveUp(waiter, atDeadline: false) }
        }
        return try result.get()
    }

    private func giveUp(_ waiter: PoolWaiter, atDeadline: Bool) {
        change { $0.giveUp(waiter, atDeadline: atDeadline) }
    }

    /// Does later what a cancellation asks for. Its handlers run while the task's internal lock is held, and waking a
    /// task takes that lock: taking ours in a handler, when others wake observers inside of it, would be a deadlock.
    private func afterCancellation(_ body: @escaping @Sendable (HTTPConnectionPool) -> Void) {
        Task { body(self) }
    }

    // MARK: State

    public var connectivityState: ConnectivityState { state.withLock { $0.connectivity } }

    /// The state now and every later one; ends when the pool is shut down or the reader stops.
    public var connectivityStates: AsyncStream<ConnectivityState> {
        AsyncStream(bufferingPolicy: .bufferingNewest(16)) { continuation in
            var id: UInt64 = 0
            change { id = $0.observe(continuation) }
            continuation.onTermination = { [weak self, id] _ in
                self?.afterCancellation { pool in pool.state.withLock { $0.removeObserver(id) } }
            }
        }
    }

    /// Leaves the idle state, if that is where the pool is.
    public func connect() { change { $0.wantsConnection() } }

    /// Number of open connections.
    public var openConnectionCount: Int { state.withLock { $0.slots.reduce(0) { $0 + $1.connections.count } } }

    /// Takes no more callers. Connections close when their exchanges have ended, those that are left after
    /// `gracePeriod` at once.
    public func shutdown(gracePeriod: Duration = .zero) async {
        change { $0.shutDown() }
        let all = state.withLock { $0.takeAllConnections() }
        if gracePeriod > .zero {
            for connection in all { connection.drain() }
            let timer = group.next().scheduleTask(in: TimeAmount(gracePeriod)) {
                for connection in all { connection.closeNow() }
            }
            for connection in all { try? await connection.closeFuture.get() }
            timer.cancel()
        } else {
            for connection in all { await connection.close() }
        }
    }

    // MARK: Work

    /// Changes the state, then does what follows from it outside the lock.
    private func change(_ body: (inout PoolState) -> Void) {
        let effects = state.withLock { state in
            body(&state)
            // Before places are counted: a place that is freed meanwhile is then seen by one of both sides.
            isAwaited.store(true, ordering: .sequentiallyConsistent)
            let effects = state.settle(now: .now())
            isAwaited.store(state.isAwaited, ordering: .sequentiallyConsistent)
            return effects
        }
        for effect in effects { perform(effect) }
    }

    private func perform(_ effect: PoolEffect) {
        switch effect {
        case .resume(let continuation, let result): continuation.resume(returning: result)
        case .resolve: Task { await resolve() }
        case .connect(let slot, let addresses, let calm):
            Task { await connect(slot: slot, addresses, calm: calm) }
        case .drain(let connection): connection.drain()
        case .finish(let observer): observer.finish()
        case .wake(let deadline):
            _ = group.next().scheduleTask(deadline: deadline) { [weak self] in self?.change { $0.timerFired() } }
        }
    }

    private func resolve() async {
        do {
            let addresses = try await resolver.resolve()
            change { $0.didResolve(addresses, now: .now()) }
        } catch {
            let reason = "cannot resolve \(configuration.target): \(ErrorText.describe(error))"
            change { $0.didNotResolve(reason, now: .now()) }
        }
    }

    private func connect(slot: UInt64, _ addresses: [SocketAddress], calm: Int) async {
        do {
            let connection = try await AddressRace.connect(addresses, stagger: configuration.addressStagger) {
                try await self.dial($0, calm: calm)
            }
            let isKept = state.withLock { !$0.isShutDown }
            if isKept { change { $0.didConnect(connection, slot: slot) } } else { connection.closeNow() }
        } catch {
            change { $0.didNotConnect("\(error)", slot: slot, now: .now()) }
        }
    }

    private func dial(_ address: SocketAddress, calm: Int) async throws -> HTTPClientConnection {
        do {
            try configuration.addressVetting?(address)
        } catch {
            throw HTTPConnectionError("\(AddressText.describe(address)) is refused: \(error)")
        }
        var settings = configuration.connection
        settings.keepalive?.interval *= 1 << min(calm, 6)
        let connection = try await HTTPClientConnection.connect(
            to: address, authority: configuration.target.authority, protocol: configuration.httpProtocol,
            configuration: settings, group: group,
            state: ClientConnectionState(capacity: 100, isHeld: true) { [weak self] in self?.connectionChanged($0) })
        try await connection.waitUntilReady(timeout: settings.connectTimeout)
        return connection
    }

    /// On the hot path: one load when a place became free and nobody waits.
    private func connectionChanged(_ what: ClientConnectionState.Change) {
        guard what == .other || isAwaited.load(ordering: .sequentiallyConsistent) else { return }
        change { _ in }
    }
}
