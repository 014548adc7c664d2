import HTTPTransport
import Logging
import NIOCore
import NIOPosix
import RPC

/// A real server on a free port of 127.0.0.1 for the time of one test body.
struct TestServer: Sendable {
    let port: Int

    static func run<R: Sendable>(
        service: any RPCService = EchoService(),
        interceptors: [any ServerInterceptor] = [],
        routes: [HTTPRoute] = [],
        limits: HTTPLimits = HTTPLimits(),
        tls: TLSServerConfiguration? = nil,
        configure: (inout RPCServerConfiguration) -> Void = { _ in },
        _ body: @Sendable (TestServer) async throws -> R
    ) async throws -> R {
        var configuration = RPCServerConfiguration()
        configure(&configuration)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let rpc = RPCServer(
            services: [service], interceptors: interceptors, routes: routes, configuration: configuration,
            logger: logger
        )
        var http = HTTPServerConfiguration()
        http.address = .tcp(host: "127.0.0.1", port: 0)
        http.limits = limits
        http.tls = tls
        // A test whose tasks starve on a busy machine is no slow peer.
        http.timeouts.requestHead = .seconds(240)
        http.timeouts.bodyGrace = nil
        http.refusalFields = configuration.crossOrigin.refusalFields(for:)
        let server = try await HTTPServer.start(
            http, group: MultiThreadedEventLoopGroup.singleton, logger: logger, service: rpc
        )
        do {
            let result = try await body(TestServer(port: server.port))
            await server.shutdown(gracePeriod: .seconds(1))
            return result
        } catch {
            await server.shutdown(gracePeriod: .zero)
            throw error
        }
    }

    func withChannel<R: Sendable>(
        _ wire: RPCChannel.Wire = .grpc,
        configure: (inout RPCChannel.Configuration) -> Void = { _ in },
        _ body: @Sendable (RPCChannel) async throws -> R
    ) async throws -> R {
        var configuration = RPCChannel.Configuration(host: "127.0.0.1", port: port, wire: wire)
        configuration.connection.connectTimeout = .seconds(60)
        configure(&configuration)
        let channel = RPCChannel(configuration, group: MultiThreadedEventLoopGroup.singleton)
        do {
            let result = try await body(channel)
            await channel.close()
            return result
        } catch {
            await channel.close()
            throw error
        }
    }

    /// One exchange in raw bytes.
    func post(
        _ path: String,
        over httpProtocol: HTTPClientProtocol = .http1,
        method: HTTPMethod = .post,
        headers: [(String, String)] = [("content-type", "application/grpc-web+proto")],
        body: [UInt8] = []
    ) async throws -> RawResponse {
        let connection = try await HTTPClientConnection.connect(
            host: "127.0.0.1", port: port, protocol: httpProtocol, configuration: HTTPClientConfiguration(),
            group: MultiThreadedEventLoopGroup.singleton
        )
        var fields = HTTPFields()
        for (name, value) in headers {
            if let name = HTTPFieldName(name) { fields.append(name, value) }
        }
        let exchange = try await connection.start(
            HTTPRequestHead(method: method, path: path, scheme: "http", authority: "127.0.0.1:\(port)", fields: fields)
        )
        if !body.isEmpty { try await exchange.send(ByteBuffer(bytes: body)) }
        exchange.finish()
        let head = try await exchange.responseHead()
        var bytes: [UInt8] = []
        while let chunk = try await exchange.readBody() { bytes += Array(chunk.readableBytesView) }
        let trailers = await exchange.trailers
        await connection.close()
        return RawResponse(head: head, body: bytes, trailers: trailers)
    }
}

struct RawResponse: Sendable {
    let head: HTTPResponseHead
    let body: [UInt8]
    let trailers: HTTPFields?
    var text: String { String(decoding: body, as: UTF8.self) }

    func header(_ name: String) -> String? { HTTPFieldName(name).flatMap { head.fields.first($0) } }
    func trailer(_ name: String) -> String? { HTTPFieldName(name).flatMap { trailers?.first($0) } }
}
