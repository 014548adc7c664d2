/// Where a server listens and what it allows.
public struct HTTPServerConfiguration: Sendable {
    /// Address or name to listen on. Default `127.0.0.1`.
    public var host: String
    /// TCP port; 0 takes any free one, see ``HTTPServer/port``.
    public var port: Int
    public var limits: HTTPLimits
    public var timeouts: HTTPTimeouts
    /// Length of the kernel's queue of connections that nobody accepted yet. Default 1,024.
    public var backlog: Int32
    /// Accept `:scheme` `https` on a clear-text port. Only for a server behind a proxy that ends TLS. Default
    /// false.
    public var acceptsForwardedHTTPSScheme: Bool
    /// Fields to add to an HTTP/1.1 answer that the server gives by itself (413, 503), from the request's fields: what a
    /// browser needs to let its page read the answer (rule C5). nil for none.
    public var refusalFields: (@Sendable (_ request: HTTPFields) -> HTTPFields)?

    public init(
        host: String = "127.0.0.1",
        port: Int = 0,
        limits: HTTPLimits = HTTPLimits(),
        timeouts: HTTPTimeouts = HTTPTimeouts(),
        backlog: Int32 = 1024,
        acceptsForwardedHTTPSScheme: Bool = false
    ) {
        self.host = host
        self.port = port
        self.limits = limits
        self.timeouts = timeouts
        self.backlog = backlog
        self.acceptsForwardedHTTPSScheme = acceptsForwardedHTTPSScheme
    }
}
