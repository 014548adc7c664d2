import HTTPTransport
import Logging
import NIOCore
import Synchronization
import Testing

/// Exchanges are used again; nobody may notice.
@Suite(.timeLimit(.minutes(5))) struct ExchangeReuseTests {
    /// Keeps what handlers have seen.
    private final class Box: Sendable {
        let exchanges = Mutex<[HTTPExchange]>([])
        let fields = Mutex<[HTTPFields]>([])
        let sums = Mutex<[Int]>([])
        let references = Mutex<[Reference]>([])
    }

    private struct Reference { weak var exchange: HTTPExchange? }

    @Test func `an exchange that is kept after its end never becomes another request's`() async throws {
        let box = Box()
        let handler: HTTPHandler = { exchange in
            if exchange.head.path == "/kept" { box.exchanges.withLock { $0.append(exchange) } }
            await echo(exchange)
        }
        try await withServer(handler: handler) { server in
            let client = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, protocol: .http2, group: testGroup)
            for round in 0..<20 {
                #expect(try await client.call("/kept", body: [1, 2, 3]).body == [1, 2, 3])
                let kept = try #require(box.exchanges.withLock { $0.last })
                // Whatever is asked of it while another request runs reaches nobody.
                async let other = client.call("/other", body: Array(repeating: UInt8(round), count: 70_000))
                kept.sendHead(HTTPResponseHead(status: 500))
                kept.enqueue(ByteBuffer(string: "stray"))
                kept.finish(trailers: [.grpcStatus: "13"])
                kept.reset(.internalError)
                kept.cancelHandler()
                #expect(kept.head.path == "/kept")
                #expect(kept.takeCompleteBody() == nil)
                let unread = try? await kept.readBody()
                #expect(unread == nil)
                await #expect(throws: HTTPStreamError.self) { try await kept.send(ByteBuffer(string: "stray")) }
                let answer = try await other
                #expect(answer.status == 200)
                #expect(answer.body == Array(repeating: UInt8(round), count: 70_000))
                #expect(kept.head.path == "/kept")
            }
            await client.close()
        }
        #expect(box.exchanges.withLock { $0.count } == 20)
    }

    @Test func `fields that are kept after the request's end never change`() async throws {
        let box = Box()
        let handler: HTTPHandler = { exchange in
            box.fields.withLock { $0.append(exchange.fields) }
            // The request's own fields as the answer's: they are still read when the request is over.
            exchange.sendHead(HTTPResponseHead(status: 200, fields: exchange.fields))
            exchange.finish()
        }
        let name = try #require(HTTPFieldName("x-number"))
        try await withServer(handler: handler) { server in
            let client = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: server.port, protocol: .http2, group: testGroup)
            for number in 0..<50 {
                var fields = HTTPFields()
                fields.append(name, String(repeating: "\(number)-", count: 10))
                #expect(try await client.call(fields: fields).status == 200)
            }
            await client.close()
        }
        let seen = box.fields.withLock { $0 }
        #expect(seen.map { $0.first(name) } == (0..<50).map { String(repeating: "\($0)-", count: 10) })
    }

    @Test func `a connection that ends in the read that brought a body keeps nothing`() async throws {
        let box = Box()
        let handler: HTTPHandler = { exchange in
            box.references.withLock { $0.append(Reference(exchange: exchange)) }
            try? await Task.sleep(for: .milliseconds(20))
        }
        try await withServer(handler: handler) { server in
            try await RawPeer.with(port: server.port) { peer in
                // DATA on stream 0 ends the connection.
                try await peer.send(
                    Wire.begin + Wire.headers(1, Wire.requestBlock(), endStream: false) + Wire.data(1, [1, 2, 3])
                        + Wire.data(0, [1]))
                _ = try await peer.receiveAll()
            }
            #expect(await eventually { server.connectionCount == 0 })
        }
        let isGone = { box.references.withLock { !$0.isEmpty && $0.allSatisfy { $0.exchange == nil } } }
        #expect(await eventually(isGone))
    }

    /// Ends the exchange inside the very look at its body, and answers with what it sees afterwards.
    private struct Rude: HTTPService {
        let box = Box()
        func begin(_ exchange: HTTPExchange) -> HTTPExchangeTask? {
            let isServed = exchange.withCompleteBody { bytes in
                exchange.sendHead(HTTPResponseHead(status: 200))
                exchange.finish()
                box.sums.withLock { $0.append(bytes.reduce(0) { $0 + Int($1) }) }
                return true
            }
            return isServed ? nil : HTTPHandlerTask(exchange, echo)
        }
    }

    @Test(arguments: [HTTPClientProtocol.http1, .http2])
    func `the bytes of a body stay while they are looked at, even when the exchange ends meanwhile`(
        version: HTTPClientProtocol
    ) async throws {
        let service = Rude()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let server = try await HTTPServer.start(
            HTTPServerConfiguration(timeouts: .patient), group: testGroup, logger: logger, service: service)
        let client = try await HTTPClientConnection.connect(
            host: "127.0.0.1", port: server.port, protocol: version, group: testGroup)
        for _ in 0..<20 { #expect(try await client.call(body: Array(repeating: 1, count: 9_000)).status == 200) }
        await client.close()
        await server.shutdown(gracePeriod: .milliseconds(200))
        #expect(service.box.sums.withLock { $0 }.allSatisfy { $0 == 9_000 })
    }
}
