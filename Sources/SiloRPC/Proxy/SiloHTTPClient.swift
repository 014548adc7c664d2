import HTTPTransport
import NIOCore
import RPC

/// Plain HTTP between silos: signed requests of a silo's own, and the public's requests handed on. Only to the
/// addresses of the directory; redirects are never followed.
public final class SiloHTTPClient: Sendable {
    public struct Configuration: Sendable {
        /// Of a request of this silo's own, from its start to the last byte of the answer. Default 20 s.
        public var timeout: Duration = .seconds(20)
        /// Largest answer to a request of this silo's own. Default 16 MiB.
        public var maximumResponseByteCount = 16 * 1024 * 1024
        /// Exchanges that are handed on to one silo at a time, bodies included; one more is 503. Default 512.
        public var maximumProxiedExchanges = 512
        /// Of these, how many may be one organization's. Default 128.
        public var maximumProxiedExchangesPerOrganization = 128
        /// A cell that does not answer within a shorter time than this, set by the client, is not counted as failing.
        /// Default 5 s.
        public var proxyPatience: Duration = .seconds(5)
        /// How long a silo may take to accept a connection. Default 5 s.
        public var connectTimeout: Duration = .seconds(5)
        /// How long a handed-on request without a deadline may take. Default 30 minutes.
        public var proxyTimeout: Duration = .seconds(1800)
        /// Pages that may read what the proxy answers. The cells are not asked: they see no `origin`.
        public var crossOrigin = CrossOriginPolicy()
        /// TLS of `https` addresses.
        public var tls = TLSClientConfiguration()

        public init() {}
    }

    let configuration: Configuration
    let client: HTTPClient
    private let directory: any CellDirectorySource
    private let keyring: SiloKeyring
    private let states: ProxyStates

    public init(
        keyring: SiloKeyring, directory: any CellDirectorySource, configuration: Configuration = Configuration(),
        group: any EventLoopGroup = HTTPClientConnection.defaultGroup
    ) {
        self.keyring = keyring
        self.directory = directory
        self.configuration = configuration
        var settings = HTTPClient.Configuration()
        settings.timeout = nil
        settings.maximumResponseByteCount = .max
        settings.decompresses = false
        settings.clearTextProtocol = .http2
        settings.connection.connectTimeout = configuration.connectTimeout
        settings.tls = configuration.tls
        client = HTTPClient(settings, group: group)
        states = ProxyStates(configuration)
    }

    /// Ends all connections.
    public func close() async { await client.shutdown() }

    /// Sends a signed request.
    ///
    /// - Parameters:
    ///   - path: `/` and what follows, query included, percent-encoded.
    ///   - fields: names that begin with `x-silo-` are signed too.
    /// - Throws: ``SiloError``: no address, cell to cell; ``SiloKeyError``; `HTTPClientError`. Status codes are not
    ///   errors.
    public func request(
        _ method: HTTPMethod, _ path: String, to destination: SiloAddress, fields: HTTPFields = HTTPFields(),
        body: ByteBuffer = ByteBuffer()
    ) async throws -> HTTPClientResponse {
        let url = try url(destination, path, base: directory.address(of: destination))
        var head = HTTPRequestHead(
            method: method, path: url.pathAndQuery, scheme: url.isSecure ? "https" : "http", authority: url.authority,
            fields: fields)
        try SiloSigner(keyring: keyring, destination: destination).sign(&head, body: body)
        var request = HTTPClientRequest(
            method, url, fields: head.fields, body: body.readableBytes == 0 ? .none : .bytes(body))
        request.timeout = configuration.timeout
        request.maximumResponseByteCount = configuration.maximumResponseByteCount
        return try await client.execute(request)
    }

    /// Where the public's requests to a cell are handed on to.
    func proxyURL(_ cell: CellName, _ path: String) throws -> HTTPURL {
        let address = directory.current.cells.first { $0.name == cell }.map { $0.gatewayAddress ?? $0.address }
        return try url(.cell(cell), path, base: address)
    }

    func state(_ cell: CellName) -> DestinationState { states.state(cell) }

    /// How many requests were handed on, by cell and outcome.
    public var proxiedRequests: [ProxiedRequests: Int] { states.counts }

    func note(_ cell: CellName, _ outcome: String) { states.note(cell, outcome) }

    private func url(_ destination: SiloAddress, _ path: String, base: String?) throws -> HTTPURL {
        guard keyring.address == .control || destination == .control else {
            throw SiloError.forbidden("cells do not call each other: \(keyring.address) called \(destination)")
        }
        guard let base, !base.isEmpty else {
            throw SiloError.configuration("the configuration has no address of \(destination)")
        }
        guard path.hasPrefix("/"), !path.hasPrefix("//") else {
            throw SiloError.invalid("a path begins with one slash: \"\(path.prefix(64))\"")
        }
        return try HTTPURL((base.hasSuffix("/") ? String(base.dropLast()) : base) + path)
    }
}
