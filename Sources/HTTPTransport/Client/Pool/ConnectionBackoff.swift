/// How long to wait between attempts to connect. Source: gRPC "Connection Backoff Protocol".
public struct ConnectionBackoff: Sendable, Hashable {
    /// Default 1 s.
    public var initial: Duration = .seconds(1)
    /// Default 1.6.
    public var multiplier = 1.6
    /// Each wait is longer or shorter by up to this part, at random. Default 0.2.
    public var jitter = 0.2
    /// Default 120 s.
    public var maximum: Duration = .seconds(120)

    public init() {}

    /// The wait after that many failures in a row (1 or more). `random` is from -1 to 1.
    func delay(afterFailures count: Int, random: Double) -> Duration {
        var delay = initial
        for _ in 1..<max(1, min(count, 64)) {
            delay = min(delay * multiplier, maximum)
            if delay == maximum { break }
        }
        return min(delay, maximum) * (1 + jitter * random)
    }
}

/// What a channel can do at the moment. Source: gRPC "Connectivity Semantics and API".
public enum ConnectivityState: Sendable, Hashable {
    /// No connection, and nobody asked for one.
    case idle
    case connecting
    /// At least one connection takes calls.
    case ready
    /// The last attempt failed on every address; the next one comes after a wait.
    case transientFailure
    /// Closed for ever.
    case shutdown
}

/// Which of several addresses is used.
public enum LoadBalancing: Sendable, Hashable {
    /// All on the first address that answers.
    case pickFirst
    /// Connections to all addresses, used in turn.
    case roundRobin
}

/// Why a pool gave no connection.
public enum HTTPPoolError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The attempts on all addresses failed; the text says why.
    case unavailable(String)
    /// The caller's deadline came first. The text is the last failure, if there was one.
    case deadlineExceeded(lastFailure: String?)
    case cancelled
    case shutDown
    /// As many callers wait as ``HTTPConnectionPool/Configuration/maximumWaiting`` allows.
    case tooManyWaiting(limit: Int)

    public var description: String {
        switch self {
        case .unavailable(let reason): reason
        case .deadlineExceeded(let last?): "the deadline passed while waiting for a connection; last failure: \(last)"
        case .deadlineExceeded(nil): "the deadline passed while waiting for a connection"
        case .cancelled: "cancelled while waiting for a connection"
        case .shutDown: "the channel is closed"
        case .tooManyWaiting(let limit):
            "\(limit) calls wait for a connection already (HTTPConnectionPool.Configuration.maximumWaiting)"
        }
    }
}
