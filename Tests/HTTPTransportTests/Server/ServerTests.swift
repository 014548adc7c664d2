import HTTPTransport
import NIOCore
import NIOPosix
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(5))) struct ServerTests {
    @Test(arguments: [HTTPClientProtocol.http1, .http2], TestTransport.allCases)
    func `both protocols on one port echo bodies of all sizes`(
        version: HTTPClientProtocol, transport: TestTransport
    ) async throws {
        try await withServer(transport, handler: echo) { server in
            let client = try await transport.connect(to: server, version)
            for size in [0, 1, 16, 1_000, 16_384, 65_536, 300_000, 3_000_000] {
                let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
                let answer = try await client.call(body: body)
                #expect(answer.status == 200)
                #expect(answer.body == body, "size \(size)")
            }
            await client.close()
            #expect(!client.isOpen)
        }
    }

    @Test func `trailers arrive over HTTP/2`() async throws {
        try await withServer(handler: echo) { server in
            let client = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, group: testGroup)
            let answer = try await client.call("/trailers", body: [1, 2, 3])
            #expect(answer.body == [1, 2, 3])
            #expect(answer.trailers?.first(.grpcStatus) == "0")
            await client.close()
        }
    }

    @Test(arguments: TestTransport.allCases)
    func `1,000 keep-alive calls on one HTTP/1.1 socket, bodies and errors mixed`(
        transport: TestTransport
    ) async throws {
        let handler: HTTPHandler = { exchange in
            switch exchange.head.path {
            case "/unread":
                exchange.sendHead(HTTPResponseHead(status: 401))
                exchange.finish()
            case "/nothing": break
            default: await echo(exchange)
            }
        }
        try await withServer(transport, handler: handler) { server in
            let client = try await transport.connect(to: server, .http1)
            for index in 0..<1_000 {
                let body = [UInt8](repeating: UInt8(index % 251), count: index * 37 % 5_000)
                let fields: HTTPFields = index % 2 == 0 ? [.contentLength: "\(body.count)"] : HTTPFields()
                switch index % 10 {
                case 3: #expect(try await client.call("/nothing", method: .get).status == 500)
                case 7: #expect(try await client.call("/unread", fields: fields, body: body).status == 401)
                case 9: #expect(try await client.call("/x", method: .head).body.isEmpty)
                default:
                    let answer = try await client.call("/echo", fields: fields, body: body)
                    #expect(answer.status == 200)
                    #expect(answer.body == body)
                }
            }
            #expect(client.isOpen)
            #expect(server.connectionCount == 1)
            await client.close()
        }
    }

    @Test func `many HTTP/2 calls at once, on and off the loop`() async throws {
        let handler: HTTPHandler = { exchange in
            if exchange.head.path == "/slow" { await Task.yield() }
            if exchange.head.path == "/away" {
                await Task.detached { await echo(exchange) }.value
            } else {
                await echo(exchange)
            }
        }
        try await withServer(handler: handler) { server in
            let client = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, group: testGroup)
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for index in 0..<300 {
                    group.addTask {
                        let path = ["/fast", "/slow", "/away"][index % 3]
                        let body = [UInt8](repeating: UInt8(index % 256), count: index * 100)
                        let answer = try await client.call(path, body: body)
                        return answer.body == body
                    }
                }
                for try await isEqual in group { #expect(isEqual) }
            }
            await client.close()
        }
    }

    @Test(arguments: [HTTPClientProtocol.http1, .http2], TestTransport.allCases)
    func `a slow reader holds the sender back`(
        version: HTTPClientProtocol, transport: TestTransport
    ) async throws {
        let sent = Sent()
        let handler: HTTPHandler = { exchange in
            let piece = ByteBuffer(repeating: 7, count: 16_384)
            do {
                for _ in 0..<4_000 {
                    try await exchange.send(piece)
                    sent.add(piece.readableBytes)
                }
                exchange.finish()
            } catch {}
        }
        var limits = HTTPLimits()
        limits.streamWindowByteCount = 128 * 1024
        let configuration = HTTPClientConfiguration(limits: limits)
        try await withServer(transport, handler: handler) { server in
            let client = try await transport.connect(to: server, version, configuration: configuration)
            let exchange = try await client.start(HTTPRequestHead(method: .get, path: "/"))
            exchange.finish()
            _ = try await exchange.responseHead()
            // Nobody reads: the server must stop by itself, far from the 64 MiB it wants to send.
            var last = -1
            while last != sent.count {
                last = sent.count
                try await Task.sleep(for: .milliseconds(200))
            }
            #expect(last < 24 * 1024 * 1024)
            // Reading on gets everything.
            #expect(try await exchange.collect().count == 4_000 * 16_384)
            await client.close()
        }
    }

    @Test(arguments: [HTTPClientProtocol.http1, .http2], TestTransport.allCases)
    func `an unread request body holds the client back, then arrives whole`(
        version: HTTPClientProtocol, transport: TestTransport
    ) async throws {
        let gate = Gate()
        let handler: HTTPHandler = { exchange in
            await gate.wait()
            await echo(exchange)
        }
        try await withServer(transport, handler: handler) { server in
            let client = try await transport.connect(to: server, version)
            let exchange = try await client.start(HTTPRequestHead(path: "/"))
            let sent = Sent()
            let total = 48 * 1024 * 1024
            async let sending: Void = {
                let piece = ByteBuffer(repeating: 1, count: 65_536)
                while sent.count < total {
                    try await exchange.send(piece)
                    sent.add(piece.readableBytes)
                }
                exchange.finish()
            }()
            var last = -1
            while last != sent.count {
                last = sent.count
                try await Task.sleep(for: .milliseconds(200))
            }
            #expect(last < total / 2)
            gate.open()
            let body = try await exchange.collect()
            try await sending
            #expect(body.count == total)
            await client.close()
        }
    }

    @Test func `H2c shutdown lets running calls end and refuses new ones`() async throws {
        let gate = Gate()
        let handler: HTTPHandler = { exchange in
            await gate.wait()
            await echo(exchange)
        }
        let server = try await HTTPServer.start(
            HTTPServerConfiguration(timeouts: .patient), group: testGroup, logger: LoggerFactory.quiet,
            handler: handler)
        let client = try await HTTPClientConnection.connect(
            host: "127.0.0.1", port: server.port, group: testGroup)
        let exchange = try await client.start(HTTPRequestHead(path: "/"))
        try await exchange.send(ByteBuffer(string: "still here"))
        #expect(await eventually { server.runningHandlerCount == 1 })
        async let stopped: Void = server.shutdown(gracePeriod: .seconds(30))
        #expect(await eventually { !client.isOpen })
        await #expect(throws: HTTPStreamError.refused) {
            _ = try await client.start(HTTPRequestHead(path: "/"))
        }
        gate.open()
        exchange.finish()
        #expect(try await exchange.responseHead().status == 200)
        #expect(try await exchange.collect() == Array("still here".utf8))
        await stopped
        #expect(server.connectionCount == 0)
        await #expect(throws: HTTPConnectionError.self) {
            _ = try await HTTPClientConnection.connect(host: "127.0.0.1", port: server.port, group: testGroup)
        }
    }

    @Test func `H2c what was on its way when the server began to shut down is served`() async throws {
        // The server waits a second for the answer to its PING; a test on a busy machine may be later.
        for _ in 0..<10 where try await sendsDuringShutdown() { return }
        Issue.record("the request that crossed the notice was never in time")
    }

    /// False when the final GOAWAY came before the request.
    private func sendsDuringShutdown() async throws -> Bool {
        let server = try await HTTPServer.start(
            HTTPServerConfiguration(timeouts: .patient), group: testGroup, logger: LoggerFactory.quiet, handler: echo)
        return try await RawPeer.with(port: server.port) { peer in
            let request = { (stream: UInt32) in
                Wire.headers(stream, Wire.requestBlock(path: "/"), endStream: false) + Wire.data(stream, [1])
            }
            try await peer.send(Wire.begin + Wire.settingsAcknowledgement + request(1))
            _ = try await peer.frames { !$0.ofType(1).isEmpty }
            async let stopped: Void = server.shutdown(gracePeriod: .seconds(60))
            let notice = try await peer.frames { !$0.ofType(6).isEmpty }
            #expect(notice.ofType(7).map(\.payload) == [[0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]])
            let ping = Frame(type: 6, flags: 0, stream: 0, payload: Array("shutdown".utf8))
            #expect(notice.ofType(6) == [ping])
            // This one crosses the notice.
            try await peer.send(request(3) + Wire.frame(type: 6, flags: 1, stream: 0, ping.payload))
            let final = try await peer.frames { $0.ofType(7).count == 2 }
            guard final.ofType(7).last?.payload != [0, 0, 0, 1, 0, 0, 0, 0] else {
                try await peer.send(Wire.data(1, [], endStream: true))
                _ = try await peer.receiveAll()
                await stopped
                return false
            }
            #expect(final.ofType(7).last?.payload == [0, 0, 0, 3, 0, 0, 0, 0])
            // And this one is too late.
            try await peer.send(request(5) + Wire.data(1, [], endStream: true) + Wire.data(3, [], endStream: true))
            _ = try await peer.receiveAll()
            let ended = Wire.frames(peer.received).filter { $0.type == 0 && $0.flags & 1 != 0 }
            #expect(Set(ended.map(\.stream)) == [1, 3])
            await stopped
            #expect(server.connectionCount == 0)
            return true
        }
    }

    @Test func `shutdown cancels what is left after the grace period`() async throws {
        let cancelled = Gate()
        let handler: HTTPHandler = { exchange in
            do {
                while try await exchange.readBody() != nil {}
            } catch {
                cancelled.open()
            }
        }
        let server = try await HTTPServer.start(
            HTTPServerConfiguration(timeouts: .patient), group: testGroup, logger: LoggerFactory.quiet,
            handler: handler)
        let client = try await HTTPClientConnection.connect(
            host: "127.0.0.1", port: server.port, group: testGroup)
        let exchange = try await client.start(HTTPRequestHead(path: "/"))
        try await exchange.send(ByteBuffer(string: "a"))
        #expect(await eventually { server.runningHandlerCount == 1 })
        await server.shutdown(gracePeriod: .milliseconds(50))
        await cancelled.wait()
        await #expect(throws: HTTPStreamError.self) { _ = try await exchange.responseHead() }
    }

    @Test func `an address in use is an error that names it`() async throws {
        try await withServer(handler: echo) { server in
            let error = await #expect(throws: HTTPConnectionError.self) {
                _ = try await HTTPServer.start(
                    HTTPServerConfiguration(port: server.port), group: testGroup, logger: LoggerFactory.quiet,
                    handler: echo)
            }
            #expect(error?.description == "cannot listen on 127.0.0.1:\(server.port): Address already in use")
        }
    }

    @Test func `a refused connection is an error that names host, port and reason`() async throws {
        let closed = try ClosedPort()
        let error = await #expect(throws: HTTPConnectionError.self) {
            _ = try await HTTPClientConnection.connect(host: "127.0.0.1", port: closed.port, group: testGroup)
        }
        #expect(error?.description == "cannot connect to 127.0.0.1:\(closed.port): Connection refused")
        withExtendedLifetime(closed) {}
    }

    @Test func `a server that closes without an answer is told apart`() async throws {
        let handler: HTTPHandler = { $0.reset(.internalError) }
        try await withServer(handler: handler) { server in
            let http1 = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, protocol: .http1, group: testGroup)
            let error = await #expect(throws: HTTPStreamError.self) { _ = try await http1.call() }
            guard case .connectionClosed = error else {
                return #expect(Bool(false), "\(String(describing: error))")
            }
            let http2 = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, group: testGroup)
            await #expect(throws: HTTPStreamError.reset(.internalError)) { _ = try await http2.call() }
            await http2.close()
        }
    }
}

final class Sent: Sendable {
    private let bytes = Atomic<Int>(0)

    var count: Int { bytes.load(ordering: .relaxed) }
    func add(_ more: Int) { bytes.add(more, ordering: .relaxed) }
}

/// Opens once; everybody who waits goes on.
final class Gate: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func open() { continuation.finish() }
    func wait() async { for await _ in stream {} }
}
