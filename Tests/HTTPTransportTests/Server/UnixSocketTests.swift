import Foundation
import HTTPTransport
import NIOCore
import NIOPosix
import Testing

/// Servers on Unix sockets.
@Suite(.timeLimit(.minutes(5))) struct UnixSocketTests {
    /// Short: such a path has room for about 100 bytes.
    private let path = "/tmp/http-\(UUID().uuidString.prefix(8)).sock"

    private func start(_ permissions: UInt16 = 0o600, handler: @escaping HTTPHandler = echo) async throws -> HTTPServer
    {
        try await HTTPServer.start(
            HTTPServerConfiguration(address: .unix(path: path, permissions: permissions), timeouts: .patient),
            group: testGroup,
            logger: LoggerFactory.quiet, handler: handler)
    }

    /// The whole answer to one HTTP/1.1 request.
    private func get() async throws -> String {
        let channel = try await ClientBootstrap(group: testGroup)
            .connect(unixDomainSocketPath: path) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
            var text = ""
            for try await bytes in inbound { text += String(buffer: bytes) }
            return text
        }
    }

    @Test func `requests come by a path, with permissions; the file goes with the server`() async throws {
        let server = try await start(0o660) { exchange in
            exchange.sendLast(ByteBuffer(string: "peer \(exchange.remoteAddress?.pathname ?? "none")"))
        }
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o660)
        #expect(server.port == 0)
        #expect(server.localAddresses.first?.pathname == path)
        #expect(try await get().hasSuffix("\r\n\r\npeer \(path)"))
        await server.shutdown(gracePeriod: .seconds(1))
        #expect(!FileManager.default.fileExists(atPath: path))
        let left = try FileManager.default.contentsOfDirectory(atPath: "/tmp").filter { "/tmp/\($0)".hasPrefix(path) }
        #expect(left.isEmpty)
    }

    @Test func `the file of a server that was killed is replaced`() async throws {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let address = try SocketAddress(unixDomainSocketPath: path)
        _ = address.withSockAddr { bind(descriptor, $0, socklen_t($1)) }
        close(descriptor)
        #expect(FileManager.default.fileExists(atPath: path))
        let server = try await start()
        #expect(try await get().hasPrefix("HTTP/1.1 200 "))
        await server.shutdown(gracePeriod: .seconds(1))
    }

    @Test func `a running server keeps its file, other files are not touched`() async throws {
        let server = try await start()
        let taken = await #expect(throws: HTTPConnectionError.self) { _ = try await start() }
        #expect(taken?.description == "cannot listen on unix:\(path): another server listens there")
        #expect(try await get().hasPrefix("HTTP/1.1 200 "))
        await server.shutdown(gracePeriod: .seconds(1))

        try Data("precious".utf8).write(to: URL(fileURLWithPath: path))
        let file = await #expect(throws: HTTPConnectionError.self) { _ = try await start() }
        #expect(file?.description == "cannot listen on unix:\(path): a file that is no socket is there")
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data("precious".utf8))
        try FileManager.default.removeItem(atPath: path)
    }

    @Test(arguments: ["/no/such/folder/socket", "/tmp/" + String(repeating: "x", count: 200)])
    func `a path that cannot be used is named`(path: String) async throws {
        let error = await #expect(throws: HTTPConnectionError.self) {
            _ = try await HTTPServer.start(
                HTTPServerConfiguration(address: .unix(path: path)), group: testGroup, logger: LoggerFactory.quiet,
                handler: echo)
        }
        #expect(error?.description.hasPrefix("cannot listen on unix:\(path): ") == true)
    }
}
