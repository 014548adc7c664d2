import Compression
import HTTPTransport
import NIOCore

extension RPCChannel {
    public struct Configuration: Sendable {
        /// Where the servers are.
        public var target: ConnectionTarget
        public var wire: Wire
        /// Metadata sent with every call, such as an API key.
        public var metadata = Metadata()
        /// Timeout of a unary call that names none; nil for none. Default 30 s.
        public var defaultUnaryTimeout: Duration? = .seconds(30)
        /// Timeout of a streaming call that names none; nil for none. Default 30 min, the longest that servers of this
        /// package allow unless told otherwise.
        public var defaultStreamTimeout: Duration? = .seconds(1800)
        /// Largest response message, in bytes; the declared length is checked before allocation, and what comes out of
        /// decompression too. Default 64 MiB.
        public var maximumResponseMessageByteCount = 64 * 1024 * 1024
        /// Largest request message, in bytes. Default 64 MiB.
        public var maximumRequestMessageByteCount = 64 * 1024 * 1024
        /// Compresses request messages. Default nil, none.
        public var compression: CompressionAlgorithm?
        /// What answers may be compressed with; offered to the server. Default: everything.
        public var acceptedCompression = CompressionAlgorithm.all
        /// Connect sends unary calls without side effects by GET, so that caches can answer. Default false.
        public var usesGetWithoutSideEffects = false
        /// Timeouts, retries and hedging by method.
        public var service = ServiceConfiguration()
        /// Request bytes of a streaming call that are kept for another attempt; more end the chance. Default 256 KiB.
        public var replayByteCount = 256 * 1024
        /// Signs what is sent, every attempt of a unary call anew. Streams of a channel with a signer fail: their
        /// bodies are not known when they begin. Default nil, none.
        public var signer: (any RequestSigner)?
        /// Around every call, the first one outermost.
        public var interceptors: [any ClientInterceptor] = []
        /// Which of several addresses is used. Default: the first that answers.
        public var loadBalancing = LoadBalancing.pickFirst
        /// Timeouts, limits and keepalive of each connection.
        public var connection = HTTPClientConfiguration()
        /// Waits between attempts to connect.
        public var backoff = ConnectionBackoff()
        /// See ``HTTPConnectionPool/Configuration/maximumConnectionsPerAddress``; nil takes its default.
        public var maximumConnectionsPerAddress: Int?
        /// The name is not looked up more often than this. Default 5 s.
        public var minimumResolutionInterval: Duration = .seconds(5)
        /// Finds the addresses; nil takes what the target says.
        public var resolver: (any NameResolver)?

        /// - Parameter port: TCP port.
        public init(host: String, port: Int, wire: Wire = .grpc) {
            self.init(target: ConnectionTarget(host: host, port: port), wire: wire)
        }

        public init(target: ConnectionTarget, wire: Wire = .grpc) {
            self.target = target
            self.wire = wire
            if target.wantsTLS == true { tls = TLSClientConfiguration() }
        }

        /// TLS to the servers; nil, the default, for clear text, except that a target with `https` has the defaults of
        /// ``TLSClientConfiguration``.
        public var tls: TLSClientConfiguration? {
            get { connection.tls }
            set { connection.tls = newValue }
        }

        var usesTLS: Bool { tls != nil }

        var pool: HTTPConnectionPool.Configuration {
            var pool = HTTPConnectionPool.Configuration(target: target, httpProtocol: wire.httpProtocol)
            pool.balancing = service.loadBalancing ?? loadBalancing
            pool.connection = connection
            pool.backoff = backoff
            pool.resolver = resolver
            pool.minimumResolutionInterval = minimumResolutionInterval
            if let maximumConnectionsPerAddress { pool.maximumConnectionsPerAddress = maximumConnectionsPerAddress }
            return pool
        }
    }
}
