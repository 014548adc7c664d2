import NIOCore
import NIOPosix

/// One connection to a server. Knows nothing of pools, retries or redirects; see ``HTTPConnectionPool``.
///
/// HTTP/2: any number of exchanges at once; those beyond the server's MAX_CONCURRENT_STREAMS wait inside.
/// HTTP/1.1: one at a time on a connection that is kept alive; ``start(_:)`` waits for its turn.
///
/// A connection that nobody holds any more closes when its last exchange has ended.
public final class HTTPClientConnection: Sendable {
    private let channel: any Channel
    let driver: any ClientDriver
    let state: ClientConnectionState
    public let httpProtocol: HTTPClientProtocol
    /// Where this connection goes; nil for a Unix socket without a name.
    public let remoteAddress: SocketAddress?
    /// What the TLS handshake has agreed on; nil in clear text.
    public let tls: TLSSession?
    /// Runs tasks on this connection's event loop: a task that prefers it takes the steps of an exchange without a
    /// change of thread. Nothing that blocks may run there.
    public let taskExecutor: any TaskExecutor

    private init(channel: any Channel, state: ClientConnectionState, _ ready: ClientStart.Ready) {
        self.channel = channel
        self.tls = ready.session
        self.driver = ready.driver
        self.state = state
        self.httpProtocol = ready.httpProtocol
        self.remoteAddress = channel.remoteAddress
        self.taskExecutor = EventLoopTaskExecutor(eventLoop: channel.eventLoop)
    }

    /// Nobody can start exchanges any more: those that run go on, then the connection closes.
    deinit {
        guard isOpen, channel.isActive else { return }
        channel.eventLoop.execute { [driver] in driver.drain() }
    }

    public var eventLoop: any EventLoop { channel.eventLoop }

    /// The event loops that clients share when their maker names none.
    public static var defaultGroup: any EventLoopGroup { MultiThreadedEventLoopGroup.singleton }

    // MARK: Connecting

    /// Looks the name up and connects.
    ///
    /// - Parameters:
    ///   - protocol: with TLS, what is offered by ALPN, unless `tls` says otherwise.
    ///   - tls: nil for clear text.
    /// - Throws: ``HTTPConnectionError`` with host, port and the reason of the system, or of TLS.
    public static func connect(
        host: String,
        port: Int,
        protocol: HTTPClientProtocol = .http2,
        tls: TLSClientConfiguration? = nil,
        configuration: HTTPClientConfiguration = HTTPClientConfiguration(),
        group: any EventLoopGroup
    ) async throws -> HTTPClientConnection {
        let authority = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        var configuration = configuration
        if let tls { configuration.tls = tls }
        let state = ClientConnectionState(capacity: 100, isHeld: false) { _ in }
        return try await connect(authority, `protocol`, configuration, state, group) { bootstrap, initialize in
            try await bootstrap.connect(host: host, port: port, channelInitializer: initialize)
        }
    }

    /// Connects to an address that is known, a Unix socket's path included. `authority` is what requests name as
    /// their host.
    ///
    /// - Throws: ``HTTPConnectionError`` with the address and the reason of the system.
    public static func connect(
        to address: SocketAddress,
        authority: String,
        protocol: HTTPClientProtocol = .http2,
        configuration: HTTPClientConfiguration = HTTPClientConfiguration(),
        group: any EventLoopGroup
    ) async throws -> HTTPClientConnection {
        try await connect(
            to: address, authority: authority, protocol: `protocol`, configuration: configuration, group: group,
            state: ClientConnectionState(capacity: 100, isHeld: false) { _ in })
    }

    static func connect(
        to address: SocketAddress, authority: String, protocol: HTTPClientProtocol,
        configuration: HTTPClientConfiguration, group: any EventLoopGroup,
        state: ClientConnectionState
    ) async throws -> HTTPClientConnection {
        try await connect(
            authority, `protocol`, configuration, state, group, description: AddressText.describe(address)
        ) { bootstrap, initialize in
            try await bootstrap.connect(to: address, channelInitializer: initialize)
        }
    }

    private typealias Started = (any Channel, EventLoopFuture<ClientStart.Ready>)
    private typealias Initializer = @Sendable (any Channel) -> EventLoopFuture<Started>

    private static func connect(
        _ authority: String, _ httpProtocol: HTTPClientProtocol, _ configuration: HTTPClientConfiguration,
        _ state: ClientConnectionState, _ group: any EventLoopGroup, description: String? = nil,
        _ dial: (sending ClientBootstrap, @escaping Initializer) async throws -> Started
    ) async throws -> HTTPClientConnection {
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(.nanoseconds(configuration.connectTimeout.nanoseconds))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
        do {
            let start = try await ClientStart.prepare(authority, httpProtocol, configuration) { channel, httpProtocol in
                try addDriver(httpProtocol, to: channel, configuration, authority, state)
            }
            let (channel, pending) = try await dial(bootstrap, start.initialize)
            return HTTPClientConnection(channel: channel, state: state, try await pending.get())
        } catch {
            throw HTTPConnectionError("cannot connect to \(description ?? authority): \(ErrorText.describe(error))")
        }
    }

    private static func addDriver(
        _ httpProtocol: HTTPClientProtocol, to channel: any Channel, _ configuration: HTTPClientConfiguration,
        _ authority: String, _ state: ClientConnectionState
    ) throws -> any ClientDriver {
        switch httpProtocol {
        case .http2:
            let http2 = try HTTP2ClientDriver(
                channel.eventLoop, configuration, authority: authority, state: state,
                isTLS: configuration.tls != nil)
            try channel.pipeline.syncOperations.addHandler(http2)
            return http2
        case .http1:
            // ALPN may have chosen it instead of HTTP/2.
            state.setCapacity(1)
            let http1 = HTTP1ClientDriver(channel.eventLoop, configuration, authority: authority, state: state)
            try channel.pipeline.syncOperations.addHandler(http1)
            return http1
        }
    }

    /// Waits until the peer has shown that it speaks the protocol: HTTP/2 has sent its SETTINGS.
    ///
    /// - Throws: ``HTTPConnectionError`` after `timeout`, or when the connection ended first; it is closed then.
    func waitUntilReady(timeout: Duration) async throws {
        let promise = channel.eventLoop.makePromise(of: Void.self)
        onEventLoop { self.driver.whenReady(promise) }
        let timer = channel.eventLoop.scheduleTask(in: TimeAmount(timeout)) { self.driver.close() }
        defer { timer.cancel() }
        let started = NIODeadline.now()
        do {
            try await promise.futureResult.get()
        } catch {
            let reason =
                NIODeadline.now() - started >= TimeAmount(timeout)
                ? "no HTTP/2 SETTINGS within \(timeout) (HTTPClientConfiguration.connectTimeout)" : "\(error)"
            throw HTTPConnectionError("connected to \(remoteAddress.map(AddressText.describe) ?? "?"), but \(reason)")
        }
    }

    // MARK: Exchanges

    /// Sends a request head and gives the exchange to go on with.
    ///
    /// - Throws: `.refused` when the connection takes no new requests (GOAWAY): safe to retry on another one;
    ///   `.notSent` when it is gone, which is as safe; `.cancelled`.
    public func start(_ head: HTTPRequestHead) async throws(HTTPStreamError) -> HTTPClientExchange {
        try await start(head, isLeased: false)
    }

    /// - Parameter isLeased: the caller holds a place from ``HTTPConnectionPool``; it is given back when the exchange
    ///   has ended, or cannot start.
    package func start(_ head: HTTPRequestHead, isLeased: Bool) async throws(HTTPStreamError) -> HTTPClientExchange {
        let exchange = HTTPClientExchange(
            head, eventLoop: channel.eventLoop, driver: driver, lease: isLeased ? state : nil)
        let error: HTTPStreamError? = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                onEventLoop { exchange.begin(continuation) }
            }
        } onCancel: {
            exchange.cancel()
        }
        if let error { throw error }
        return exchange
    }

    /// A whole request with the caller's place from ``HTTPConnectionPool``: sent by ``HTTPClientExchange/sendAll()``;
    /// `receiver` is told what comes back, on the event loop. From any thread, without waiting.
    package func exchange(
        _ head: consuming HTTPRequestHead, body: ByteBuffer, deadline: NIODeadline?,
        receiver: any HTTPResponseReceiver
    ) -> HTTPClientExchange {
        HTTPClientExchange(
            head, eventLoop: channel.eventLoop, driver: driver, lease: state, body: body, deadline: deadline,
            receiver: receiver)
    }

    /// Gives a place from ``HTTPConnectionPool`` back that no request will take. From any thread.
    package func giveLeaseBack() { onEventLoop { self.state.release() } }

    // MARK: State

    /// True while new exchanges can be started: connected, and no GOAWAY or `Connection: close` has come.
    public var isOpen: Bool { state.isOpen.load(ordering: .relaxed) }

    /// Ends the connection; exchanges in progress fail with `.connectionClosed`.
    public func close() async {
        onEventLoop { self.driver.close() }
        try? await channel.closeFuture.get()
    }

    /// Takes no new exchanges, and closes when the last one has ended.
    func drain() { onEventLoop { self.driver.drain() } }
    func closeNow() { onEventLoop { self.driver.close() } }
    var isConnected: Bool { channel.isActive }
    var closeFuture: EventLoopFuture<Void> { channel.closeFuture }

    private func onEventLoop(_ body: @escaping @Sendable () -> Void) {
        let eventLoop = channel.eventLoop
        if eventLoop.inEventLoop { body() } else { eventLoop.execute(body) }
    }
}
