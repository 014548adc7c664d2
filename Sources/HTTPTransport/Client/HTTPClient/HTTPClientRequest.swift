import NIOCore

/// A request for ``HTTPClient``.
public struct HTTPClientRequest: Sendable {
    public enum Body: Sendable {
        case none
        case bytes(ByteBuffer)
        /// Written by a function while it is sent, with back-pressure. `byteCount` becomes Content-Length; without it
        /// HTTP/1.1 uses chunks. Cannot be sent twice, so it is not repeated and not redirected.
        case stream(byteCount: Int?, @Sendable (HTTPBodyWriter) async throws -> Void)
    }

    public var method: HTTPMethod
    public var url: HTTPURL
    public var fields: HTTPFields
    public var body: Body
    /// From the start until the last byte of the response body; nil takes the client's.
    public var timeout: Duration?
    /// nil takes the client's.
    public var redirects: HTTPRedirects?
    /// Largest response body after decompression, in bytes; nil takes the client's.
    public var maximumResponseByteCount: Int?

    public init(_ method: HTTPMethod, _ url: HTTPURL, fields: HTTPFields = HTTPFields(), body: Body = .none) {
        self.method = method
        self.url = url
        self.fields = fields
        self.body = body
    }

    /// - Throws: ``ConnectionTargetError`` when `url` is not a URL.
    public init(
        _ method: HTTPMethod = .get, _ url: String, fields: HTTPFields = HTTPFields(), body: Body = .none
    ) throws(ConnectionTargetError) {
        self.init(method, try HTTPURL(url), fields: fields, body: body)
    }
}

/// Which redirects are followed. Never from `https` to `http`. Each goes through address vetting like a first request;
/// Authorization and Cookie are dropped when the origin changes.
public enum HTTPRedirects: Sendable, Hashable {
    /// The 3xx response is the answer.
    case none
    /// Same scheme, host and port only.
    case sameOrigin(maximum: Int)
    case anyOrigin(maximum: Int)
}

/// Where a streamed request body goes.
public struct HTTPBodyWriter: Sendable {
    let exchange: HTTPClientExchange

    /// Sends the next bytes; suspends while the server reads too slowly.
    public func send(_ bytes: ByteBuffer) async throws(HTTPStreamError) { try await exchange.send(bytes) }
}

/// Why a request has no response, or only a part of one.
public enum HTTPClientError: Error, Sendable, CustomStringConvertible {
    /// No connection; the text names the addresses and reasons.
    case connection(HTTPPoolError)
    /// The exchange broke.
    case stream(HTTPStreamError)
    case timedOut(limit: Duration)
    case responseTooLarge(limit: Int)
    case decompression(String)
    case tooManyRedirects(limit: Int)
    case redirectRefused(String)
    case shutDown

    public var description: String {
        switch self {
        case .connection(let error): "\(error)"
        case .stream(let error): "\(error)"
        case .timedOut(let limit): "no complete response within the request's timeout of \(limit)"
        case .responseTooLarge(let limit): "the response body is larger than maximumResponseByteCount = \(limit)"
        case .decompression(let problem): "the response body cannot be decompressed: \(problem)"
        case .tooManyRedirects(let limit): "more than \(limit) redirects (HTTPRedirects)"
        case .redirectRefused(let reason): "a redirect is refused: \(reason)"
        case .shutDown: "the HTTP client is shut down"
        }
    }
}
