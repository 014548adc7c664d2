import HTTPTransport
import NIOCore
import Testing

/// Answers whose time is over, and peers that do not take them (rule T6).
@Suite(.timeLimit(.minutes(5))) struct OverdueTests {
    /// 100,000 bytes (`/large`: 24 MiB) and a status. Only `/in-time` has time.
    private static let handler: HTTPHandler = { exchange in
        exchange.sendHead(HTTPResponseHead(status: 200))
        exchange.enqueue(ByteBuffer(repeating: 0x61, count: exchange.head.path == "/large" ? 24 << 20 : 100_000))
        if exchange.head.path != "/in-time" { exchange.resetWhenStalled() }
        exchange.finish(trailers: [.grpcStatus: "4"])
    }

    private static var timeouts: HTTPTimeouts {
        var timeouts = HTTPTimeouts.patient
        timeouts.lingeringClose = .milliseconds(100)
        return timeouts
    }

    private static func begin(window: UInt32) -> [UInt8] {
        Wire.preface + Wire.frame(type: 4, flags: 0, stream: 0, [0, 4] + Wire.big(window))
            + Wire.settingsAcknowledgement
    }

    private static func get(_ stream: UInt32, _ path: String) -> [UInt8] {
        Wire.headers(stream, Wire.requestBlock(method: "GET", path: path))
    }

    @Test func `T6 behind a window that stays shut an overdue answer ends with RST_STREAM CANCEL`() async throws {
        try await withServer(timeouts: Self.timeouts, handler: Self.handler) { server in
            try await RawPeer.with(port: server.port) { peer in
                // The second one waits as well, but it has time.
                try await peer.send(
                    Self.begin(window: 10) + Self.get(1, "/") + Self.get(3, "/in-time") + Self.get(5, "/"))
                let frames = try await peer.frames { $0.ofType(3).count == 2 || !$0.ofType(7).isEmpty }
                for stream in [1, 5] as [UInt32] {
                    let own = frames.filter { $0.stream == stream }
                    #expect(own.map(\.type) == [1, 0, 3])
                    #expect(own.ofType(0).map(\.payload) == [[UInt8](repeating: 0x61, count: 10)])
                    #expect(own.last == Frame(type: 3, flags: 0, stream: stream, payload: [0, 0, 0, 8]))
                }
                #expect(frames.filter { $0.stream == 3 }.map(\.type) == [1, 0])
                // The connection goes on, and the one with time still gets its end.
                try await peer.send(
                    Wire.frame(type: 8, flags: 0, stream: 3, Wire.big(100_000))
                        + Wire.frame(type: 8, flags: 0, stream: 0, Wire.big(100_000)))
                let rest = try await peer.frames { $0.contains { $0.stream == 3 && $0.flags & 1 != 0 } }
                let own = rest.filter { $0.stream == 3 }
                #expect(own.ofType(0).map(\.payload.count).reduce(0, +) == 100_000)
                #expect(own.last?.type == 1 && own.last?.flags == 5)
                #expect(rest.ofType(7).isEmpty)
            }
            #expect(server.limitHits["lingeringClose"] == 2)
            #expect(await eventually { server.connectionCount == 0 && server.runningHandlerCount == 0 })
        }
    }

    @Test(arguments: [HTTPClientProtocol.http1, .http2])
    func `T6 a peer that takes the overdue answer gets all of it`(version: HTTPClientProtocol) async throws {
        try await withServer(timeouts: Self.timeouts, handler: Self.handler) { server in
            let client = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, protocol: version, group: testGroup)
            let (status, body, trailers) = try await client.call("/", method: .get)
            #expect(status == 200)
            #expect(body.count == 100_000)
            if version == .http2 { #expect(trailers?.first(.grpcStatus) == "4") }
            #expect(server.limitHits["lingeringClose"] == nil)
            await client.close()
        }
    }

    @Test func `T6 an overdue answer that nobody reads closes an HTTP/1.1 connection`() async throws {
        try await withServer(timeouts: Self.timeouts, handler: Self.handler) { server in
            let client = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, protocol: .http1, group: testGroup)
            let exchange = try await client.start(HTTPRequestHead(method: .get, path: "/large"))
            exchange.finish()
            _ = try await exchange.responseHead()
            // Nobody reads the body: the client's socket fills, then the server's.
            #expect(await eventually { server.limitHits["lingeringClose"] == 1 })
            #expect(await eventually { server.connectionCount == 0 })
            await #expect(throws: HTTPStreamError.self) { _ = try await exchange.collect() }
            await client.close()
        }
    }
}
