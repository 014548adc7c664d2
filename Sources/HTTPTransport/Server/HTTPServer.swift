import Logging
import NIOCore
import NIOPosix

/// A listening socket and its connections: HTTP/1.1 and HTTP/2 in clear text on the same port, told apart by
/// the first bytes.
public final class HTTPServer: Sendable {
    /// Where the server listens.
    public let localAddress: SocketAddress
    private let channel: any Channel
    let loops: [ServerLoop]
    let shared: ServerShared

    private init(channel: any Channel, address: SocketAddress, loops: [ServerLoop], shared: ServerShared) {
        self.channel = channel
        localAddress = address
        self.loops = loops
        self.shared = shared
    }

    /// The TCP port, useful after asking for port 0.
    public var port: Int { localAddress.port ?? 0 }

    /// Open connections at this moment.
    public var connectionCount: Int { shared.connectionCount }

    /// Handlers that have not returned at this moment.
    public var runningHandlerCount: Int { shared.runningHandlerCount }

    /// How often each limit of ``HTTPLimits`` and ``HTTPTimeouts`` has refused or ended something, by its name. Limits
    /// that never did are absent.
    public var limitHits: [String: Int] { shared.limitHits.counts }

    /// Binds and starts serving on all loops of `group`.
    ///
    /// - Parameters:
    ///   - group: must outlive the server; shut it down after ``shutdown(gracePeriod:)``.
    ///   - service: serves every request.
    /// - Throws: ``HTTPConnectionError`` that names host and port when the address cannot be used.
    public static func start(
        _ configuration: HTTPServerConfiguration,
        group: any EventLoopGroup,
        logger: Logger,
        service: any HTTPService
    ) async throws -> HTTPServer {
        let shared = ServerShared(configuration: configuration, service: service, logger: logger)
        let loops = group.makeIterator().enumerated().map { index, eventLoop in
            ServerLoop(eventLoop: eventLoop, index: index, timeouts: configuration.timeouts)
        }
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: configuration.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // Out of descriptors, accepting pauses for a second instead of spinning.
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let loop = loops.first(where: { $0.eventLoop === channel.eventLoop }) else {
                        throw HTTPConnectionError("connection on a foreign event loop")
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        ServerConnection(server: shared, loop: loop))
                }
            }
        let place = "\(configuration.host):\(configuration.port)"
        do {
            let channel = try await bootstrap.bind(host: configuration.host, port: configuration.port).get()
            guard let address = channel.localAddress else { throw HTTPConnectionError("no local address") }
            return HTTPServer(channel: channel, address: address, loops: loops, shared: shared)
        } catch {
            throw HTTPConnectionError("cannot listen on \(place): \(ErrorText.describe(error))")
        }
    }

    /// As ``start(_:group:logger:service:)``, with a function that runs once per request.
    public static func start(
        _ configuration: HTTPServerConfiguration,
        group: any EventLoopGroup,
        logger: Logger,
        handler: @escaping HTTPHandler
    ) async throws -> HTTPServer {
        try await start(configuration, group: group, logger: logger, service: HandlerService(handler: handler))
    }

    /// Ends gracefully: no new connections; HTTP/2 peers get GOAWAY(2^31-1), and after a round trip the real
    /// last stream id (rule H2c); HTTP/1.1 responses say `Connection: close`; running handlers may finish.
    /// What is left after `gracePeriod` is cancelled and closed.
    public func shutdown(gracePeriod: Duration) async {
        try? await channel.close().get()
        let drained = loops.map { loop in loop.eventLoop.flatSubmit { loop.drain() } }
        let timers = loops.map { loop in
            loop.eventLoop.scheduleTask(in: .nanoseconds(gracePeriod.nanoseconds)) { loop.closeAll() }
        }
        for future in drained { try? await future.get() }
        for timer in timers { timer.cancel() }
    }
}
