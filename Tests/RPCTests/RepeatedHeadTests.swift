import HTTPTransport
import Logging
import NIOCore
import NIOPosix
import RPC
import Synchronization
import Testing

/// Requests whose head is that of the one before on their connection, byte for byte: what the head means is remembered,
/// and nobody can tell.
@Suite(.timeLimit(.minutes(5))) struct RepeatedHeadTests {
    private static let message: [UInt8] = [0, 0, 0, 0, 4, 0x0A, 2, 0x68, 0x69]

    private struct Head {
        var path = EchoService.unary.path
        var fields = [("content-type", "application/grpc"), ("te", "trailers")]
    }

    /// Status, body and `grpc-status` of the answer to one request.
    private static func answer(_ head: Head, _ connection: HTTPClientConnection) async throws -> String {
        var fields = HTTPFields()
        for (name, value) in head.fields { fields.append(try #require(HTTPFieldName(name)), value) }
        let exchange = try await connection.start(
            HTTPRequestHead(path: head.path, scheme: "http", authority: "test", fields: fields))
        try await exchange.send(ByteBuffer(bytes: message))
        exchange.finish()
        let response = try await exchange.responseHead()
        var body: [UInt8] = []
        while let bytes = try await exchange.readBody() { body += bytes.readableBytesView }
        let status = await exchange.trailers?.first(.grpcStatus) ?? response.fields.first(.grpcStatus)
        return "\(response.status) \(response.fields) \(body) \(status ?? "-")"
    }

    private static func withConnection<R: Sendable>(
        port: Int, _ body: (HTTPClientConnection) async throws -> R
    ) async throws -> R {
        let connection = try await HTTPClientConnection.connect(
            host: "127.0.0.1", port: port, protocol: .http2, configuration: HTTPClientConfiguration(),
            group: MultiThreadedEventLoopGroup.singleton)
        let result = try await body(connection)
        await connection.close()
        return result
    }

    private static let heads = [
        Head(), Head(fields: [("content-type", "application/grpc")]),
        Head(fields: [("content-type", "application/grpc-web+proto"), ("x", "y")]),
        Head(fields: [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "0S")]),
        Head(fields: [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-encoding", "unheard-of")]),
        Head(fields: [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-encoding", "gzip")]),
        Head(fields: [("content-type", "text/plain")]), Head(path: "/no.Such/Method"),
        Head(path: EchoService.fail.path), Head(path: EchoService.repeated.path),
        Head(path: EchoService.unary.path + "x"),
    ]

    @Test func `each answer is what it would be on a connection of its own`() async throws {
        try await TestServer.run { server in
            var expected: [String] = []
            for head in Self.heads {
                expected.append(
                    try await Self.withConnection(port: server.port) { try await Self.answer(head, $0) })
            }
            let answers = expected
            try await Self.withConnection(port: server.port) { connection in
                for (index, head) in Self.heads.enumerated() {
                    // One, two, many; and the one before between them.
                    for times in [1, 2, 4] {
                        for _ in 0..<times {
                            let answer = try await Self.answer(head, connection)
                            #expect(answer == answers[index])
                        }
                        let other = (index + 1) % Self.heads.count
                        let answer = try await Self.answer(Self.heads[other], connection)
                        #expect(answer == answers[other])
                    }
                }
            }
        }
    }

    @Test func `a method can be switched off between two of them`() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let rpc = RPCServer(services: [EchoService()], logger: logger)
        var configuration = HTTPServerConfiguration()
        configuration.address = .tcp(host: "127.0.0.1", port: 0)
        let server = try await HTTPServer.start(
            configuration, group: MultiThreadedEventLoopGroup.singleton, logger: logger, service: rpc)
        try await Self.withConnection(port: server.port) { connection in
            for isEnabled in [true, false, true] {
                rpc.setMethod(EchoService.unary.path, isEnabled: isEnabled)
                for _ in 0..<4 {
                    let answer = try await Self.answer(Head(), connection)
                    #expect(answer.hasSuffix(isEnabled ? " 0" : " 14"), "\(answer)")
                }
            }
        }
        await server.shutdown(gracePeriod: .seconds(1))
    }

    /// Two servers of calls behind one transport: neither takes what the other has remembered.
    @Test func `two servers take turns`() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let servers = [
            RPCServer(services: [EchoService()], logger: logger), RPCServer(services: [], logger: logger),
        ]
        var configuration = HTTPServerConfiguration()
        configuration.address = .tcp(host: "127.0.0.1", port: 0)
        let turns = Turns()
        let server = try await HTTPServer.start(
            configuration, group: MultiThreadedEventLoopGroup.singleton, logger: logger
        ) { exchange in await servers[turns.next % 2].handle(exchange) }
        try await Self.withConnection(port: server.port) { connection in
            for index in 0..<8 {
                let answer = try await Self.answer(Head(), connection)
                #expect(answer.hasSuffix(index % 2 == 0 ? " 0" : " 12"), "\(answer)")
            }
        }
        await server.shutdown(gracePeriod: .seconds(1))
    }

    private final class Turns: Sendable {
        private let count = Atomic(0)
        var next: Int { count.add(1, ordering: .relaxed).oldValue }
    }
}
