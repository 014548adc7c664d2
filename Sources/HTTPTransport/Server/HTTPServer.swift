import Logging
import NIOCore
import NIOPosix

/// Listening sockets and their connections: HTTP/1.1 and HTTP/2 on the same port, told apart by ALPN with TLS, else by
/// the first bytes.
public final class HTTPServer: Sendable {
    /// Where the server listens: ``HTTPServerConfiguration/address``, then the additional listeners in their order.
    public let localAddresses: [SocketAddress]
    private let sockets: [BoundSocket]
    private let credentials: [TLSServerCredentials]
    private let watches: [Task<Void, Never>]
    let loops: [ServerLoop]
    let shared: ServerShared

    private init(
        sockets: [BoundSocket], credentials: [TLSServerCredentials], loops: [ServerLoop], shared: ServerShared
    ) {
        self.sockets = sockets
        self.credentials = credentials
        localAddresses = sockets.map(\.address)
        self.loops = loops
        self.shared = shared
        watches = credentials.map { credentials in Task.detached { await credentials.watch() } }
    }

    /// The first TCP port, useful after asking for port 0; 0 without one.
    public var port: Int { localAddresses.lazy.compactMap(\.port).first ?? 0 }

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
    /// - Throws: ``HTTPConnectionError`` that names the address which cannot be used; ``TLSError`` that names the file.
    public static func start(
        _ configuration: HTTPServerConfiguration,
        group: any EventLoopGroup,
        logger: Logger,
        service: any HTTPService
    ) async throws -> HTTPServer {
        _ = HeapMemory.isPrepared
        let shared = ServerShared(configuration: configuration, service: service, logger: logger)
        let loops = group.makeIterator().enumerated().map { index, eventLoop in
            ServerLoop(eventLoop: eventLoop, index: index, timeouts: configuration.timeouts)
        }
        var credentials: [TLSServerCredentials] = []
        var sockets: [BoundSocket] = []
        do {
            for listener in configuration.listeners {
                var own: TLSServerCredentials?
                if let tls = listener.tls {
                    let loaded = try await TLSServerCredentials.load(tls, logger: logger)
                    credentials.append(loaded)
                    own = loaded
                }
                let served = ServerListener(
                    listener, credentials: own,
                    acceptsForwardedHTTPSScheme: configuration.acceptsForwardedHTTPSScheme)
                sockets.append(
                    try await served.bind(Self.bootstrap(group, served, shared: shared, loops: loops)))
            }
        } catch {
            await close(sockets)
            throw error
        }
        return HTTPServer(sockets: sockets, credentials: credentials, loops: loops, shared: shared)
    }

    private static func bootstrap(
        _ group: any EventLoopGroup, _ listener: ServerListener, shared: ServerShared, loops: [ServerLoop]
    ) -> ServerBootstrap {
        var bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: shared.configuration.backlog)
            // Out of descriptors, accepting pauses for a second instead of spinning.
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause())
                }
            }
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            // For ``ReadBuffers``.
            .childChannelOption(.maxMessagesPerRead, value: 1)
        if case .tcp = listener.address {
            bootstrap =
                bootstrap
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        }
        return bootstrap.childChannelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                guard let loop = loops.first(where: { $0.eventLoop === channel.eventLoop }) else {
                    throw HTTPConnectionError("connection on a foreign event loop")
                }
                try channel.syncOptions?.setOption(.recvAllocator, value: ReadBuffers(loop.readBuffer))
                if let credentials = listener.credentials {
                    try channel.pipeline.syncOperations.addHandler(
                        TLSHandler(server: try TLSEngine(server: credentials.context), loop.readBuffer))
                }
                try channel.pipeline.syncOperations.addHandler(
                    ServerConnection(server: shared, loop: loop, listener: listener))
            }
        }
    }

    private static func close(_ sockets: [BoundSocket]) async {
        for socket in sockets {
            try? await socket.channel.close().get()
            socket.file?.remove()
        }
    }

    /// Reads certificates and keys again, for connections that come from now on; those that are open keep theirs.
    ///
    /// - Throws: ``TLSError`` that names the first file that cannot be used. What was in use stays in use.
    public func reloadCertificates() async throws {
        var failure: (any Error)?
        for credentials in credentials {
            do { try await credentials.reload() } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
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
        for watch in watches { watch.cancel() }
        await Self.close(sockets)
        let drained = loops.map { loop in loop.eventLoop.flatSubmit { loop.drain() } }
        let timers = loops.map { loop in
            loop.eventLoop.scheduleTask(in: .nanoseconds(gracePeriod.nanoseconds)) { loop.closeAll() }
        }
        for future in drained { try? await future.get() }
        for timer in timers { timer.cancel() }
    }
}
