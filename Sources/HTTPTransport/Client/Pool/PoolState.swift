import NIOCore

/// One caller who waits. Compared by identity.
///
/// `@unchecked Sendable`: `gaveUp`, the only `var`, is touched in ``PoolState`` only, which the pool changes under its
/// lock.
final class PoolWaiter: @unchecked Sendable {
    let waitForReady: Bool
    /// Set when the caller gives up, maybe before it stands in the queue.
    var gaveUp: HTTPPoolError?

    init(waitForReady: Bool) { self.waitForReady = waitForReady }
}

/// What a change of ``PoolState`` asks for, done outside the lock.
enum PoolEffect {
    typealias Answer = Result<HTTPClientConnection, HTTPPoolError>

    case resume(CheckedContinuation<Answer, Never>, Answer)
    case resolve
    /// `calm`: how often the servers have asked for fewer keepalive pings.
    case connect(slot: UInt64, [SocketAddress], calm: Int)
    case drain(HTTPClientConnection)
    case wake(NIODeadline)
    /// Outside the lock, because the end of a stream calls back to the pool.
    case finish(AsyncStream<ConnectivityState>.Continuation)
}

/// Everything a pool knows. Confined to its lock; time is a parameter.
struct PoolState {
    private struct Waiting {
        let waiter: PoolWaiter
        let continuation: CheckedContinuation<PoolEffect.Answer, Never>
    }

    private let configuration: HTTPConnectionPool.Configuration
    private(set) var slots: [PoolSlot] = []
    /// Take nothing new; their last exchanges may still run.
    private var retired: [HTTPClientConnection] = []
    private(set) var isShutDown = false
    private var effects: [PoolEffect] = []
    private var waiting: [Waiting] = []
    private var nextSlot = 0
    private var nextID: UInt64 = 0
    private var isWanted = false
    private var calm = 0

    // Name resolution.
    private var isResolving = false
    private var isResolutionWanted = true
    private var resolvedAt: NIODeadline?
    private var resolutionFailures = 0
    private var resolutionRetryAt: NIODeadline?
    private var resolutionFailure: String?
    private var wakeAt: NIODeadline?

    // Observers.
    private var observers: [UInt64: AsyncStream<ConnectivityState>.Continuation] = [:]
    private var reported = ConnectivityState.idle

    init(_ configuration: HTTPConnectionPool.Configuration) { self.configuration = configuration }

    // MARK: Leases

    /// A place on a connection, unless somebody else has waited longer.
    mutating func lease() -> HTTPClientConnection? {
        guard waiting.isEmpty else { return nil }
        return nextLease()
    }

    private mutating func nextLease() -> HTTPClientConnection? {
        for offset in 0..<slots.count {
            let index = (nextSlot &+ offset) % slots.count
            if let connection = slots[index].lease() {
                nextSlot = index + 1
                return connection
            }
        }
        return nil
    }

    mutating func enqueue(_ waiter: PoolWaiter, _ continuation: CheckedContinuation<PoolEffect.Answer, Never>) {
        if let error = waiter.gaveUp { return effects.append(.resume(continuation, .failure(error))) }
        if isShutDown { return effects.append(.resume(continuation, .failure(.shutDown))) }
        guard waiting.count < configuration.maximumWaiting else {
            let limit = configuration.maximumWaiting
            return effects.append(.resume(continuation, .failure(.tooManyWaiting(limit: limit))))
        }
        waiting.append(Waiting(waiter: waiter, continuation: continuation))
        isWanted = true
    }

    /// The caller's task was cancelled, or its deadline has passed.
    mutating func giveUp(_ waiter: PoolWaiter, atDeadline: Bool) {
        let error = atDeadline ? HTTPPoolError.deadlineExceeded(lastFailure: lastFailure) : .cancelled
        waiter.gaveUp = error
        guard let index = waiting.firstIndex(where: { $0.waiter === waiter }) else { return }
        effects.append(.resume(waiting.remove(at: index).continuation, .failure(error)))
    }

    mutating func wantsConnection() { isWanted = true }
    mutating func timerFired() { wakeAt = nil }

    // MARK: What happened

    mutating func didResolve(_ addresses: [SocketAddress], now: NIODeadline) {
        isResolving = false
        guard !isShutDown else { return }
        guard !addresses.isEmpty else { return didNotResolve("the name has no address", now: now) }
        isResolutionWanted = false
        resolvedAt = now
        resolutionFailures = 0
        resolutionRetryAt = nil
        resolutionFailure = nil
        let lists = configuration.balancing == .pickFirst ? [addresses] : addresses.map { [$0] }
        if configuration.balancing == .pickFirst, let first = slots.first {
            return replaceAddresses(of: first, addresses)
        }
        var old = slots
        slots = lists.map { list in
            guard let index = old.firstIndex(where: { $0.addresses == list }) else { return makeSlot(list) }
            return old.remove(at: index)
        }
        for slot in old { for connection in slot.connections { effects.append(.drain(connection)) } }
    }

    private mutating func replaceAddresses(of slot: PoolSlot, _ addresses: [SocketAddress]) {
        var slot = slot
        slot.addresses = addresses
        let gone = slot.connections.filter { connection in
            connection.remoteAddress.map { !addresses.contains($0) && $0.protocol != .unix } ?? false
        }
        slot.connections.removeAll { connection in gone.contains { $0 === connection } }
        for connection in gone { effects.append(.drain(connection)) }
        slots = [slot]
    }

    private mutating func makeSlot(_ addresses: [SocketAddress]) -> PoolSlot {
        nextID += 1
        let expected = configuration.httpProtocol == .http1 ? 1 : 100
        return PoolSlot(id: nextID, addresses: addresses, exchangesPerConnection: expected)
    }

    mutating func didNotResolve(_ reason: String, now: NIODeadline) {
        isResolving = false
        resolutionFailures += 1
        resolutionFailure = reason
        resolutionRetryAt = now + backoff(resolutionFailures)
        resolvedAt = now
        // Old addresses are better than none.
        if !slots.isEmpty { isResolutionWanted = false } else { isWanted = false }
    }

    mutating func didConnect(_ connection: HTTPClientConnection, slot id: UInt64) {
        guard let index = slots.firstIndex(where: { $0.id == id }) else { return effects.append(.drain(connection)) }
        slots[index].didConnect(connection)
        if configuration.balancing == .pickFirst { isWanted = false }
    }

    mutating func didNotConnect(_ reason: String, slot id: UInt64, now: NIODeadline) {
        isResolutionWanted = true
        guard let index = slots.firstIndex(where: { $0.id == id }) else { return }
        slots[index].didFail(reason, retryAt: now + backoff(slots[index].failures + 1))
        if configuration.balancing == .pickFirst { isWanted = false }
    }

    private func backoff(_ failures: Int) -> TimeAmount {
        TimeAmount(configuration.backoff.delay(afterFailures: failures, random: .random(in: -1...1)))
    }

    mutating func shutDown() {
        isShutDown = true
        for waiter in waiting { effects.append(.resume(waiter.continuation, .failure(.shutDown))) }
        waiting.removeAll()
    }

    mutating func takeAllConnections() -> [HTTPClientConnection] {
        defer {
            slots.removeAll()
            retired.removeAll()
        }
        return slots.flatMap(\.connections) + retired
    }

    // MARK: What follows

    var isAwaited: Bool { !waiting.isEmpty }

    /// Serves callers, starts what is missing, reports the state. Runs after every change.
    mutating func settle(now: NIODeadline) -> [PoolEffect] {
        dropClosed()
        serve()
        if !isShutDown {
            resolveIfNeeded(now)
            if !isResolving { connectIfNeeded(now) }
            failIfHopeless()
            scheduleWake(now)
        }
        report()
        retired.removeAll { !$0.isConnected }
        defer { effects = [] }
        return effects
    }

    private mutating func dropClosed() {
        for index in slots.indices {
            for closed in slots[index].dropClosed() {
                isResolutionWanted = true
                retired.append(closed)
                if closed.state.wasToldToCalmDown.load(ordering: .relaxed) { calm += 1 }
                let endedIdle = closed.state.endedIdle.load(ordering: .relaxed)
                if configuration.balancing == .roundRobin { isWanted = !endedIdle }
            }
        }
    }

    private mutating func serve() {
        var served = 0
        while served < waiting.count, let connection = nextLease() {
            effects.append(.resume(waiting[served].continuation, .success(connection)))
            served += 1
        }
        waiting.removeFirst(served)
    }

    private mutating func resolveIfNeeded(_ now: NIODeadline) {
        guard isResolutionWanted, !isResolving, isWanted || !waiting.isEmpty else { return }
        if let resolutionRetryAt, resolutionRetryAt > now { return }
        if let resolvedAt, now - resolvedAt < TimeAmount(configuration.minimumResolutionInterval), !slots.isEmpty {
            return
        }
        isResolving = true
        effects.append(.resolve)
    }

    private mutating func connectIfNeeded(_ now: NIODeadline) {
        let isRoundRobin = configuration.balancing == .roundRobin
        for index in slots.indices where slots[index].mayConnect(now) {
            let open = slots[index].connections.count
            let isMissing = open + slots[index].connecting == 0 && isWanted
            let each = slots[index].exchangesPerConnection
            let callers = isRoundRobin ? (waiting.count + slots.count - 1) / slots.count : waiting.count
            let wanted = max((callers + each - 1) / each, isMissing ? 1 : 0)
            let room = configuration.maximumConnectionsPerAddress - open
            while slots[index].connecting < min(wanted, room) {
                slots[index].connecting += 1
                effects.append(.connect(slot: slots[index].id, slots[index].addresses, calm: calm))
            }
        }
    }

    /// Everything has failed and nothing is under way: whoever does not want to wait is told why.
    private mutating func failIfHopeless() {
        guard !waiting.isEmpty, !isResolving, let lastFailure, connectivity == .transientFailure else { return }
        for waiter in waiting where !waiter.waiter.waitForReady {
            effects.append(.resume(waiter.continuation, .failure(.unavailable(lastFailure))))
        }
        waiting.removeAll { !$0.waiter.waitForReady }
    }

    private mutating func scheduleWake(_ now: NIODeadline) {
        guard !waiting.isEmpty || isWanted else { return }
        let times = slots.map(\.retryAt) + [slots.isEmpty ? resolutionRetryAt : nil]
        guard let next = times.compactMap({ $0 }).filter({ $0 > now }).min(), wakeAt.map({ next < $0 }) ?? true else {
            return
        }
        wakeAt = next
        effects.append(.wake(next))
    }

    private var lastFailure: String? {
        slots.compactMap(\.lastFailure).first ?? resolutionFailure
    }

    // MARK: Connectivity

    var connectivity: ConnectivityState {
        if isShutDown { return .shutdown }
        let states = slots.map(\.state)
        if states.contains(.ready) { return .ready }
        if isResolving || states.contains(.connecting) { return .connecting }
        if states.contains(.idle) { return .idle }
        return states.isEmpty && resolutionFailures == 0 ? .idle : .transientFailure
    }

    private mutating func report() {
        let now = connectivity
        guard now != reported else { return }
        reported = now
        for observer in observers.values {
            observer.yield(now)
            if now == .shutdown { effects.append(.finish(observer)) }
        }
    }

    mutating func observe(_ continuation: AsyncStream<ConnectivityState>.Continuation) -> UInt64 {
        nextID += 1
        continuation.yield(connectivity)
        observers[nextID] = continuation
        if isShutDown { effects.append(.finish(continuation)) }
        return nextID
    }

    mutating func removeObserver(_ id: UInt64) { observers[id] = nil }
}
