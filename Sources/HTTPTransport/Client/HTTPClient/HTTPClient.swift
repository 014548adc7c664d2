import Compression
import NIOCore
import Synchronization

/// Requests to any HTTP server over pooled connections. Takes nothing from the environment: no proxy, no cookies.
///
/// ```swift
/// let client = HTTPClient()
/// let response = try await client.execute(HTTPClientRequest(.get, "http://127.0.0.1:8080/healthz"))
/// let body = try await response.body.collect()
/// ```
public final class HTTPClient: Sendable {
    public struct Configuration: Sendable {
        /// From the start of a request until the last byte of its response. Default 60 s; nil for none.
        public var timeout: Duration? = .seconds(60)
        public var redirects = HTTPRedirects.none
        /// Largest response body after decompression, in bytes. Default 16 MiB.
        public var maximumResponseByteCount = 16 * 1024 * 1024
        /// Offers gzip, deflate and zstd, and gives bodies decompressed. Default true.
        public var decompresses = true
        /// What is spoken in clear text. Default HTTP/1.1.
        public var clearTextProtocol = HTTPClientProtocol.http1
        public var connection = HTTPClientConfiguration()
        /// TLS of `https` URLs; ALPN offers HTTP/2 and HTTP/1.1. Default: verified by the system's roots.
        public var tls = TLSClientConfiguration()
        /// Connections to one address. Default 16.
        public var maximumConnectionsPerAddress = 16
        /// Origins whose connections are kept. Default 256; the one used longest ago goes first.
        public var maximumOrigins = 256
        /// Sees every address before it is connected to, redirects included, and throws to refuse it; the connection
        /// goes to exactly that address, with the URL's own host name. ``AddressPolicy`` is one.
        public var addressVetting: (@Sendable (SocketAddress) throws -> Void)?
        /// All requests go to this Unix socket, whatever their host.
        public var unixSocketPath: String?

        public init() {}
    }

    private struct Origin: Hashable {
        let isSecure: Bool
        let host: String
        let port: Int
    }

    private struct State {
        var pools: [Origin: HTTPConnectionPool] = [:]
        /// Used longest ago first.
        var order: [Origin] = []
        var isShutDown = false
    }

    private let configuration: Configuration
    private let group: any EventLoopGroup
    private let state = Mutex(State())

    public init(
        _ configuration: Configuration = Configuration(), group: any EventLoopGroup = HTTPClientConnection.defaultGroup
    ) {
        self.configuration = configuration
        self.group = group
    }

    /// Closes all connections; requests in progress fail after `gracePeriod`.
    public func shutdown(gracePeriod: Duration = .zero) async {
        let pools = state.withLock { state in
            state.isShutDown = true
            defer { state.pools = [:] }
            return Array(state.pools.values)
        }
        for pool in pools { await pool.shutdown(gracePeriod: gracePeriod) }
    }

    /// Sends a request and gives the response when its head is there.
    ///
    /// Status codes are not errors. A request that certainly was not processed, or that has no side effects and met a
    /// connection that had just been closed, is sent again.
    /// - Throws: ``HTTPClientError``, ``ConnectionTargetError`` for a redirect to something that is no URL.
    public func execute(_ request: HTTPClientRequest) async throws -> HTTPClientResponse {
        let deadline = (request.timeout ?? configuration.timeout).map(RequestDeadline.init)
        let redirects = request.redirects ?? configuration.redirects
        var request = request
        var count = 0
        while true {
            let conversation = try await send(request, deadline)
            do {
                guard let next = try redirected(request, conversation.head, redirects) else {
                    return try response(request, conversation, deadline)
                }
                count += 1
                guard count <= redirects.maximum else {
                    throw HTTPClientError.tooManyRedirects(limit: redirects.maximum)
                }
                await Self.skipBody(conversation.exchange)
                request = next
            } catch {
                conversation.exchange.cancel()
                throw error
            }
        }
    }

    // MARK: One exchange

    private struct Conversation {
        let exchange: HTTPClientExchange
        let head: HTTPResponseHead
        let upload: BodyUpload?
    }

    private func send(
        _ request: HTTPClientRequest, _ deadline: RequestDeadline?
    ) async throws -> Conversation {
        let pool = try pool(for: request.url)
        var repeats = 0
        while true {
            let connection = try await lease(pool, deadline)
            do {
                let exchange = try await connection.start(head(request), isLeased: true)
                if let deadline { exchange.cancel(at: deadline.deadline) }
                do {
                    return try await converse(request, exchange)
                } catch {
                    exchange.cancel()
                    throw error
                }
            } catch let error as HTTPStreamError {
                if let timedOut = deadline?.error(for: error) { throw timedOut }
                repeats += 1
                guard repeats <= 3, request.mayRepeat(after: error) else { throw HTTPClientError.stream(error) }
            }
        }
    }

    private func lease(_ pool: HTTPConnectionPool, _ deadline: RequestDeadline?) async throws -> HTTPClientConnection {
        do {
            return try await pool.lease(waitForReady: false, deadline: deadline?.deadline)
        } catch .deadlineExceeded(let last) {
            throw deadline?.timedOut ?? HTTPClientError.connection(.deadlineExceeded(lastFailure: last))
        } catch {
            throw HTTPClientError.connection(error)
        }
    }

    /// Head in, while the body goes out: a server may answer before it has read everything, or while it reads.
    private func converse(_ request: HTTPClientRequest, _ exchange: HTTPClientExchange) async throws -> Conversation {
        var upload: BodyUpload?
        switch request.body {
        case .none: exchange.finish()
        case .bytes(let bytes): exchange.enqueueWhole(bytes)
        case .stream(_, let write): upload = BodyUpload(exchange, write)
        }
        do {
            let head = try await withTaskCancellationHandler {
                try await exchange.responseHead()
            } onCancel: {
                exchange.cancel()
            }
            return Conversation(exchange: exchange, head: head, upload: upload)
        } catch {
            upload?.cancel()
            throw await upload?.failure ?? error
        }
    }

    private func head(_ request: HTTPClientRequest) -> HTTPRequestHead {
        var fields = request.fields
        if configuration.decompresses, fields.count(of: .acceptEncoding) == 0 {
            fields.append(.acceptEncoding, CompressionAlgorithm.all.map(\.name).joined(separator: ", "))
        }
        fields.removeAll(.contentLength)
        switch request.body {
        case .none, .stream(nil, _): break
        case .bytes(let bytes): fields.append(.contentLength, "\(bytes.readableBytes)")
        case .stream(let count?, _): fields.append(.contentLength, "\(count)")
        }
        return HTTPRequestHead(
            method: request.method, path: request.url.pathAndQuery, scheme: request.url.isSecure ? "https" : "http",
            authority: request.url.authority, fields: fields)
    }

    private func response(
        _ request: HTTPClientRequest, _ conversation: Conversation, _ deadline: RequestDeadline?
    ) throws -> HTTPClientResponse {
        let head = conversation.head
        let limit = request.maximumResponseByteCount ?? configuration.maximumResponseByteCount
        let coding = head.fields.first(.contentEncoding).flatMap { CompressionAlgorithm(name: $0) }
        let source = try ResponseBodySource(
            conversation.exchange, upload: conversation.upload, limit: limit, deadline: deadline,
            algorithm: configuration.decompresses ? coding : nil)
        return HTTPClientResponse(
            status: head.status, fields: head.fields, url: request.url, body: HTTPResponseBody(source))
    }

    /// A short body is read, so that the connection can be used again.
    private static func skipBody(_ exchange: HTTPClientExchange) async {
        var byteCount = 0
        while byteCount <= 16 * 1024, let bytes = try? await exchange.readBody() { byteCount += bytes.readableBytes }
        exchange.cancel()
    }

    // MARK: Redirects

    /// The request that a redirect asks for; nil when this is no redirect to follow.
    private func redirected(
        _ request: HTTPClientRequest, _ head: HTTPResponseHead, _ redirects: HTTPRedirects
    ) throws -> HTTPClientRequest? {
        guard redirects != .none, [301, 302, 303, 307, 308].contains(head.status),
            let location = head.fields.first(.location)
        else { return nil }
        let target = try request.url.resolving(location)
        var next = request
        next.url = target
        let keepsMethod = head.status == 307 || head.status == 308
        if keepsMethod {
            if case .stream = request.body { return nil }
        } else if request.method != .get, request.method != .head {
            next.method = .get
            next.body = .none
            next.fields.removeAll(.contentType)
        }
        guard !target.hasSameOrigin(as: request.url) else { return next }
        if case .sameOrigin = redirects {
            throw HTTPClientError.redirectRefused(
                "from \(request.url.authority) to \(target.authority), another origin")
        }
        if request.url.isSecure, !target.isSecure {
            throw HTTPClientError.redirectRefused("from https to http (\(target.authority))")
        }
        next.fields.removeAll(.authorization)
        next.fields.removeAll(.cookie)
        return next
    }

    // MARK: Pools

    private func pool(for url: HTTPURL) throws -> HTTPConnectionPool {
        let origin = Origin(isSecure: url.isSecure, host: url.host, port: url.port)
        let target = try target(url)
        let (pool, surplus) = try state.withLock { state -> (HTTPConnectionPool, HTTPConnectionPool?) in
            guard !state.isShutDown else { throw HTTPClientError.shutDown }
            if let pool = state.pools[origin] {
                if state.order.last != origin {
                    state.order.removeAll { $0 == origin }
                    state.order.append(origin)
                }
                return (pool, nil)
            }
            let pool = HTTPConnectionPool(settings(target, url), group: group)
            state.pools[origin] = pool
            state.order.append(origin)
            let isFull = state.order.count > configuration.maximumOrigins
            return (pool, isFull ? state.pools.removeValue(forKey: state.order.removeFirst()) : nil)
        }
        if let surplus { Task { await surplus.shutdown(gracePeriod: .seconds(60)) } }
        return pool
    }

    private func target(_ url: HTTPURL) throws -> ConnectionTarget {
        var target = ConnectionTarget(host: url.host, port: url.port)
        if let path = configuration.unixSocketPath {
            target = try ConnectionTarget("unix:\(path)")
        }
        target.authority = url.authority
        return target
    }

    private func settings(_ target: ConnectionTarget, _ url: HTTPURL) -> HTTPConnectionPool.Configuration {
        let httpProtocol = url.isSecure ? .http2 : configuration.clearTextProtocol
        var settings = HTTPConnectionPool.Configuration(target: target, httpProtocol: httpProtocol)
        settings.connection = configuration.connection
        settings.connection.tls = nil
        if url.isSecure {
            var tls = configuration.tls
            if tls.applicationProtocols == nil { tls.applicationProtocols = [.http2, .http1] }
            settings.connection.tls = tls
        }
        settings.maximumConnectionsPerAddress = configuration.maximumConnectionsPerAddress
        settings.addressVetting = configuration.addressVetting
        return settings
    }
}

extension HTTPRedirects {
    var maximum: Int {
        switch self {
        case .none: 0
        case .sameOrigin(let maximum), .anyOrigin(let maximum): maximum
        }
    }
}

extension HTTPClientRequest {
    /// Repeating is safe when the server did nothing, or nothing that matters (RFC 9110 section 9.2.2).
    func mayRepeat(after error: HTTPStreamError) -> Bool {
        if case .stream = body { return false }
        if error.isSafeToRetry { return true }
        guard case .connectionClosed = error else { return false }
        return [.get, .head, .put, .delete, .options].contains(method)
    }
}
