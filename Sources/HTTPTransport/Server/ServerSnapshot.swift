import NIOCore

/// What a server has done and is doing, at one moment. Counters start at 0 with the server and only grow.
public struct HTTPServerStatistics: Sendable {
    /// Connections that were admitted.
    public var acceptedConnections = 0
    /// Connections that a limit refused.
    public var refusedConnections = 0
    /// Open connections by protocol: `http/1.1`, `h2`, `unknown` before the first request.
    public var openConnections: [String: Int] = ["http/1.1": 0, "h2": 0, "unknown": 0]
    /// Requests whose head was complete, refused ones included.
    public var requests = 0
    /// Requests in progress.
    public var openStreams = 0
    /// Handlers that have not returned, also of requests whose peer has gone.
    public var runningHandlers = 0
    /// Handlers that may run: ``HTTPLimits/runningHandlers``.
    public var maximumRunningHandlers = 0
    /// TLS handshakes that failed.
    public var failedTLSHandshakes = 0
    /// How often each limit or timer has acted, by the property's name in ``HTTPLimits`` or ``HTTPTimeouts``.
    public var limitHits: [String: Int] = [:]
}

/// One open connection, at one moment.
public struct HTTPConnectionSnapshot: Sendable {
    /// Unique in the process.
    public var id: Int
    public var remoteAddress: SocketAddress?
    /// `http/1.1`, `h2`, `unknown` before the first request.
    public var protocolName: String
    public var isTLS: Bool
    public var acceptedAt: NIODeadline
    /// Takes no new requests.
    public var isDraining: Bool
    public var requestCount: Int
    /// Handlers that have not returned, also of requests whose peer has gone.
    public var runningHandlerCount: Int
    /// Requests in progress.
    public var exchanges: [HTTPExchangeSnapshot]
}

/// One request in progress, at one moment.
public struct HTTPExchangeSnapshot: Sendable {
    public enum HandlerState: Sendable { case waiting, running, cancelled, returned }

    /// Its path as received, at most 256 bytes.
    public var path: String
    /// When its head was complete.
    public var receivedAt: NIODeadline
    public var receivedByteCount: Int
    public var sentByteCount: Int
    /// See ``HTTPExchange/setDeadline(_:handler:)``.
    public var deadline: NIODeadline?
    public var handlerState: HandlerState
}

extension HTTPServer {
    /// What all connections are doing. Asks every event loop in turn; costs the loops time in proportion to what is
    /// open.
    public func connections() async -> [HTTPConnectionSnapshot] {
        var all: [HTTPConnectionSnapshot] = []
        for loop in loops { all += (try? await loop.eventLoop.submit { loop.snapshots() }.get()) ?? [] }
        return all
    }

    /// Counters and gauges.
    public func statistics() async -> HTTPServerStatistics {
        var result = shared.statistics
        for loop in loops {
            guard let part = try? await loop.eventLoop.submit({ loop.statistics }).get() else { continue }
            result.requests += part.requests
            result.openStreams += part.openStreams
            result.openConnections.merge(part.openConnections, uniquingKeysWith: +)
        }
        return result
    }
}

extension ServerLoop {
    func snapshots() -> [HTTPConnectionSnapshot] { allConnections.map { $0.snapshot } }

    var statistics: HTTPServerStatistics {
        var result = HTTPServerStatistics()
        result.requests = endedRequestCount
        for connection in allConnections {
            result.requests += connection.requestCount
            result.openStreams += connection.exchanges.count
            result.openConnections[connection.protocolName, default: 0] += 1
        }
        return result
    }
}

extension ServerConnection {
    var snapshot: HTTPConnectionSnapshot {
        HTTPConnectionSnapshot(
            id: id, remoteAddress: remoteAddress, protocolName: protocolName, isTLS: isTLS,
            acceptedAt: .uptimeNanoseconds(acceptedAt), isDraining: isDraining, requestCount: requestCount,
            runningHandlerCount: runningHandlers, exchanges: exchanges.map { $0.snapshot }
        )
    }
}

extension HTTPExchange {
    /// On the event loop.
    var snapshot: HTTPExchangeSnapshot {
        HTTPExchangeSnapshot(
            path: withPath { String(decoding: UnsafeRawBufferPointer(rebasing: $0.prefix(256)), as: UTF8.self) },
            receivedAt: receivedAt, receivedByteCount: receivedByteCount, sentByteCount: sentByteCount,
            deadline: deadlineInstant, handlerState: handlerState
        )
    }
}
