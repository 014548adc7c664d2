import NIOCore
import NIOPosix
import Synchronization

/// One connection to a server. Knows nothing of pools, retries or redirects.
///
/// HTTP/2: any number of exchanges at once; those beyond the server's MAX_CONCURRENT_STREAMS wait inside.
/// HTTP/1.1: one at a time on a connection that is kept alive; ``start(_:)`` waits for its turn.
public final class HTTPClientConnection: Sendable {
    private let channel: any Channel
    private let driver: any ClientDriver
    private let state: ClientConnectionState
    /// Runs tasks on this connection's event loop: a task that prefers it takes the steps of an exchange without a
    /// change of thread. Nothing that blocks may run there.
    public let taskExecutor: any TaskExecutor

    private init(channel: any Channel, driver: any ClientDriver, state: ClientConnectionState) {
        self.channel = channel
        self.driver = driver
        self.state = state
        self.taskExecutor = EventLoopTaskExecutor(eventLoop: channel.eventLoop)
    }

    /// Looks the name up and connects.
    ///
    /// - Throws: ``HTTPConnectionError`` with host, port and the reason of the system.
    public static func connect(
        host: String,
        port: Int,
        protocol: HTTPClientProtocol = .http2,
        configuration: HTTPClientConfiguration = HTTPClientConfiguration(),
        group: any EventLoopGroup
    ) async throws -> HTTPClientConnection {
        let authority = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        let state = ClientConnectionState()
        do {
            let (channel, driver) = try await ClientBootstrap(group: group)
                .connectTimeout(.nanoseconds(configuration.connectTimeout.nanoseconds))
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .connect(host: host, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let driver: any ClientDriver
                        switch `protocol` {
                        case .http2:
                            let http2 = try HTTP2ClientDriver(
                                channel.eventLoop, configuration, authority: authority, state: state)
                            try channel.pipeline.syncOperations.addHandler(http2)
                            driver = http2
                        case .http1:
                            let http1 = HTTP1ClientDriver(
                                channel.eventLoop, configuration, authority: authority, state: state)
                            try channel.pipeline.syncOperations.addHandler(http1)
                            driver = http1
                        }
                        return (channel, driver)
                    }
                }
            return HTTPClientConnection(channel: channel, driver: driver, state: state)
        } catch {
            throw HTTPConnectionError("cannot connect to \(authority): \(ErrorText.describe(error))")
        }
    }

    /// Sends a request head and gives the exchange to go on with.
    ///
    /// - Throws: `.refused` when the connection takes no new requests (GOAWAY): safe to retry on another one;
    ///   `.connectionClosed` when it is gone; `.cancelled`.
    public func start(_ head: HTTPRequestHead) async throws(HTTPStreamError) -> HTTPClientExchange {
        if Task.isCancelled { throw .cancelled }
        let ticket = WaitTicket()
        let result: Result<HTTPClientExchange, HTTPStreamError> = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                onEventLoop { self.driver.start(head, ticket) { continuation.resume(returning: $0) } }
            }
        } onCancel: {
            onEventLoop { self.driver.cancelStart(ticket) }
        }
        return try result.get()
    }

    /// True while new exchanges can be started: connected, and no GOAWAY or `Connection: close` has come.
    public var isOpen: Bool { state.isOpen.load(ordering: .relaxed) }

    /// Ends the connection; exchanges in progress fail with `.connectionClosed`.
    public func close() async {
        onEventLoop { self.driver.close() }
        try? await channel.closeFuture.get()
    }

    private func onEventLoop(_ body: @escaping @Sendable () -> Void) {
        let eventLoop = channel.eventLoop
        if eventLoop.inEventLoop { body() } else { eventLoop.execute(body) }
    }
}

/// What can be asked about a connection from any thread.
final class ClientConnectionState: Sendable {
    let isOpen = Atomic<Bool>(true)

    func markClosed() { isOpen.store(false, ordering: .relaxed) }
}
