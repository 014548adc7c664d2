import Greeter
import HTTPTransport
import Logging
import NIOCore
import NIOPosix
import RPC
import Testing

@Suite struct GreeterTests {
    @Test("one service with SwiftProtobuf messages, in every form", arguments: [
            (
                "application/grpc-web", [0, 0, 0, 0, 4, 0x0A, 2] + Array("hi".utf8),
                [0, 0, 0, 0, 12, 0x0A, 10] + Array("Hello, hi!".utf8)
            ),
        ("application/proto", [0x0A, 2] + Array("hi".utf8), [0x0A, 10] + Array("Hello, hi!".utf8)),
        ("application/json", Array("\"hi\"".utf8), Array("\"Hello, hi!\"".utf8)),
    ] as [(String, [UInt8], [UInt8])])
    func greet(type: String, request: [UInt8], response: [UInt8]) async throws {
        let answer = try await call(GreeterService.greet.path, type, request)
        #expect(answer.status == 200)
        #expect(answer.body.starts(with: response))
    }

    @Test("a stream, and a request that does not decode")
    func countAndFail() async throws {
        let stream = try await call(GreeterService.count.path, "application/connect+json", [0, 0, 0, 0, 1, 0x32])
        #expect(stream.body == [0, 0, 0, 0, 1, 0x30, 0, 0, 0, 0, 1, 0x31, 2, 0, 0, 0, 2, 0x7B, 0x7D])
        let broken = try await call(GreeterService.greet.path, "application/json", Array("{".utf8))
        #expect(broken.status == 400)
    }

    private func call(_ path: String, _ type: String, _ body: [UInt8]) async throws -> (status: Int, body: [UInt8]) {
        let logger = Logger(label: "example")
        let rpc = RPCServer(services: [GreeterService()], logger: logger)
        let group = MultiThreadedEventLoopGroup.singleton
        let server = try await HTTPServer.start(HTTPServerConfiguration(), group: group, logger: logger) {
            await rpc.handle($0)
        }
        let connection = try await HTTPClientConnection.connect(
            host: "127.0.0.1", port: server.port, protocol: .http1, configuration: HTTPClientConfiguration(),
            group: group
        )
        let exchange = try await connection.start(HTTPRequestHead(path: path, fields: [.contentType: type]))
        try await exchange.send(ByteBuffer(bytes: body))
        exchange.finish()
        let status = try await exchange.responseHead().status
        var answer: [UInt8] = []
        while let chunk = try await exchange.readBody() { answer += Array(chunk.readableBytesView) }
        await connection.close()
        await server.shutdown(gracePeriod: .seconds(1))
        return (status, answer)
    }
}
