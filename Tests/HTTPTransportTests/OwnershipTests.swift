import NIOCore
import ScriptedPeer
import Testing

@testable import HTTPTransport

/// What is over is gone: nothing of a connection or pool stays in memory when it has ended, however it ended.
@Suite(.serialized, .timeLimit(.minutes(5))) struct OwnershipTests {
    /// Parts of a client connection that hold each other while it is open.
    private struct Parts {
        weak var connection: HTTPClientConnection?
        weak var driver: (any ClientDriver)?
        weak var state: ClientConnectionState?

        init() {}

        init(_ connection: HTTPClientConnection) {
            self.connection = connection
            driver = connection.driver
            state = connection.state
        }

        var areGone: Bool { connection == nil && driver == nil && state == nil }
    }

    private static let both: [HTTPClientProtocol] = [.http1, .http2]

    /// Sends nothing, and waits for the client to go.
    private static let silent: ScriptedPeer.Script = { connection, _ in
        while try await connection.read(1) != nil {}
    }

    // MARK: Client connections

    @Test(arguments: both, TestTransport.allCases)
    func `a client connection that was closed`(httpProtocol: HTTPClientProtocol, transport: TestTransport) async throws
    {
        try await withServer(transport, handler: echo) { server in
            var parts = Parts()
            do {
                let connection = try await transport.connect(to: server, httpProtocol)
                parts = Parts(connection)
                #expect(try await connection.call(body: [1]).body == [1])
                await connection.close()
            }
            #expect(await eventually { parts.areGone })
        }
    }

    @Test(arguments: both, TestTransport.allCases)
    func `a client connection that nobody holds closes`(
        httpProtocol: HTTPClientProtocol, transport: TestTransport
    ) async throws {
        try await withServer(transport, handler: echo) { server in
            var parts = Parts()
            do {
                let connection = try await transport.connect(to: server, httpProtocol)
                parts = Parts(connection)
                #expect(try await connection.call(body: [1]).body == [1])
            }
            #expect(await eventually { parts.areGone && server.connectionCount == 0 })
        }
    }

    @Test(arguments: both)
    func `an exchange goes on when nobody holds its connection`(httpProtocol: HTTPClientProtocol) async throws {
        try await withServer(handler: echo) { server in
            var parts = Parts()
            do {
                let exchange: HTTPClientExchange
                do {
                    let connection = try await TestTransport.clearText.connect(to: server, httpProtocol)
                    parts = Parts(connection)
                    exchange = try await connection.start(HTTPRequestHead(method: .post, path: "/"))
                }
                #expect(await eventually { parts.connection == nil })
                try await exchange.send(ByteBuffer(bytes: [1, 2]))
                exchange.finish()
                #expect(try await exchange.responseHead().status == 200)
                #expect(try await exchange.collect() == [1, 2])
            }
            #expect(await eventually { parts.areGone && server.connectionCount == 0 })
        }
    }

    @Test(arguments: both, TestTransport.allCases)
    func `a client connection that the server ended in the middle of an exchange`(
        httpProtocol: HTTPClientProtocol, transport: TestTransport
    ) async throws {
        var parts = Parts()
        try await withServer(
            transport,
            handler: { exchange in
                exchange.sendHead(HTTPResponseHead(status: 200))
                try? await exchange.send(ByteBuffer())
                while let bytes = try? await exchange.readBody() { _ = bytes }
            }
        ) { server in
            let connection = try await transport.connect(to: server, httpProtocol)
            parts = Parts(connection)
            let exchange = try await connection.start(HTTPRequestHead(method: .post, path: "/"))
            try await exchange.send(ByteBuffer(bytes: [1]))
            #expect(try await exchange.responseHead().status == 200)
            await server.shutdown(gracePeriod: .zero)
            await #expect(throws: HTTPStreamError.self) { try await exchange.collect() }
        }
        #expect(await eventually { parts.areGone })
    }

    @Test(arguments: [HTTPClientProtocol.http2, .http1])
    func `a connection whose peer says nothing`(httpProtocol: HTTPClientProtocol) async throws {
        try await ScriptedPeer.with(Self.silent) { peer in
            var parts = Parts()
            do {
                let made = ClientConnectionState(capacity: 1, isHeld: true) { _ in }
                parts.state = made
                var configuration = HTTPClientConfiguration()
                configuration.tlsHandshakeTimeout = .milliseconds(50)
                if httpProtocol == .http1 { configuration.tls = try TestTransport.tls.client }
                let address = try SocketAddress(ipAddress: "127.0.0.1", port: peer.port)
                await #expect(throws: HTTPConnectionError.self) {
                    let connection = try await HTTPClientConnection.connect(
                        to: address, authority: "127.0.0.1:\(peer.port)", protocol: httpProtocol,
                        configuration: configuration, group: testGroup, state: made)
                    parts.connection = connection
                    parts.driver = connection.driver
                    try await connection.waitUntilReady(timeout: .milliseconds(50))
                }
            }
            #expect(await eventually { parts.areGone })
        }
    }

    @Test(arguments: TestTransport.allCases)
    func `a connection that could not be made`(transport: TestTransport) async throws {
        let port = try await ScriptedPeer.with({ _, _ in }) { $0.port }
        weak var state: ClientConnectionState?
        do {
            let made = ClientConnectionState(capacity: 1, isHeld: true) { _ in }
            state = made
            var configuration = HTTPClientConfiguration()
            configuration.tls = try transport.client
            let address = try SocketAddress(ipAddress: "127.0.0.1", port: port)
            await #expect(throws: HTTPConnectionError.self) {
                _ = try await HTTPClientConnection.connect(
                    to: address, authority: "x", protocol: .http2, configuration: configuration, group: testGroup,
                    state: made)
            }
        }
        #expect(await eventually { state == nil })
    }

    // MARK: Pools

    private func pool(_ port: Int, _ httpProtocol: HTTPClientProtocol = .http2) throws -> HTTPConnectionPool {
        var configuration = HTTPConnectionPool.Configuration(
            target: try ConnectionTarget("127.0.0.1:\(port)"), httpProtocol: httpProtocol)
        configuration.connection.connectTimeout = .milliseconds(300)
        return HTTPConnectionPool(configuration, group: testGroup)
    }

    @Test(arguments: both, [true, false])
    func `a pool, shut down or not`(httpProtocol: HTTPClientProtocol, shutsDown: Bool) async throws {
        try await withServer(handler: echo) { server in
            weak var gone: HTTPConnectionPool?
            var parts = Parts()
            do {
                let pool = try pool(server.port, httpProtocol)
                gone = pool
                let connection = try await pool.lease(waitForReady: false, deadline: nil)
                parts = Parts(connection)
                let exchange = try await connection.start(HTTPRequestHead(method: .post, path: "/"), isLeased: true)
                exchange.finish()
                #expect(try await exchange.responseHead().status == 200)
                #expect(try await exchange.collect().isEmpty)
                if shutsDown { await pool.shutdown() }
            }
            #expect(await eventually { gone == nil && parts.areGone && server.connectionCount == 0 })
        }
    }

    @Test(arguments: [true, false])
    func `a pool whose only dial is given up`(cancels: Bool) async throws {
        try await ScriptedPeer.with(Self.silent) { peer in
            weak var gone: HTTPConnectionPool?
            do {
                let pool = try pool(peer.port)
                gone = pool
                let caller = Task { try await pool.lease(waitForReady: false, deadline: nil) }
                #expect(await eventually { peer.connectionCount > 0 })
                if cancels { caller.cancel() } else { await pool.shutdown() }
                await #expect(throws: HTTPPoolError.self) { try await caller.value }
            }
            #expect(await eventually { gone == nil })
        }
    }

    // MARK: Server connections

    @Test(arguments: both, TestTransport.allCases)
    func `a server connection whose client ends it, during a request and after one`(
        httpProtocol: HTTPClientProtocol, transport: TestTransport
    ) async throws {
        let handler: HTTPHandler = { exchange in
            guard exchange.head.path == "/endless" else { return await echo(exchange) }
            exchange.sendHead(HTTPResponseHead(status: 200))
            while (try? await exchange.send(ByteBuffer(repeating: 0, count: 1000))) != nil {}
        }
        try await withServer(transport, handler: handler) { server in
            for path in ["/", "/endless"] {
                weak var gone: ServerConnection?
                weak var lost: HTTPExchange?
                let client = try await transport.connect(to: server, httpProtocol)
                if path == "/" { _ = try await client.call(path, body: [1]) }
                let exchange = try await client.start(HTTPRequestHead(method: .get, path: path))
                exchange.finish()
                #expect(try await exchange.responseHead().status == 200)
                for loop in server.loops {
                    let found = try await loop.eventLoop.submit { loop.allConnections.first }.get()
                    guard let found else { continue }
                    gone = found
                    lost = try await loop.eventLoop.submit { found.exchanges.first }.get()
                }
                if path == "/endless" { #expect(lost != nil) }
                await client.close()
                #expect(await eventually { gone == nil && lost == nil })
            }
        }
    }
}
