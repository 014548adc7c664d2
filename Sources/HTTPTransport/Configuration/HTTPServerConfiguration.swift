/// Where a server listens.
public enum HTTPListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// Address or name, and TCP port; 0 takes any free one, see ``HTTPServer/port``.
    case tcp(host: String, port: Int)
    /// A Unix socket. The file is made with `permissions` (who may connect), replaces one that nobody listens on, and
    /// is removed at the end.
    case unix(path: String, permissions: UInt16 = 0o600)

    public var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path, _): "unix:\(path)"
        }
    }
}

/// One place to listen on, and whether TLS is spoken there.
public struct HTTPListener: Sendable, Hashable {
    public var address: HTTPListenAddress
    /// nil for clear text.
    public var tls: TLSServerConfiguration?

    public init(_ address: HTTPListenAddress, tls: TLSServerConfiguration? = nil) {
        self.address = address
        self.tls = tls
    }
}

/// Where a server listens and what it allows.
public struct HTTPServerConfiguration: Sendable {
    /// Default: TCP on `127.0.0.1`, any free port.
    public var address: HTTPListenAddress
    /// TLS at ``address``; nil, the default, for clear text.
    public var tls: TLSServerConfiguration?
    /// More places that lead to the same handler and share the limits.
    public var additionalListeners: [HTTPListener] = []
    public var limits: HTTPLimits
    public var timeouts: HTTPTimeouts
    /// Length of the kernel's queue of connections that nobody accepted yet. Default 1,024.
    public var backlog: Int32
    /// Accept `:scheme` `https` on a clear-text port. Only for a server behind a proxy that ends TLS. Default
    /// false.
    public var acceptsForwardedHTTPSScheme: Bool
    /// Fields to add to an HTTP/1.1 answer that the server gives by itself (413, 503), from the request's fields: what
    /// a browser needs to let its page read the answer (rule C5). nil for none.
    public var refusalFields: (@Sendable (_ request: HTTPFields) -> HTTPFields)?

    public init(
        address: HTTPListenAddress,
        tls: TLSServerConfiguration? = nil,
        limits: HTTPLimits = HTTPLimits(),
        timeouts: HTTPTimeouts = HTTPTimeouts(),
        backlog: Int32 = 1024,
        acceptsForwardedHTTPSScheme: Bool = false
    ) {
        self.address = address
        self.tls = tls
        self.limits = limits
        self.timeouts = timeouts
        self.backlog = backlog
        self.acceptsForwardedHTTPSScheme = acceptsForwardedHTTPSScheme
    }

    public init(
        host: String = "127.0.0.1",
        port: Int = 0,
        tls: TLSServerConfiguration? = nil,
        limits: HTTPLimits = HTTPLimits(),
        timeouts: HTTPTimeouts = HTTPTimeouts(),
        backlog: Int32 = 1024,
        acceptsForwardedHTTPSScheme: Bool = false
    ) {
        self.init(
            address: .tcp(host: host, port: port), tls: tls, limits: limits, timeouts: timeouts, backlog: backlog,
            acceptsForwardedHTTPSScheme: acceptsForwardedHTTPSScheme)
    }

    var listeners: [HTTPListener] { [HTTPListener(address, tls: tls)] + additionalListeners }
}
