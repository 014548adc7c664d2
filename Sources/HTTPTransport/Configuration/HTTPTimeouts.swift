/// Every timer of a connection. `nil` switches one off. Timers are checked by a tick of the event loop, so
/// they fire up to a quarter of the shortest one (at most one second) late. Time in which the event loop itself was
/// held up does not count: no peer is ended for it.
public struct HTTPTimeouts: Sendable {
    /// From accepting the connection, or from the first byte of a later request, to the end of the request
    /// head; for HTTP/2 to the end of preface and first SETTINGS, and for every header block. Default 10 s
    /// (slowloris).
    public var requestHead: Duration? = .seconds(10)
    /// From accepting the connection to the end of the TLS handshake. Default 10 s.
    public var tlsHandshake: Duration? = .seconds(10)
    /// HTTP/1.1 keep-alive connection without a request. Default 75 s.
    public var idleHTTP1: Duration? = .seconds(75)
    /// HTTP/2 connection without a stream. Default 5 min. GOAWAY is sent first.
    public var idleHTTP2: Duration? = .seconds(300)
    /// HTTP/2: silence of the peer after which it is sent a PING, with calls or without. Default 2 min, which is less
    /// than load balancers and NATs give a silent connection before they forget it.
    public var keepaliveInterval: Duration? = .seconds(120)
    /// HTTP/2: how long after a PING something must have come, or a part of what waits to be written been taken; else
    /// the connection is closed, and its calls end as those of a peer that vanished. Default 20 s.
    public var keepaliveTimeout: Duration = .seconds(20)
    /// Something waits to be written all this time and the peer takes less than ``writeBytesPerSecond``. Default 60 s.
    public var writeStall: Duration? = .seconds(60)
    /// Slowest accepted reader, bytes per second on average over ``writeStall``. Default 256.
    public var writeBytesPerSecond = 256
    /// A request body must bring ``bodyBytesPerSecond`` on average once it is older than this. Default 5 s.
    public var bodyGrace: Duration? = .seconds(5)
    /// Slowest accepted request body, bytes per second, counted only while the handler wants to read. Default
    /// 1 KiB for HTTP/1.1. HTTP/2 streams may be long-lived and are not held to it.
    public var bodyBytesPerSecond = 1024
    /// A connection older than this is drained as in a shutdown, so that clients spread anew over servers. Default
    /// `nil`: never. Each connection takes up to a tenth less, so that not all end at once.
    public var connectionAge: Duration?
    /// What is left of a drained connection's calls after this is cancelled. Default 60 s.
    public var connectionAgeGrace: Duration = .seconds(60)
    /// After a closing HTTP/1.1 reply, or one on an HTTP/2 stream whose request has not ended: how long input is still
    /// taken and dropped so that the reply is not lost to a reset. And how long the end of a reply whose call has run
    /// out of time waits for a peer that takes next to nothing of it. Default 2 s.
    public var lingeringClose: Duration = .seconds(2)

    public init() {}
}
