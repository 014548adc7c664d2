import Foundation
import HTTPTransport
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// One group for all socket tests.
let testGroup = MultiThreadedEventLoopGroup(numberOfThreads: 2)

/// Runs `body` against a server on a free port, then shuts it down.
func withServer<Result>(
    _ transport: TestTransport = .clearText, limits: HTTPLimits = HTTPLimits(),
    timeouts: HTTPTimeouts = .patient, handler: @escaping HTTPHandler, body: (HTTPServer) async throws -> Result
) async throws -> Result {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let server = try await HTTPServer.start(
        HTTPServerConfiguration(tls: try transport.server, limits: limits, timeouts: timeouts), group: testGroup,
        logger: logger,
        handler: handler)
    do {
        let result = try await body(server)
        await server.shutdown(gracePeriod: .milliseconds(200))
        return result
    } catch {
        await server.shutdown(gracePeriod: .zero)
        throw error
    }
}

extension HTTPTimeouts {
    /// A test whose tasks starve on a busy machine is no slow peer.
    static var patient: HTTPTimeouts {
        var timeouts = HTTPTimeouts()
        timeouts.requestHead = .seconds(240)
        timeouts.bodyGrace = nil
        return timeouts
    }
}

/// What carries the bytes of a test that does not care.
enum TestTransport: CaseIterable, Sendable {
    case clearText, tls

    var server: TLSServerConfiguration? {
        get throws { self == .tls ? try TestCertificates.make().server() : nil }
    }

    var client: TLSClientConfiguration? {
        get throws { self == .tls ? try TestCertificates.make().client() : nil }
    }

    func connect(
        to server: HTTPServer, _ version: HTTPClientProtocol,
        configuration: HTTPClientConfiguration = HTTPClientConfiguration()
    ) async throws -> HTTPClientConnection {
        try await HTTPClientConnection.connect(
            host: "127.0.0.1", port: server.port, protocol: version, tls: client, configuration: configuration,
            group: testGroup)
    }
}

/// Sends the request body back, with a trailer when the path is `/trailers`.
let echo: HTTPHandler = { exchange in
    do {
        exchange.sendHead(HTTPResponseHead(status: 200, fields: [.contentType: "application/octet-stream"]))
        while let bytes = try await exchange.readBody() { try await exchange.send(bytes) }
        exchange.finish(trailers: exchange.head.path == "/trailers" ? [.grpcStatus: "0"] : nil)
    } catch {
        exchange.reset(.internalError)
    }
}

extension HTTPClientExchange {
    /// The whole response body.
    func collect() async throws -> [UInt8] {
        var all: [UInt8] = []
        while let bytes = try await readBody() { all += bytes.readableBytesView }
        return all
    }
}

extension HTTPClientConnection {
    /// One whole call.
    func call(
        _ path: String = "/", method: HTTPMethod = .post, fields: HTTPFields = HTTPFields(),
        body: [UInt8] = []
    ) async throws -> (status: Int, body: [UInt8], trailers: HTTPFields?) {
        let exchange = try await start(HTTPRequestHead(method: method, path: path, fields: fields))
        async let sending: Void = {
            if !body.isEmpty { try await exchange.send(ByteBuffer(bytes: body)) }
            exchange.finish()
        }()
        let head = try await exchange.responseHead()
        let received = try await exchange.collect()
        try await sending
        return (head.status, received, await exchange.trailers)
    }
}

/// Waits until something holds; no test depends on how long that takes, a broken one ends after 20 s.
func eventually(_ condition: () -> Bool) async -> Bool {
    for _ in 0..<4_000 {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return false
}

/// A plain TCP peer that says exactly what a test wants.
final class RawPeer: Sendable {
    private let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private init(_ channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>) { self.channel = channel }

    /// Connects, runs `body`, closes.
    static func with<Result>(
        port: Int, _ body: (RawConversation) async throws -> Result
    ) async throws -> Result {
        let channel = try await ClientBootstrap(group: testGroup)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel,
                        configuration: .init(isOutboundHalfClosureEnabled: true))
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await body(
                RawConversation(
                    inbound: inbound.makeAsyncIterator(), outbound: outbound, channel: channel.channel))
        }
    }
}

/// Both directions of a ``RawPeer``.
final class RawConversation {
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    let channel: any Channel
    var received: [UInt8] = []

    init(
        inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>, channel: any Channel
    ) {
        self.inbound = inbound
        self.outbound = outbound
        self.channel = channel
    }

    func send(_ text: String) async throws { try await outbound.write(ByteBuffer(string: text)) }
    func send(_ bytes: [UInt8]) async throws { try await outbound.write(ByteBuffer(bytes: bytes)) }
    func endOutput() { outbound.finish() }

    /// Reads until `text` was seen, or the peer ended; false in the second case.
    func receive(until text: String) async throws -> Bool {
        while !self.text.contains(text) {
            guard try await receiveMore() else { return false }
        }
        return true
    }

    /// Reads once; false when the peer has ended the connection.
    func receiveMore() async throws -> Bool {
        guard let bytes = try await inbound.next() else { return false }
        received += bytes.readableBytesView
        return true
    }

    /// Reads until the peer ends the connection.
    func receiveAll() async throws -> String {
        do {
            while let bytes = try await inbound.next() { received += bytes.readableBytesView }
        } catch is IOError {}
        return text
    }

    func takeText() -> String {
        defer { received = [] }
        return text
    }

    var text: String { String(decoding: received, as: UTF8.self) }
}

/// A port of 127.0.0.1 that is taken, and that nobody listens on: connecting is refused, and no other program gets it
/// meanwhile.
final class ClosedPort: Sendable {
    private let descriptor: CInt
    let port: Int

    init() throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let isBound = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        try #require(isBound)
    }

    deinit { close(descriptor) }
}
