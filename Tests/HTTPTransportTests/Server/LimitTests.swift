import HTTPTransport
import NIOCore
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(5))) struct LimitTests {
    @Test func `connections beyond the limit of one address are closed`() async throws {
        var limits = HTTPLimits()
        limits.connectionsPerAddress = 2
        try await withServer(limits: limits, handler: echo) { server in
            var clients: [HTTPClientConnection] = []
            for _ in 0..<2 {
                let client = try await HTTPClientConnection.connect(
                    host: "127.0.0.1", port: server.port, group: testGroup)
                #expect(try await client.call(body: [1]).body == [1])
                clients.append(client)
            }
            let third = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, group: testGroup)
            await #expect(throws: HTTPStreamError.self) { _ = try await third.call(body: [1]) }
            await clients[0].close()
            #expect(await eventually { server.connectionCount == 1 })
            let fourth = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, group: testGroup)
            #expect(try await fourth.call(body: [1]).body == [1])
            await fourth.close()
            await clients[1].close()
        }
    }

    @Test(arguments: [
        "", "P", "PRI * HTTP/2.0\r\n\r\nSM", "GET / HTTP/1.1\r\nHo", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ])
    func `slowloris: an unfinished first request is closed`(beginning: String) async throws {
        var timeouts = HTTPTimeouts()
        timeouts.requestHead = .milliseconds(100)
        timeouts.lingeringClose = .milliseconds(100)
        try await withServer(timeouts: timeouts, handler: echo) { server in
            try await RawPeer.with(port: server.port) { peer in
                if !beginning.isEmpty { try await peer.send(beginning) }
                _ = try await peer.receiveAll()
            }
            #expect(await eventually { server.connectionCount == 0 })
        }
    }

    @Test func `idle connections are closed`() async throws {
        var timeouts = HTTPTimeouts()
        timeouts.idleHTTP1 = .seconds(2)
        timeouts.idleHTTP2 = .seconds(2)
        timeouts.lingeringClose = .seconds(2)
        try await withServer(timeouts: timeouts, handler: echo) { server in
            for version in [HTTPClientProtocol.http1, .http2] {
                let client = try await HTTPClientConnection.connect(
                    host: "127.0.0.1", port: server.port, protocol: version, group: testGroup)
                // On a very busy machine it may be closed before it is used.
                if let answer = try? await client.call(body: [1]) { #expect(answer.body == [1]) }
                #expect(await eventually { !client.isOpen })
            }
            #expect(await eventually { server.connectionCount == 0 })
        }
    }

    @Test func `a slow reader gets the end of the last answer on its connection`() async throws {
        var timeouts = HTTPTimeouts.patient
        timeouts.lingeringClose = .milliseconds(50)
        // Far more than the sockets' buffers hold: most of it waits in the server while the peer does not read.
        let body = ByteBuffer(repeating: 0x61, count: 24 * 1024 * 1024)
        let handler: HTTPHandler = { exchange in
            exchange.sendHead(HTTPResponseHead(status: 200))
            exchange.sendLast(body)
        }
        try await withServer(timeouts: timeouts, handler: handler) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                try await Task.sleep(for: .seconds(1))
                _ = try await peer.receiveAll()
                #expect(peer.received.count > body.readableBytes)
            }
        }
    }

    @Test func `a slow body is closed while the handler waits for it`() async throws {
        var timeouts = HTTPTimeouts()
        timeouts.bodyGrace = .milliseconds(100)
        let witness = Witness()
        try await withServer(timeouts: timeouts, handler: witness.reader) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc")
                _ = try await peer.receiveAll()
            }
            #expect(await eventually { witness.isOver })
            #expect(
                witness.recorded == [
                    .connectionClosed(reason: "request body slower than HTTPTimeouts.bodyBytesPerSecond = 1024")
                ])
        }
    }

    @Test(arguments: [HTTPClientProtocol.http1, .http2])
    func `a peer that takes nothing is closed`(version: HTTPClientProtocol) async throws {
        var timeouts = HTTPTimeouts()
        timeouts.writeStall = .milliseconds(200)
        let witness = Witness()
        try await withServer(timeouts: timeouts, handler: witness.sender) { server in
            let client = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, protocol: version, group: testGroup)
            let exchange = try await client.start(HTTPRequestHead(method: .get, path: "/"))
            exchange.finish()
            // On a busy machine the end may be there before it, and what was not read by then is lost.
            _ = try? await exchange.responseHead()
            #expect(await eventually { witness.isOver })
            await client.close()
        }
    }

    @Test func `rapid reset: handlers that do not end keep their places`() async throws {
        let running = Counter()
        let handler: HTTPHandler = { _ in
            running.enter()
            // Deaf to cancellation for a while, as a handler inside a system call would be.
            for _ in 0..<40 { await Task.detached { try? await Task.sleep(for: .milliseconds(5)) }.value }
            running.leave()
        }
        try await withServer(handler: handler) { server in
            let client = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, group: testGroup)
            for _ in 0..<190 {
                guard let exchange = try? await client.start(HTTPRequestHead(path: "/")) else { break }
                try? await exchange.send(ByteBuffer(string: "a"))
                exchange.cancel()
            }
            #expect(await eventually { server.runningHandlerCount == 0 })
            #expect(running.highest <= HTTPLimits().concurrentStreams)
            await client.close()
        }
    }

    @Test func `more handlers than the server allows: 503 and REFUSED_STREAM`() async throws {
        var limits = HTTPLimits()
        limits.runningHandlers = 1
        let gate = Gate()
        let handler: HTTPHandler = { exchange in
            if exchange.head.path == "/wait" { await gate.wait() }
            await echo(exchange)
        }
        try await withServer(limits: limits, handler: handler) { server in
            let first = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, group: testGroup)
            let waiting = try await first.start(HTTPRequestHead(path: "/wait"))
            waiting.finish()
            #expect(await eventually { server.runningHandlerCount == 1 })
            await #expect(throws: HTTPStreamError.refused) { _ = try await first.call() }
            let second = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, protocol: .http1, group: testGroup)
            #expect(try await second.call(method: .get).status == 503)
            gate.open()
            #expect(try await waiting.responseHead().status == 200)
            #expect(await eventually { server.runningHandlerCount == 0 })
            #expect(try await first.call(body: [5]).body == [5])
            await first.close()
        }
    }
}

/// How many are inside, and how many were at most.
final class Counter: Sendable {
    private let counts = Mutex<(now: Int, highest: Int)>((0, 0))

    func enter() { counts.withLock { $0 = ($0.now + 1, max($0.highest, $0.now + 1)) } }
    func leave() { counts.withLock { $0.now -= 1 } }
    var highest: Int { counts.withLock { $0.highest } }
}
