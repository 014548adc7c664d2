import Compression
import HTTPTransport
import NIOCore
import ScriptedPeer
import Synchronization
import Testing

/// The plain HTTP client against our own server and against peers that misbehave.
// One after the other: all at once would need more sockets and threads than a small machine has.
@Suite(.serialized, .timeLimit(.minutes(5))) struct HTTPClientTests {
    private func withClient<R>(
        _ configure: (inout HTTPClient.Configuration) -> Void = { _ in }, _ body: (HTTPClient) async throws -> R
    ) async throws -> R {
        var configuration = HTTPClient.Configuration()
        configure(&configuration)
        let client = HTTPClient(configuration, group: testGroup)
        do {
            let result = try await body(client)
            await client.shutdown()
            return result
        } catch {
            await client.shutdown()
            throw error
        }
    }

    private static func answer(_ head: String, _ body: [UInt8] = []) -> [UInt8] {
        Array("HTTP/1.1 \(head)\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body
    }

    @Test(
        "bodies both ways over both protocols, in clear text and TLS", arguments: [HTTPClientProtocol.http1, .http2],
        TestTransport.allCases)
    func echoes(httpProtocol: HTTPClientProtocol, transport: TestTransport) async throws {
        var tls = try transport.client ?? TLSClientConfiguration()
        tls.applicationProtocols = [httpProtocol]
        try await withServer(transport, handler: echo) { server in
            try await withClient({ ($0.clearTextProtocol, $0.tls) = (httpProtocol, tls) }) { client in
                let url = "\(transport == .tls ? "https" : "http")://127.0.0.1:\(server.port)/"
                for count in [0, 1, 1_000_000] {
                    let bytes = ByteBuffer(repeating: 7, count: count)
                    let whole = try await client.execute(HTTPClientRequest(.post, url, body: .bytes(bytes)))
                    #expect(try await whole.body.collect() == bytes)
                    let streamed = try await client.execute(
                        HTTPClientRequest(.post, url, body: .stream(byteCount: nil) { writer in
                            for start in stride(from: 0, to: count, by: 10_000) {
                                try await writer.send(ByteBuffer(repeating: 7, count: min(10_000, count - start)))
                            }
                        }))
                    #expect(try await streamed.body.collect() == bytes)
                }
            }
        }
    }

    @Test("keep-alive: requests one after the other share a connection")
    func reuse() async throws {
        let script: ScriptedPeer.Script = { connection, number in
            while try await connection.readHTTP1Request() != nil {
                try await connection.send(Self.answer("200 OK", [UInt8(number)]))
            }
        }
        try await ScriptedPeer.with(script) { peer in
            try await withClient { client in
                for _ in 0..<5 {
                    let response = try await client.execute(HTTPClientRequest(.get, "http://127.0.0.1:\(peer.port)/"))
                    #expect(try await response.body.collect() == ByteBuffer(bytes: [1]))
                }
            }
        }
    }

    @Test("a connection that was closed between requests does not fail the next one")
    func stale() async throws {
        let script: ScriptedPeer.Script = { connection, _ in
            guard try await connection.readHTTP1Request() != nil else { return }
            try await connection.send(Self.answer("200 OK"))
        }
        try await ScriptedPeer.with(script) { peer in
            try await withClient { client in
                for _ in 0..<20 {
                    let response = try await client.execute(HTTPClientRequest(.get, "http://127.0.0.1:\(peer.port)/"))
                    _ = try await response.body.collect()
                }
            }
        }
    }

    @Test("response cap, before and after decompression", arguments: CompressionAlgorithm.all)
    func cap(algorithm: CompressionAlgorithm) async throws {
        let zeros = [UInt8](repeating: 0, count: 100_000)
        let small = try zeros.withUnsafeBytes { try Compressor.compress($0, with: algorithm) }
        let script: ScriptedPeer.Script = { connection, _ in
            while let (head, _) = try await connection.readHTTP1Request() {
                let isPlain = head.hasPrefix("GET /plain")
                let coding = isPlain ? "" : "\r\nContent-Encoding: \(algorithm.name)"
                try await connection.send(Self.answer("200 OK\(coding)", isPlain ? zeros : small))
            }
        }
        try await ScriptedPeer.with(script) { peer in
            try await withClient { client in
                for path in ["plain", "small"] {
                    var request = try HTTPClientRequest(.get, "http://127.0.0.1:\(peer.port)/\(path)")
                    request.maximumResponseByteCount = 100_000
                    #expect(try await client.execute(request).body.collect().readableBytes == 100_000)
                    request.maximumResponseByteCount = 99_999
                    let response = try await client.execute(request)
                    let error = await #expect(throws: HTTPClientError.self) { try await response.body.collect() }
                    #expect(error?.description.contains("99999") == true)
                }
            }
        }
    }

    @Test("time cap: a server that dribbles is given up, with the limit in the message")
    func timeout() async throws {
        let script: ScriptedPeer.Script = { connection, _ in
            _ = try await connection.readHTTP1Request()
            try await connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
            try await connection.readToEnd()
        }
        try await ScriptedPeer.with(script) { peer in
            try await withClient({ $0.timeout = .milliseconds(200) }) { client in
                let error = await #expect(throws: HTTPClientError.self) {
                    let response = try await client.execute(HTTPClientRequest(.get, "http://127.0.0.1:\(peer.port)/"))
                    _ = try await response.body.collect()
                }
                guard case .timedOut = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
            }
        }
    }

    @Test("redirects: none by default, same origin, any origin without Authorization, a bounded number")
    func redirects() async throws {
        let heads = Mutex<[String]>([])
        let target: ScriptedPeer.Script = { connection, _ in
            while let (head, _) = try await connection.readHTTP1Request() {
                heads.withLock { $0.append(head) }
                try await connection.send(Self.answer("200 OK"))
            }
        }
        try await ScriptedPeer.with(target) { other in
            let script: ScriptedPeer.Script = { connection, _ in
                while let (head, _) = try await connection.readHTTP1Request() {
                    let line = head.prefix { $0 != "\r\n" }
                    if line.contains("/away") {
                        try await connection.send(
                            Self.answer("302 Found\r\nLocation: http://127.0.0.1:\(other.port)/x"))
                    } else if line.contains("/loop") {
                        try await connection.send(Self.answer("307 Temporary Redirect\r\nLocation: /loop"))
                    } else {
                        try await connection.send(Self.answer("303 See Other\r\nLocation: /away"))
                    }
                }
            }
            try await ScriptedPeer.with(script) { peer in
                try await withClient { client in
                    let base = "http://127.0.0.1:\(peer.port)"
                    var request = try HTTPClientRequest(
                        .post, base + "/start", fields: [.authorization: "secret", .cookie: "c"],
                        body: .bytes(ByteBuffer(string: "b")))
                    #expect(try await client.execute(request).status == 303)
                    request.redirects = .sameOrigin(maximum: 3)
                    await #expect(throws: HTTPClientError.self) { try await client.execute(request) }
                    request.redirects = .anyOrigin(maximum: 3)
                    let response = try await client.execute(request)
                    #expect(response.status == 200)
                    #expect(response.url.description == "http://127.0.0.1:\(other.port)/x")
                    request.url = try HTTPURL(base + "/loop")
                    let error = await #expect(throws: HTTPClientError.self) { try await client.execute(request) }
                    #expect(error?.description.contains("3 redirects") == true)
                }
            }
        }
        let seen = heads.withLock { $0 }
        #expect(seen.count == 1)
        #expect(seen.first?.hasPrefix("GET /x HTTP/1.1\r\n") == true)
        #expect(seen.first?.contains("secret") == false)
        #expect(seen.first?.contains("cookie") == false)
    }

    @Test("SSRF: every address is vetted before it is connected to, redirects too; Host stays the URL's")
    func vetting() async throws {
        try await ScriptedPeer.with({ connection, _ in
            while let (head, _) = try await connection.readHTTP1Request() {
                try await connection.send(Self.answer("200 OK", Array(head.utf8)))
            }
        }) { peer in
            let url = "http://localhost:\(peer.port)/"
            try await withClient({ $0.addressVetting = { try AddressPolicy().check($0) } }) { client in
                let error = await #expect(throws: HTTPClientError.self) {
                    try await client.execute(HTTPClientRequest(.get, url))
                }
                #expect(error?.description.contains("AddressPolicy.allowed") == true)
            }
            #expect(peer.connectionCount == 0)
            let local = ["127.0.0.0/8", "::1"].compactMap { AddressRange($0) }
            try await withClient({ $0.addressVetting = { try AddressPolicy(allowing: local).check($0) } }) { client in
                let response = try await client.execute(HTTPClientRequest(.get, url))
                let head = String(buffer: try await response.body.collect())
                #expect(head.contains("\r\nhost: localhost:\(peer.port)\r\n"))
            }
        }
    }

    @Test("a Unix socket with the URL's host")
    func unixSocket() async throws {
        let path = "/tmp/http-client-test-\(UInt32.random(in: 0 ... .max)).sock"
        try await ScriptedPeer.with({ connection, _ in
            guard let (head, _) = try await connection.readHTTP1Request() else { return }
            try await connection.send(Self.answer("200 OK", Array(head.utf8)))
        }, unixPath: path) { _ in
            try await withClient({ $0.unixSocketPath = path }) { client in
                let response = try await client.execute(HTTPClientRequest(.get, "http://docker/v1"))
                #expect(
                    String(buffer: try await response.body.collect()).hasPrefix("GET /v1 HTTP/1.1\r\nhost: docker\r\n"))
            }
        }
    }

    @Test("a body that is not read holds the server back; dropping it ends the exchange")
    func backPressure() async throws {
        let sent = Atomic<Int>(0)
        let isOver = Atomic<Bool>(false)
        let endless: HTTPHandler = { exchange in
            exchange.sendHead(HTTPResponseHead(status: 200))
            while (try? await exchange.send(ByteBuffer(repeating: 1, count: 10_000))) != nil {
                sent.add(10_000, ordering: .relaxed)
            }
            isOver.store(true, ordering: .relaxed)
        }
        try await withServer(handler: endless) { server in
            try await withClient({ $0.maximumResponseByteCount = .max }) { client in
                do {
                    let response = try await client.execute(HTTPClientRequest(.get, "http://127.0.0.1:\(server.port)/"))
                    try await Task.sleep(for: .milliseconds(300))
                    // Socket buffers and ours, far from everything a fast loop would have sent.
                    #expect(sent.load(ordering: .relaxed) < 32_000_000)
                    _ = response.status
                }
                #expect(await eventually { isOver.load(ordering: .relaxed) })
            }
        }
    }
}
