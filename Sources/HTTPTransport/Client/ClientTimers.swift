import NIOCore

/// Pings of an HTTP/2 client that find out whether a silent server is still there. Source: gRFC A8.
public struct HTTPKeepalive: Sendable, Hashable {
    /// Silence after which a PING is sent. Servers may punish less than 5 minutes (their own choice), and all
    /// servers less than 10 seconds. After a GOAWAY with ENHANCE_YOUR_CALM a pool doubles it.
    public var interval: Duration
    /// Time for the answer, after which the connection is given up. Default 20 s.
    public var timeout: Duration
    /// Ping also while no exchange runs. Default false.
    public var pingsWithoutExchanges: Bool

    public init(interval: Duration, timeout: Duration = .seconds(20), pingsWithoutExchanges: Bool = false) {
        self.interval = interval
        self.timeout = timeout
        self.pingsWithoutExchanges = pingsWithoutExchanges
    }
}

/// What a client connection has to do because time passes. A value without a clock: time is a parameter.
struct ClientTimers {
    enum Action: Equatable {
        case none
        case ping
        /// Nobody uses it, or it is old: take nothing new, close when empty.
        case drain(idle: Bool)
        case close(reason: String)
    }

    private let keepalive: HTTPKeepalive?
    private let idleTimeout: TimeAmount?
    private let maximumAge: TimeAmount?
    private let created: NIODeadline
    private var lastRead: NIODeadline
    private var idleSince: NIODeadline
    private var pingSent: NIODeadline?
    private var isDraining = false

    init(_ configuration: HTTPClientConfiguration, now: NIODeadline) {
        keepalive = configuration.keepalive
        idleTimeout = configuration.idleTimeout.map { TimeAmount($0) }
        maximumAge = configuration.maximumConnectionAge.map { TimeAmount($0) }
        created = now
        lastRead = now
        idleSince = now
    }

    /// How often ``check(now:activeCount:)`` shall run: a quarter of the shortest timer, 5 ms to 1 s.
    static func interval(_ configuration: HTTPClientConfiguration) -> TimeAmount? {
        let timers = [
            configuration.keepalive?.interval, configuration.keepalive?.timeout, configuration.idleTimeout,
            configuration.maximumConnectionAge, configuration.writeStall,
        ]
        guard let shortest = timers.compactMap({ $0 }).min() else { return nil }
        return max(.milliseconds(5), min(.seconds(1), TimeAmount(shortest / 4)))
    }

    mutating func didRead(now: NIODeadline) { lastRead = now }

    mutating func check(now: NIODeadline, activeCount: Int) -> Action {
        if activeCount > 0 { idleSince = now }
        if !isDraining, let maximumAge, now - created >= maximumAge {
            isDraining = true
            return .drain(idle: false)
        }
        if !isDraining, activeCount == 0, let idleTimeout, now - idleSince >= idleTimeout {
            isDraining = true
            return .drain(idle: true)
        }
        return checkKeepalive(now, activeCount)
    }

    private mutating func checkKeepalive(_ now: NIODeadline, _ activeCount: Int) -> Action {
        guard let keepalive else { return .none }
        if let sent = pingSent {
            if lastRead > sent {
                pingSent = nil
            } else if now - sent >= TimeAmount(keepalive.timeout) {
                return .close(
                    reason: "no answer to a keepalive PING within HTTPKeepalive.timeout = \(keepalive.timeout)")
            } else {
                return .none
            }
        }
        guard activeCount > 0 || keepalive.pingsWithoutExchanges, now - lastRead >= TimeAmount(keepalive.interval)
        else { return .none }
        pingSent = now
        return .ping
    }
}

extension TickClock {
    /// - Parameter interval: between ticks that come in time; without one there are none.
    init(_ interval: TimeAmount?, now: NIODeadline) {
        self.init(interval: UInt64(clamping: interval?.nanoseconds ?? 0), now: now.uptimeNanoseconds)
    }

    /// A tick now. The time for timers, unless they may end nothing.
    mutating func tick() -> NIODeadline? {
        let now = NIODeadline.now().uptimeNanoseconds
        return tick(now: now) ? .uptimeNanoseconds(time(now)) : nil
    }
}
