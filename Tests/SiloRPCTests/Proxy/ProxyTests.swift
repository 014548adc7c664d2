import FrameCodec
import HTTPTransport
import Logging
import NIOCore
import NIOPosix
import RPC
import Testing

@testable import SiloRPC

/// Client -> control (proxy) -> cell, over real sockets.
@Suite(.timeLimit(.minutes(5))) struct ProxyTests {
    static let us1 = try! CellName("us1")

    static func serve<R: Sendable>(
        _ handler: @escaping HTTPHandler, _ body: @Sendable (Int) async throws -> R
    ) async throws -> R {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        var http = HTTPServerConfiguration()
        http.address = .tcp(host: "127.0.0.1", port: 0)
        // A test whose tasks starve on a busy machine is no slow peer.
        http.timeouts.requestHead = .seconds(240)
        let server = try await HTTPServer.start(
            http, group: MultiThreadedEventLoopGroup.singleton, logger: logger, handler: handler)
        do {
            let result = try await body(server.port)
            await server.shutdown(gracePeriod: .seconds(1))
            return result
        } catch {
            await server.shutdown(gracePeriod: .zero)
            throw error
        }
    }

    /// - Parameter cell: nil for a cell that is not there.
    static func proxied<R: Sendable>(
        cell: HTTPHandler?, configure: (inout SiloHTTPClient.Configuration) -> Void = { _ in },
        counted: [String: Int]? = nil, _ body: @Sendable (HTTPClientConnection) async throws -> R
    ) async throws -> R {
        var configuration = SiloHTTPClient.Configuration()
        configure(&configuration)
        let settings = configuration
        let down = try await serve({ $0.finish() }) { $0 }
        return try await serve(cell ?? { $0.finish() }) { port in
            let directory = try CellDirectory(
                cells: [Cell(name: us1, address: "http://127.0.0.1:\(cell == nil ? down : port)")], fallbackCell: us1)
            let client = SiloHTTPClient(
                keyring: try SiloKeyring(address: .control, keys: try SignatureFixture.keys()), directory: directory,
                configuration: settings)
            let result = try await serve({ await client.proxy($0, to: us1) }) { port in
                let connection = try await HTTPClientConnection.connect(
                    host: "127.0.0.1", port: port, group: MultiThreadedEventLoopGroup.singleton)
                let result = try await body(connection)
                await connection.close()
                return result
            }
            if let counted {
                let counts = client.proxiedRequests.map { ($0.key.outcome, $0.value) }
                #expect(Dictionary(uniqueKeysWithValues: counts) == counted)
            }
            await client.close()
            return result
        }
    }

    struct Answer: Sendable {
        let head: HTTPResponseHead
        let body: [UInt8]
        let trailers: HTTPFields?
        subscript(_ name: String) -> String? { HTTPFieldName(name).flatMap { head.fields.first($0) } }
    }

    static func send(
        _ connection: HTTPClientConnection, _ method: HTTPMethod = .post, _ path: String = "/a/b?c=d&c=e",
        _ pairs: [(String, String)] = [], body: [UInt8] = []
    ) async throws -> Answer {
        var fields = HTTPFields()
        for (name, value) in pairs { if let name = HTTPFieldName(name) { fields.append(name, value) } }
        let exchange = try await connection.start(
            HTTPRequestHead(method: method, path: path, scheme: "http", authority: "public.example", fields: fields))
        if !body.isEmpty { try await exchange.send(ByteBuffer(bytes: body)) }
        exchange.finish()
        let head = try await exchange.responseHead()
        var bytes: [UInt8] = []
        while let piece = try await exchange.readBody() { bytes += piece.readableBytesView }
        return Answer(head: head, body: bytes, trailers: await exchange.trailers)
    }

    @Test(arguments: [.post, .get, .delete, .put, .patch] as [HTTPMethod])
    func `method, path, query, body, status and trailers pass; internal and hop-by-hop fields do not`(
        method: HTTPMethod
    ) async throws {
        let body = [UInt8](repeating: 3, count: 100_000)
        try await Self.proxied(cell: { exchange in
            let head = exchange.head
            var names: [String] = []
            head.fields.forEach { name, _ in names.append(String(decoding: name, as: UTF8.self)) }
            var received: [UInt8] = []
            while let bytes = try? await exchange.readBody() { received += bytes.readableBytesView }
            var fields = HTTPFields()
            for (name, value) in [
                ("seen", "\(head.method) \(head.path) \(received.count)"),
                ("names", names.sorted().joined(separator: " ")),
                ("x-silo-secret", "1"), ("x-other", "2"), ("access-control-allow-origin", "*"),
                ("forwarded-for", HTTPFieldName("x-forwarded-for").flatMap { head.fields.first($0) } ?? ""),
            ] { if let name = HTTPFieldName(name) { fields.append(name, value) } }
            exchange.sendHead(HTTPResponseHead(status: 418, fields: fields))
            try? await exchange.send(ByteBuffer(bytes: received))
            exchange.finish(trailers: ["grpc-status": "5"].fields)
        }) { connection in
            let answer = try await Self.send(
                connection, method, "/a/b?c=d&c=e",
                [
                    ("x-api-key", "k"), ("x-silo-organization", "9"), ("x-forwarded-for", "6.6.6.6"),
                    ("te", "trailers"),
                    ("origin", "https://a.example"),
                ],
                body: body)
            #expect(answer.head.status == 418)
            #expect(answer["seen"] == "\(method) /a/b?c=d&c=e 100000")
            #expect(answer["names"] == "te x-api-key x-forwarded-for x-silo-hop")
            #expect(answer["access-control-allow-origin"] == nil)
            #expect(answer["forwarded-for"] == "127.0.0.1")
            #expect(answer["x-other"] == "2" && answer["x-silo-secret"] == nil)
            #expect(answer.body == body)
            #expect(answer.trailers?.first(.grpcStatus) == "5")
        }
    }

    @Test func `bytes flow both ways while the request is still open`() async throws {
        try await Self.proxied(cell: { exchange in
            exchange.sendHead(HTTPResponseHead(status: 200))
            while let bytes = try? await exchange.readBody() { try? await exchange.send(bytes) }
            exchange.finish()
        }) { connection in
            let exchange = try await connection.start(
                HTTPRequestHead(path: "/s", scheme: "http", authority: "public.example"))
            for number in 0..<5 as Range<UInt8> {
                try await exchange.send(ByteBuffer(bytes: [number]))
                if number == 0 { #expect(try await exchange.responseHead().status == 200) }
                #expect(try await exchange.readBody() == ByteBuffer(bytes: [number]))
            }
            exchange.finish()
            #expect(try await exchange.readBody() == nil)
        }
    }

    @Test func `a request that was handed on already is refused, whatever marks it`() async throws {
        let cell: HTTPHandler = { exchange in
            exchange.sendHead(HTTPResponseHead(status: 200))
            exchange.finish()
        }
        try await Self.proxied(cell: cell, counted: ["PROXY_LOOP": 2, "200": 1]) { connection in
            #expect(try await Self.send(connection, .get, "/").head.status == 200)
            for value in ["1", ""] {
                let answer = try await Self.send(connection, .get, "/", [("x-silo-hop", value)])
                #expect(answer.head.status == 508)
            }
        }
    }

    @Test func `a cell that is down is 503, or UNAVAILABLE for a call, and its address is not told`() async throws {
        try await Self.proxied(cell: nil, counted: ["CELL_UNREACHABLE": 2]) { connection in
            let plain = try await Self.send(connection, .get)
            #expect(plain.head.status == 503 && plain["retry-after"] == "1")
            #expect(!String(decoding: plain.body, as: UTF8.self).contains("127.0.0.1"))
            let call = try await Self.send(connection, .post, "/x.Y/Z", [("content-type", "application/grpc")])
            #expect(call.head.status == 200 && call["grpc-status"] == "14")
        }
    }

    @Test func `a refusal tells programs why, and a page of an allowed origin may read it`() async throws {
        let origin = "https://a.example"
        try await Self.proxied(cell: nil, configure: { $0.crossOrigin.allowedOrigins = [origin] }) { connection in
            for type in ["application/grpc", "application/grpc-web+proto", "application/grpc-web-text"] {
                let call = try await Self.send(
                    connection, .post, "/x.Y/Z", [("content-type", type), ("origin", origin)])
                #expect(call["content-type"] == type && call["grpc-status"] == "14")
                #expect(call["access-control-allow-origin"] == origin)
                #expect(call["access-control-expose-headers"]?.contains("retry-after") == true)
                let details = try #require(call["grpc-status-details-bin"])
                let status = try GoogleRPC.Status(
                    serializedBytes: try #require(Base64.decode(Array(details.utf8))))
                let info = try #require(try status.details.first?.unpack(GoogleRPC.ErrorInfo.self))
                #expect(info.domain == "silo" && ["CELL_UNREACHABLE", "CELL_PAUSED"].contains(info.reason))
            }
            let plain = try await Self.send(
                connection, .post, "/x.Y/Z", [("content-type", "application/json"), ("origin", "https://b.example")])
            #expect(plain.head.status == 503 && plain["access-control-allow-origin"] == nil)
            let json = String(decoding: plain.body, as: UTF8.self)
            #expect(json.hasPrefix(#"{"code":"unavailable","message":"the cell "#))
            #expect(json.contains(#""details":[{"type":"google.rpc.ErrorInfo","value":""#))
        }
    }

    @Test func `a service that says unavailable in its own words does not make the cell pause`() async throws {
        try await Self.proxied(cell: { exchange in
            var fields = HTTPFields()
            let isOwn = exchange.head.path.hasPrefix("/own")
            fields.append(.contentType, isOwn ? "application/json" : "text/plain")
            exchange.sendHead(HTTPResponseHead(status: 503, fields: fields))
            exchange.finish()
        }) { connection in
            for _ in 0..<40 { #expect(try await Self.send(connection, .post, "/own")["retry-after"] == nil) }
            var answers: [String?] = []
            for _ in 0..<120 { answers.append(try await Self.send(connection, .post, "/x")["retry-after"]) }
            #expect(answers.first == .some(nil) && answers.contains("1"), "a cell that cannot serve does")
        }
    }

    @Test func `a cell that does not answer in the caller's time is 504, once`() async throws {
        let requests = StoredAnswersTests.Counter()
        try await Self.proxied(cell: { exchange in
            _ = requests.next()
            while (try? await exchange.readBody()) != nil {}
            try? await Task.sleep(for: .seconds(600))
        }) { connection in
            let answer = try await Self.send(connection, .post, "/", [("connect-timeout-ms", "1000")])
            #expect(answer.head.status == 504)
            #expect(requests.count <= 1)
        }
    }

    @Test func `clients that do not wait do not make the cell pause, clients that do wait do`() async throws {
        try await Self.proxied(
            cell: { _ in try? await Task.sleep(for: .seconds(600)) },
            configure: { $0.proxyPatience = .milliseconds(50) }
        ) { connection in
            for _ in 0..<40 {
                #expect(try await Self.send(connection, .post, "/", [("connect-timeout-ms", "1")]).head.status == 504)
            }
            var statuses: [Int] = []
            for _ in 0..<40 {
                statuses.append(try await Self.send(connection, .post, "/", [("connect-timeout-ms", "50")]).head.status)
            }
            #expect(statuses.first == 504 && statuses.contains(503))
        }
    }

    @Test func `an exchange that breaks is 502 and not sent again; after the head the client's stream is reset`()
        async throws
    {
        let requests = StoredAnswersTests.Counter()
        try await Self.proxied(cell: { exchange in
            _ = requests.next()
            if exchange.method == .put {
                exchange.sendHead(HTTPResponseHead(status: 200))
                try? await exchange.send(ByteBuffer())
                _ = try? await exchange.readBody()
            }
            exchange.reset(.internalError)
        }) { connection in
            let broken = try await Self.send(connection, .get)
            #expect(broken.head.status == 502)
            #expect(requests.count == 1)
            let exchange = try await connection.start(
                HTTPRequestHead(method: .put, path: "/", scheme: "http", authority: "public.example"))
            #expect(try await exchange.responseHead().status == 200)
            try await exchange.send(ByteBuffer(bytes: [1]))
            await #expect(throws: HTTPStreamError.self) { while try await exchange.readBody() != nil {} }
            #expect(requests.count == 2)
        }
    }

    @Test(arguments: [.put, .get] as [HTTPMethod])
    func `a client that leaves ends the request to the cell, sending or being sent to, and frees its place`(
        method: HTTPMethod
    ) async throws {
        let ended = AsyncStream.makeStream(of: Void.self)
        try await Self.proxied(
            cell: { exchange in
                if exchange.method == .post { return exchange.finish() }
                exchange.sendHead(HTTPResponseHead(status: 200))
                do {
                    // It never ends by itself.
                    while true {
                        if exchange.method == .put {
                            guard let bytes = try await exchange.readBody() else { return exchange.finish() }
                            try await exchange.send(bytes)
                        } else {
                            try await exchange.send(ByteBuffer(repeating: 7, count: 10_000))
                        }
                    }
                } catch {
                    ended.continuation.finish()
                }
            }, configure: { $0.maximumProxiedExchanges = 1 }
        ) { connection in
            let exchange = try await connection.start(
                HTTPRequestHead(method: method, path: "/s", scheme: "http", authority: "public.example"))
            if method == .put { try await exchange.send(ByteBuffer(bytes: [1])) } else { exchange.finish() }
            #expect(try await exchange.responseHead().status == 200)
            #expect(try await exchange.readBody() != nil)
            exchange.cancel()
            for await _ in ended.stream {}
            var status = 503
            while status == 503 {
                status = try await Self.send(connection, .post).head.status
                await Task.yield()
            }
            #expect(status == 200)
        }
    }

    @Test func `a cell that answers before it has read all ends the upload, and its answer arrives`() async throws {
        try await Self.proxied(cell: { exchange in
            exchange.sendHead(HTTPResponseHead(status: 413))
            exchange.finish()
        }) { connection in
            let exchange = try await connection.start(
                HTTPRequestHead(method: .put, path: "/s", scheme: "http", authority: "public.example"))
            let upload = Task {
                // More than all windows hold together.
                for _ in 0..<200 { try await exchange.send(ByteBuffer(repeating: 1, count: 100_000)) }
                exchange.finish()
            }
            #expect(try await exchange.responseHead().status == 413)
            while try await exchange.readBody() != nil {}
            _ = await upload.result
            #expect(try await Self.send(connection, .get).head.status == 413, "the connection goes on")
        }
    }

    @Test func `no more exchanges at a time than allowed, bodies included`() async throws {
        try await Self.proxied(
            cell: { exchange in
                exchange.sendHead(HTTPResponseHead(status: 200))
                while let bytes = try? await exchange.readBody() { try? await exchange.send(bytes) }
                exchange.finish()
            }, configure: { $0.maximumProxiedExchanges = 1 }
        ) { connection in
            let open = try await connection.start(
                HTTPRequestHead(path: "/s", scheme: "http", authority: "public.example"))
            try await open.send(ByteBuffer(bytes: [1]))
            _ = try await open.responseHead()
            #expect(try await Self.send(connection, .get).head.status == 503)
            open.finish()
            while try await open.readBody() != nil {}
        }
    }

    @Test func `a silo's own requests are signed, and go to configured silos only`() async throws {
        let keys = try SignatureFixture.keys()
        let verifier = SiloVerifier(keyring: try SiloKeyring(address: .cell(Self.us1), keys: keys))
        try await Self.serve({ exchange in
            var body = ByteBuffer()
            while let bytes = try? await exchange.readBody() { body.writeImmutableBuffer(bytes) }
            var status = 200
            do {
                let head = try verifier.checkHead(exchange.head, identity: nil)
                _ = try body.withUnsafeReadableBytes { try verifier.checkBody($0, of: head) }
            } catch {
                status = 401
            }
            exchange.sendHead(HTTPResponseHead(status: status))
            exchange.finish()
        }) { port in
            let directory = try CellDirectory(
                cells: [Cell(name: Self.us1, address: "http://127.0.0.1:\(port)/")], fallbackCell: Self.us1)
            let client = SiloHTTPClient(keyring: try SiloKeyring(address: .control, keys: keys), directory: directory)
            for body in [ByteBuffer(), ByteBuffer(bytes: [1, 2, 3])] {
                let answer = try await client.request(.post, "/internal?x=1", to: .cell(Self.us1), body: body)
                #expect(answer.status == 200)
            }
            await #expect(throws: SiloError.self) {
                try await client.request(.get, "/", to: SignatureFixture.eu1)
            }
            await #expect(throws: SiloError.self) {
                try await client.request(.get, "//evil.example/", to: .cell(Self.us1))
            }
            await client.close()
        }
    }
}

extension [String: String] {
    fileprivate var fields: HTTPFields {
        var fields = HTTPFields()
        for (name, value) in self { if let name = HTTPFieldName(name) { fields.append(name, value) } }
        return fields
    }
}
