import Logging
import NIOCore
import NIOCore
import Synchronization

/// What all connections of one server share: configuration, handler, and the counts behind the server-wide
/// limits.
final class ServerShared: Sendable {
    let configuration: HTTPServerConfiguration
    let service: any HTTPService
    let logger: Logger
    let limitHits = LimitHits()
    private let acceptedConnections = Atomic<Int>(0)
    private let refusedConnections = Atomic<Int>(0)
    private let failedTLSHandshakes = Atomic<Int>(0)
    private let connections = Atomic<Int>(0)
    private let handlers = Atomic<Int>(0)
    private let lastConnectionID = Atomic<Int>(0)
    private let addresses = Mutex<[String: Int]>([:])

    init(configuration: HTTPServerConfiguration, service: any HTTPService, logger: Logger) {
        self.configuration = configuration
        self.service = service
        self.logger = logger
    }

    var limits: HTTPLimits { configuration.limits }
    var timeouts: HTTPTimeouts { configuration.timeouts }

    /// Counts a new connection.
    ///
    /// - Returns: nil when it is admitted, else the name of the limit that it would pass.
    func admitConnection(from address: String?) -> String? {
        let limit = takeConnectionPlace(address)
        if limit == nil {
            acceptedConnections.wrappingAdd(1, ordering: .relaxed)
        } else {
            refusedConnections.wrappingAdd(1, ordering: .relaxed)
        }
        return limit
    }

    private func takeConnectionPlace(_ address: String?) -> String? {
        let limits = configuration.limits
        guard connections.add(1, ordering: .relaxed).newValue <= limits.connections else {
            connections.subtract(1, ordering: .relaxed)
            return "connections"
        }
        guard let maximum = limits.connectionsPerAddress, let address else { return nil }
        let isAdmitted = addresses.withLock { counts in
            let count = counts[address, default: 0]
            guard count < maximum else { return false }
            counts[address] = count + 1
            return true
        }
        if isAdmitted { return nil }
        connections.subtract(1, ordering: .relaxed)
        return "connectionsPerAddress"
    }

    func releaseConnection(from address: String?) {
        connections.subtract(1, ordering: .relaxed)
        guard configuration.limits.connectionsPerAddress != nil, let address else { return }
        addresses.withLock { counts in
            let count = counts[address, default: 0]
            counts[address] = count > 1 ? count - 1 : nil
        }
    }

    /// Takes a handler slot of the server; false when ``HTTPLimits/runningHandlers`` are taken.
    func takeHandlerSlot() -> Bool {
        if handlers.add(1, ordering: .relaxed).newValue <= configuration.limits.runningHandlers {
            return true
        }
        handlers.subtract(1, ordering: .relaxed)
        return false
    }

    func releaseHandlerSlot() { handlers.subtract(1, ordering: .relaxed) }

    /// Counts that a limit has refused or ended something, and logs it unless too much is being logged.
    func didHit(_ limit: String?, _ text: String, _ metadata: Logger.Metadata) {
        if let limit { limitHits.add(limit) }
        let (isAdmitted, leftOut) = limitHits.admitLine(now: NIODeadline.now().uptimeNanoseconds)
        guard isAdmitted else { return }
        if leftOut > 0 { logger.notice("\(leftOut) lines about limits were left out") }
        logger.notice("\(text)", metadata: metadata)
    }

    func nextConnectionID() -> Int { lastConnectionID.wrappingAdd(1, ordering: .relaxed).newValue }

    func tlsHandshakeDidFail() { failedTLSHandshakes.add(1, ordering: .relaxed) }

    /// What is counted here; the loops know the rest.
    var statistics: HTTPServerStatistics {
        var result = HTTPServerStatistics()
        result.acceptedConnections = acceptedConnections.load(ordering: .relaxed)
        result.refusedConnections = refusedConnections.load(ordering: .relaxed)
        result.runningHandlers = runningHandlerCount
        result.maximumRunningHandlers = limits.runningHandlers
        result.failedTLSHandshakes = failedTLSHandshakes.load(ordering: .relaxed)
        result.limitHits = limitHits.counts
        return result
    }

    var connectionCount: Int { connections.load(ordering: .relaxed) }
    var runningHandlerCount: Int { handlers.load(ordering: .relaxed) }
}
