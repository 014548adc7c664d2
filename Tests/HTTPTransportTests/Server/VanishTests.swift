import HTTPTransport
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

enum LoggerFactory {
    static var quiet: Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }
}

/// What a handler saw of its peer's end.
final class Witness: Sendable {
    private let errors = Mutex<[HTTPStreamError]>([])
    private let cancelled = Atomic<Bool>(false)
    private let ended = Atomic<Bool>(false)

    func record(_ error: HTTPStreamError) { errors.withLock { $0.append(error) } }
    var recorded: [HTTPStreamError] { errors.withLock { $0 } }
    var isOver: Bool { ended.load(ordering: .acquiring) }
    var wasCancelled: Bool { cancelled.load(ordering: .relaxed) }

    private func end() {
        cancelled.store(Task.isCancelled, ordering: .relaxed)
        ended.store(true, ordering: .releasing)
    }

    /// Reads until something happens, then waits to be cancelled.
    var reader: HTTPHandler {
        { exchange in
            do throws(HTTPStreamError) {
                while try await exchange.readBody() != nil {}
                self.record(.cancelled)
            } catch {
                self.record(error)
            }
            self.end()
        }
    }

    /// Sends for ever.
    var sender: HTTPHandler {
        { exchange in
            do throws(HTTPStreamError) {
                while true {
                    try await exchange.send(ByteBuffer(repeating: 1, count: 10_000))
                    await Task.yield()
                }
            } catch {
                self.record(error)
            }
            self.end()
        }
    }

    /// Waits without looking at the exchange.
    var sleeper: HTTPHandler {
        { exchange in
            try? await Task.sleep(for: .seconds(1_000))
            self.end()
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct VanishTests {
    @Test func `T7 RST_STREAM ends reading and cancels the task`() async throws {
        let witness = Witness()
        try await withServer(handler: witness.reader) { server in
            let client = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, group: testGroup)
            let exchange = try await client.start(HTTPRequestHead(path: "/"))
            try await exchange.send(ByteBuffer(string: "a"))
            #expect(await eventually { server.runningHandlerCount == 1 })
            exchange.cancel()
            #expect(await eventually { witness.isOver })
            #expect(witness.recorded == [.reset(.cancel)])
            #expect(witness.wasCancelled)
            #expect(await eventually { server.runningHandlerCount == 0 })
            // The connection is fine.
            #expect(client.isOpen)
            await client.close()
        }
    }

    @Test func `W17 an HTTP/2 connection that closes cancels handlers that wait elsewhere`() async throws {
        let witness = Witness()
        try await withServer(handler: witness.sleeper) { server in
            let client = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, group: testGroup)
            let exchange = try await client.start(HTTPRequestHead(path: "/"))
            exchange.finish()
            #expect(await eventually { server.runningHandlerCount == 1 })
            await client.close()
            #expect(await eventually { witness.isOver })
            #expect(witness.wasCancelled)
            await #expect(throws: HTTPStreamError.self) { _ = try await exchange.responseHead() }
        }
    }

    @Test(arguments: [HTTPClientProtocol.http1, .http2])
    func `a client that vanishes mid-stream ends a sender that waits for room`(version: HTTPClientProtocol)
        async throws
    {
        let witness = Witness()
        try await withServer(handler: witness.sender) { server in
            let client = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, protocol: version, group: testGroup)
            let exchange = try await client.start(HTTPRequestHead(method: .get, path: "/"))
            exchange.finish()
            _ = try await exchange.readBody()
            await client.close()
            #expect(await eventually { witness.isOver })
            #expect(!witness.recorded.isEmpty)
            #expect(await eventually { server.connectionCount == 0 })
        }
    }

    @Test func `W17 an HTTP/1.1 client that closes cancels a handler that waits elsewhere`() async throws {
        let witness = Witness()
        try await withServer(handler: witness.sleeper) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(await eventually { server.runningHandlerCount == 1 })
            }
            #expect(await eventually { witness.isOver })
            #expect(witness.wasCancelled)
        }
    }

    @Test func `O3 the end of input inside a body is an error`() async throws {
        let witness = Witness()
        try await withServer(handler: witness.reader) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
                #expect(await eventually { server.runningHandlerCount == 1 })
            }
            #expect(await eventually { witness.isOver })
            #expect(witness.recorded == [.truncatedBody])
        }
    }

    @Test func `O3 the end of input inside chunks is an error`() async throws {
        let witness = Witness()
        try await withServer(handler: witness.reader) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send(
                    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n")
                peer.endOutput()
                _ = try await peer.receiveAll()
            }
            #expect(await eventually { witness.isOver })
            #expect(witness.recorded == [.truncatedBody])
        }
    }

    @Test func `a client that only shut its sending side gets its answer`() async throws {
        try await withServer(handler: echo) { server in
            let text = try await RawPeer.with(port: server.port) { peer in
                try await peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
                peer.endOutput()
                return try await peer.receiveAll()
            }
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(text.hasSuffix("\r\n\r\nhello"))
        }
    }

    @Test func `cancelling a client task ends its wait`() async throws {
        let witness = Witness()
        try await withServer(handler: witness.sleeper) { server in
            let client = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, group: testGroup)
            let exchange = try await client.start(HTTPRequestHead(path: "/"))
            let task = Task { try await exchange.responseHead() }
            #expect(await eventually { server.runningHandlerCount == 1 })
            task.cancel()
            await #expect(throws: HTTPStreamError.cancelled) { _ = try await task.value }
            exchange.cancel()
            #expect(await eventually { witness.isOver })
            await client.close()
        }
    }

    @Test func `a handler may return after its server is gone`() async throws {
        let witness = Witness()
        let gate = AsyncStream<Void>.makeStream()
        let handler: HTTPHandler = { _ in
            // Cancelling does not reach it.
            await Task.detached { for await _ in gate.stream { return } }.value
            witness.record(.cancelled)
        }
        try await withServer(handler: handler) { server in
            let client = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, group: testGroup)
            try await client.start(HTTPRequestHead(path: "/")).finish()
            #expect(await eventually { server.runningHandlerCount == 1 })
            await client.close()
        }
        gate.continuation.yield()
        #expect(await eventually { !witness.recorded.isEmpty })
    }
}
