import NIOCore

/// What the connections of one event loop share: the task executor, the output buffer, the timer.
///
/// `@unchecked Sendable`: everything mutable is touched on `eventLoop` only.
final class ServerLoop: @unchecked Sendable {
    let eventLoop: any EventLoop
    /// Place among the loops of its server.
    let index: Int
    let executor: EventLoopTaskExecutor
    /// Output is collected here, so that an idle connection holds no buffer. Empty between uses.
    var scratch = ByteBuffer()
    /// What connections with much to read are read into; see ``ReadBuffers``.
    let readBuffer = LoopReadBuffer()
    private var dirty: [ServerConnection] = []
    private var connections: [ObjectIdentifier: ServerConnection] = [:]
    /// Requests of connections that have ended.
    private(set) var endedRequestCount = 0
    private var timer: RepeatedTask?
    private let tickInterval: TimeAmount
    private var clock: TickClock
    private var isDraining = false
    private var emptied: EventLoopPromise<Void>?

    init(eventLoop: any EventLoop, index: Int, timeouts: HTTPTimeouts) {
        self.eventLoop = eventLoop
        self.index = index
        executor = EventLoopTaskExecutor(eventLoop: eventLoop)
        tickInterval = Self.tickInterval(timeouts)
        clock = TickClock(
            interval: UInt64(clamping: tickInterval.nanoseconds), now: NIODeadline.now().uptimeNanoseconds)
        // The last job may have let go of the loop: a handler that outlived its server.
        executor.afterRound = { [weak self] in self?.flushDirty() }
    }

    /// A quarter of the shortest timer, between 10 ms and 1 s.
    private static func tickInterval(_ timeouts: HTTPTimeouts) -> TimeAmount {
        let all = [
            timeouts.requestHead, timeouts.tlsHandshake, timeouts.idleHTTP1, timeouts.idleHTTP2, timeouts.writeStall,
            timeouts.bodyGrace, timeouts.lingeringClose, timeouts.keepaliveInterval, timeouts.keepaliveTimeout,
        ]
        let shortest = all.compactMap { $0 }.min() ?? .seconds(4)
        return .nanoseconds(min(max(shortest.nanoseconds / 4, 10_000_000), 1_000_000_000))
    }

    func add(_ connection: ServerConnection) {
        connections[ObjectIdentifier(connection)] = connection
        // Which may have ended it.
        if isDraining { connection.beginDrain() }
        guard timer == nil, !connections.isEmpty else { return }
        clock.start(now: NIODeadline.now().uptimeNanoseconds)
        timer = eventLoop.scheduleRepeatedTask(initialDelay: tickInterval, delay: tickInterval) {
            [weak self] _ in
            self?.tick()
        }
    }

    var allConnections: some Collection<ServerConnection> { connections.values }

    func remove(_ connection: ServerConnection) {
        connections[ObjectIdentifier(connection)] = nil
        endedRequestCount += connection.requestCount
        guard connections.isEmpty else { return }
        timer?.cancel()
        timer = nil
        emptied?.succeed()
        emptied = nil
    }

    /// Remembers a connection that has something to send; it is flushed when the current round of jobs is
    /// done.
    func markDirty(_ connection: ServerConnection) {
        dirty.append(connection)
        executor.scheduleRound()
    }

    func flushDirty() {
        guard !dirty.isEmpty else { return }
        var taken: [ServerConnection] = []
        swap(&taken, &dirty)
        for connection in taken { connection.flushIfDirty() }
        guard dirty.isEmpty else { return }
        taken.removeAll(keepingCapacity: true)
        dirty = taken
    }

    /// The shared buffer, empty. Give it back with ``returnScratch(_:)``.
    func takeScratch() -> ByteBuffer {
        var taken = ByteBuffer()
        swap(&taken, &scratch)
        return taken
    }

    /// If the socket has taken the bytes already, the memory is reused; otherwise `clear` leaves it to the
    /// socket.
    func returnScratch(_ buffer: consuming ByteBuffer) {
        guard buffer.storageCapacity <= 256 * 1024 else { return }
        buffer.clear()
        scratch = buffer
    }

    private func tick() {
        let now = NIODeadline.now().uptimeNanoseconds
        guard clock.tick(now: now) else { return }
        let time = clock.time(now)
        for connection in Array(connections.values) { connection.tick(now: time) }
    }

    /// What timers take for the moment `now`; see ``TickClock``.
    func timerTime(_ now: UInt64) -> UInt64 { clock.time(now) }

    // MARK: Shutdown

    /// Starts draining; completes when the last connection is gone.
    func drain() -> EventLoopFuture<Void> {
        isDraining = true
        let promise = emptied ?? eventLoop.makePromise(of: Void.self)
        if connections.isEmpty {
            promise.succeed()
        } else {
            emptied = promise
            for connection in Array(connections.values) { connection.beginDrain() }
        }
        return promise.futureResult
    }

    func closeAll() {
        for connection in Array(connections.values) {
            connection.close(reason: "the server is shutting down")
        }
    }
}
