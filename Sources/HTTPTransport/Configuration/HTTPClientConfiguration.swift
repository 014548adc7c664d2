/// Which HTTP a client connection speaks. Nothing is negotiated in clear text.
public enum HTTPClientProtocol: Sendable, Hashable {
    case http1
    /// HTTP/2 with prior knowledge (RFC 9113 section 3.3).
    case http2
}

/// What a client connection allows.
public struct HTTPClientConfiguration: Sendable {
    public var limits: HTTPLimits
    /// TCP handshake with one address, then the same again until the peer has shown that it speaks the protocol.
    /// Default 10 s.
    public var connectTimeout: Duration
    /// Something waits to be written and the peer takes nothing. Default 60 s; `nil` for never.
    public var writeStall: Duration?
    /// A connection without an exchange is closed after this. Default 5 min; `nil` for never.
    public var idleTimeout: Duration? = .seconds(300)
    /// After this a connection takes nothing new and closes when its exchanges have ended, so that clients find
    /// servers that were added. Default `nil`, never.
    public var maximumConnectionAge: Duration?
    /// HTTP/2 keepalive pings. Default `nil`, none.
    public var keepalive: HTTPKeepalive?
    /// HTTP/2 exchanges at once on one connection, when the server allows more. Default 128.
    public var concurrentStreams = 128

    /// TLS to every server; nil, the default, for clear text. Two of these with one value share its sessions.
    public var tls: TLSClientConfiguration?
    /// From the connection of the socket to the end of the TLS handshake. Default 10 s.
    public var tlsHandshakeTimeout: Duration = .seconds(10)

    public init(
        limits: HTTPLimits = HTTPLimits(),
        connectTimeout: Duration = .seconds(10),
        writeStall: Duration? = .seconds(60)
    ) {
        self.limits = limits
        self.connectTimeout = connectTimeout
        self.writeStall = writeStall
    }
}
