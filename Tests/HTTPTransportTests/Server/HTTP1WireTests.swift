import Foundation
import HTTPTransport
import NIOCore
import Testing

/// HTTP/1.1 as it looks on the wire, spoken by hand.
@Suite(.timeLimit(.minutes(5))) struct HTTP1WireTests {
    @Test func `a response that is complete at finish gets a Content-Length`() async throws {
        try await withServer(handler: echo) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
                #expect(try await peer.receive(until: "hi"))
                #expect(
                    peer.takeText()
                        == "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: 2\r\n\r\nhi"
                )
            }
        }
    }

    @Test func `O4 a streamed response is chunked, each flush one chunk`() async throws {
        let step = Gate()
        let handler: HTTPHandler = { exchange in
            do {
                exchange.sendHead(HTTPResponseHead(status: 200))
                try await exchange.send(ByteBuffer(string: "first"))
                await step.wait()
                try await exchange.send(ByteBuffer(string: "second, longer"))
                exchange.finish(trailers: [.grpcStatus: "0"])
            } catch {}
        }
        try await withServer(handler: handler) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await peer.receive(until: "first\r\n"))
                #expect(
                    peer.takeText() == "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
                step.open()
                #expect(try await peer.receive(until: "\r\n\r\n"))
                #expect(peer.takeText() == "e\r\nsecond, longer\r\n0\r\ngrpc-status: 0\r\n\r\n")
            }
        }
    }

    @Test func `O4 a streamed response to HTTP/1.0 ends with the connection`() async throws {
        let handler: HTTPHandler = { exchange in
            do {
                try await exchange.send(ByteBuffer(string: "a"))
                await Task.yield()
                await Task.yield()
                try await exchange.send(ByteBuffer(string: "b"))
                exchange.finish()
            } catch {}
        }
        try await withServer(handler: handler) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                #expect(try await peer.receiveAll() == "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nab")
            }
        }
    }

    @Test func `M4, M9 names come in any case and are lower-case then, outer white space of values is dropped`()
        async throws
    {
        let handler: HTTPHandler = { exchange in
            var lines: [String] = []
            exchange.head.fields.forEach { name, value in
                lines.append("\(String(decoding: name, as: UTF8.self))=\(String(decoding: value, as: UTF8.self))")
            }
            try? await exchange.send(ByteBuffer(string: lines.joined(separator: ";")))
            exchange.finish()
        }
        try await withServer(handler: handler) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send("GET / HTTP/1.1\r\nHOST: x\r\nX-MiXeD: \t v w \t\r\nx-none:\r\nX-END:q\r\n\r\n")
                #expect(try await peer.receive(until: "x-end=q"))
                #expect(peer.text.hasSuffix("\r\n\r\nhost=x;x-mixed=v w;x-none=;x-end=q"))
            }
        }
    }

    @Test func `an empty buffer pushes the head out`() async throws {
        let step = Gate()
        let handler: HTTPHandler = { exchange in
            exchange.sendHead(HTTPResponseHead(status: 200))
            try? await exchange.send(ByteBuffer())
            await step.wait()
            exchange.finish()
        }
        try await withServer(handler: handler) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await peer.receive(until: "transfer-encoding: chunked\r\n\r\n"))
                step.open()
                #expect(try await peer.receive(until: "0\r\n\r\n"))
            }
        }
    }

    @Test func `O6 100 Continue is sent when the handler first asks for the body`() async throws {
        let step = Gate()
        let handler: HTTPHandler = { exchange in
            await step.wait()
            await echo(exchange)
        }
        try await withServer(handler: handler) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send(
                    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
                #expect(await eventually { server.runningHandlerCount == 1 })
                #expect(peer.text.isEmpty)
                step.open()
                #expect(try await peer.receive(until: "\r\n\r\n"))
                #expect(peer.takeText() == "HTTP/1.1 100 Continue\r\n\r\n")
                try await peer.send("hi")
                #expect(try await peer.receive(until: "\r\n\r\nhi"))
                #expect(peer.text.hasPrefix("HTTP/1.1 200 OK\r\n"))
            }
        }
    }

    @Test func `O6 a refusal without 100 closes the connection`() async throws {
        let handler: HTTPHandler = { exchange in
            exchange.sendHead(HTTPResponseHead(status: 415))
            exchange.finish()
        }
        try await withServer(handler: handler) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send(
                    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
                #expect(
                    try await peer.receiveAll()
                        == "HTTP/1.1 415 Unsupported Media Type\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                )
            }
        }
    }

    @Test func `pipelined requests are answered in order`() async throws {
        try await withServer(handler: echo) { server in
            try await RawPeer.with(port: server.port) { peer in
                var all = ""
                for index in 0..<50 {
                    all += "POST /\(index) HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n\(100 + index)"
                }
                all += "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                try await peer.send(all)
                let text = try await peer.receiveAll()
                let bodies = text.components(separatedBy: "HTTP/1.1 200 OK").compactMap {
                    $0.components(separatedBy: "\r\n\r\n").last
                }
                #expect(bodies.dropFirst().map { $0 } == (0..<50).map { "\(100 + $0)" } + [""])
            }
        }
    }

    @Test func `O2 a small unread body is drained and the connection kept`() async throws {
        let handler: HTTPHandler = { exchange in
            exchange.sendHead(HTTPResponseHead(status: 401))
            exchange.finish()
        }
        try await withServer(handler: handler) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
                #expect(try await peer.receive(until: "\r\n\r\n"))
                #expect(peer.takeText() == "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n")
                try await peer.send([UInt8](repeating: 65, count: 1_000))
                try await peer.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try await peer.receive(until: "\r\n\r\n"))
                #expect(peer.text.hasPrefix("HTTP/1.1 401 "))
            }
        }
    }

    @Test func `O2 a large unread body closes the connection`() async throws {
        let handler: HTTPHandler = { exchange in
            exchange.sendHead(HTTPResponseHead(status: 401))
            exchange.finish()
        }
        try await withServer(handler: handler) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
                #expect(
                    try await peer.receiveAll()
                        == "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            }
        }
    }

    @Test func `M8 huge headers get 431 and a closed connection`() async throws {
        try await withServer(handler: echo) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send(
                    "GET / HTTP/1.1\r\nHost: x\r\nA: " + String(repeating: "a", count: 100_000))
                let text = try await peer.receiveAll()
                #expect(text.hasPrefix("HTTP/1.1 431 Request Header Fields Too Large\r\n"))
                #expect(text.hasSuffix("header block larger than HTTPLimits.headerListByteCount = 8192\n"))
            }
        }
    }

    @Test func `M8 huge headers on HTTP/2 reset the stream, others live on`() async throws {
        try await withServer(handler: echo) { server in
            let client = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, group: testGroup)
            let fields: HTTPFields = [.userAgent: String(repeating: "a", count: 12_000)]
            await #expect(throws: HTTPStreamError.reset(.enhanceYourCalm)) {
                _ = try await client.call(fields: fields)
            }
            #expect(try await client.call(body: [1]).body == [1])
            await client.close()
        }
    }

    @Test func `a body over the limit is refused by name`() async throws {
        var limits = HTTPLimits()
        limits.bodyByteCount = 100
        try await withServer(limits: limits, handler: echo) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n")
                let text = try await peer.receiveAll()
                #expect(text.hasPrefix("HTTP/1.1 413 "))
                #expect(text.hasSuffix("HTTPLimits.bodyByteCount = 100\n"))
            }
        }
    }

    @Test func `O1 a broken chunk ends the connection after the handler's answer`() async throws {
        let witness = Witness()
        try await withServer(handler: witness.reader) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send(
                    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX")
                try await peer.send("GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
                let text = try await peer.receiveAll()
                #expect(
                    text
                        == "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                )
            }
            #expect(witness.recorded == [.protocolViolation("chunk data is not followed by CRLF")])
        }
    }

    @Test func `HEAD has the length but not the body`() async throws {
        let handler: HTTPHandler = { exchange in
            try? await exchange.send(ByteBuffer(string: "12345"))
            exchange.finish()
        }
        try await withServer(handler: handler) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                #expect(
                    try await peer.receiveAll()
                        == "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n")
            }
        }
    }

    @Test func `a request byte by byte is served`() async throws {
        try await withServer(handler: echo) { server in
            try await RawPeer.with(port: server.port) { peer in
                let request =
                    "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                for byte in Array((request + "2\r\nhi\r\n0\r\n\r\n").utf8) { try await peer.send([byte]) }
                let text = try await peer.receiveAll()
                #expect(text.hasSuffix("\r\n\r\nhi") || text.hasSuffix("i\r\n0\r\n\r\n"))
            }
        }
    }
}
