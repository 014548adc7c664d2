import FrameCodec
import HTTPTransport
import NIOCore

/// Calls to the servers behind one target, over connections that are opened when needed and replaced when lost.
///
/// ```swift
/// let channel = try RPCChannel("http://127.0.0.1:8080")
/// let scm = ScmServiceClient(channel: channel)
/// ```
///
/// Safe to use from any number of tasks. Calls share HTTP/2 connections; over HTTP/1.1 each call has one to itself.
public final class RPCChannel: Sendable {
    private let core: ChannelCore
    private let methods: MethodConfigurations

    /// Opens nothing yet.
    public init(_ configuration: Configuration, group: any EventLoopGroup = HTTPClientConnection.defaultGroup) {
        core = ChannelCore(configuration, group)
        methods = MethodConfigurations(configuration.service)
    }

    /// A channel to `http://host:port`, `host:port`, `unix:/path` and the other forms of ``ConnectionTarget``.
    ///
    /// - Throws: ``ConnectionTargetError`` that says what is wrong with the text.
    public convenience init(
        _ target: String, wire: Wire = .grpc, metadata: Metadata = Metadata(),
        group: any EventLoopGroup = HTTPClientConnection.defaultGroup
    ) throws {
        var configuration = Configuration(target: try ConnectionTarget(target), wire: wire)
        configuration.metadata = metadata
        self.init(configuration, group: group)
    }

    var configuration: Configuration { core.configuration }

    // MARK: Connections

    /// What the channel can do at the moment.
    public var connectivityState: ConnectivityState { core.pool.connectivityState }

    /// The state now and every later one.
    public var connectivityStates: AsyncStream<ConnectivityState> { core.pool.connectivityStates }

    /// Opens a connection before the first call needs it.
    public func connect() { core.pool.connect() }

    /// Closes the channel. Calls in progress may go on for `gracePeriod`, then they fail with UNAVAILABLE; new ones
    /// fail at once.
    public func close(gracePeriod: Duration = .zero) async {
        await core.pool.shutdown(gracePeriod: gracePeriod)
    }

    // MARK: Calls

    /// Starts a call of any kind, in raw message bytes.
    ///
    /// - Throws: ``RPCError``: UNAVAILABLE when no connection can be made.
    public func start(_ method: MethodDescriptor, options: CallOptions = CallOptions()) async throws -> ClientCall {
        guard core.configuration.signer == nil else {
            throw RPCError(.unimplemented, "a channel with a signer makes unary calls only, not \(method.path)")
        }
        let settings = methods(method)
        return try await intercepted(context(method, options, settings)) { [core] context in
            let call = ClientCall(context, core, settings)
            try await call.start()
            return call
        }
    }

    /// One message each way.
    ///
    /// - Throws: ``RPCError``, whatever went wrong.
    public func unary<Request: Message, Response: Message>(
        _ method: MethodDescriptor, _ request: Request, options: CallOptions = CallOptions()
    ) async throws -> Response {
        let settings = methods(method)
        return try await intercepted(context(method, options, settings)) { [core] context in
            let body = try core.encoder.body(request, context)
            let message = try await core.exchange(context, body: body, settings)
            return try core.configuration.wire.codec.decode(Response.self, message, of: method)
        }
    }

    /// One message each way, in raw message bytes, which the caller has encoded in the channel's codec and decodes.
    ///
    /// - Throws: ``RPCError``, whatever went wrong.
    public func unary(
        _ method: MethodDescriptor, bytes: ByteBuffer, options: CallOptions = CallOptions()
    ) async throws -> ByteBuffer {
        let settings = methods(method)
        return try await intercepted(context(method, options, settings)) { [core] context in
            try await core.exchange(context, body: try core.encoder.body(bytes: bytes, context), settings)
        }
    }

    /// As ``unary(_:bytes:options:)``, from an array.
    package func unary(
        _ method: MethodDescriptor, bytes: [UInt8], options: CallOptions
    ) async throws -> ByteBuffer {
        let settings = methods(method)
        return try await intercepted(context(method, options, settings)) { [core] context in
            let body = try bytes.withUnsafeBytes { try core.encoder.body(bytes: $0, context) }
            return try await core.exchange(context, body: body, settings)
        }
    }

    /// One message out, a stream of messages in.
    public func serverStreaming<Request: Message, Response: Message>(
        _ method: MethodDescriptor, _ request: Request, options: CallOptions = CallOptions()
    ) async throws -> ResponseStream<Response> {
        let call = try await start(method, options: options)
        try await call.withCancellation {
            try await call.send(request)
            call.finishRequest()
        }
        return ResponseStream(call: call)
    }

    /// A stream of messages out, one message in.
    public func clientStreaming<Request: Message, Response: Message>(
        _ method: MethodDescriptor, options: CallOptions = CallOptions(),
        _ requests: @Sendable (RequestWriter<Request>) async throws -> Void
    ) async throws -> Response {
        let call = try await start(method, options: options)
        return try await call.withCancellation {
            do {
                try await requests(RequestWriter(call: call))
            } catch {
                call.cancel()
                throw error
            }
            call.finishRequest()
            return try await call.receiveOnly(Response.self)
        }
    }

    /// Streams both ways: full duplex over HTTP/2.
    public func bidirectionalStreaming<Request: Message, Response: Message>(
        _ method: MethodDescriptor, options: CallOptions = CallOptions()
    ) async throws -> (requests: RequestWriter<Request>, responses: ResponseStream<Response>) {
        let call = try await start(method, options: options)
        return (RequestWriter(call: call), ResponseStream(call: call))
    }

    // MARK: Before a call

    private func context(
        _ method: MethodDescriptor, _ options: CallOptions, _ settings: MethodConfiguration?
    ) -> ClientCallContext {
        let standard =
            method.kind == .unary ? core.configuration.defaultUnaryTimeout : core.configuration.defaultStreamTimeout
        var timeout = options.timeout
        if let limit = settings?.timeout { timeout = timeout.map { min($0, limit) } ?? limit }
        return ClientCallContext(
            method, options, timeout: timeout ?? standard,
            waitsForReady: options.waitsForReady ?? settings?.waitsForReady ?? false,
            compression: core.configuration.compression, isWatched: !core.configuration.interceptors.isEmpty)
    }

    private func intercepted<Answer: Sendable>(
        _ context: ClientCallContext, _ body: @Sendable (ClientCallContext) async throws -> Answer
    ) async throws -> Answer {
        guard !core.configuration.interceptors.isEmpty else { return try await body(context) }
        return try await run(core.configuration.interceptors[...], context, body)
    }

    private func run<Answer: Sendable>(
        _ rest: ArraySlice<any ClientInterceptor>, _ context: ClientCallContext,
        _ body: @Sendable (ClientCallContext) async throws -> Answer
    ) async throws -> Answer {
        guard let first = rest.first else { return try await body(context) }
        return try await first.intercept(context) { try await self.run(rest.dropFirst(), $0, body) }
    }
}

/// What the calls of a channel share.
final class ChannelCore: Sendable {
    let configuration: RPCChannel.Configuration
    let pool: HTTPConnectionPool
    let encoder: RequestEncoder
    let responses: ResponseTerms
    let throttle: RetryThrottle?
    let unary: UnaryCaller

    init(_ configuration: RPCChannel.Configuration, _ group: any EventLoopGroup) {
        self.configuration = configuration
        pool = HTTPConnectionPool(configuration.pool, group: group)
        encoder = RequestEncoder(configuration)
        responses = ResponseTerms(configuration)
        throttle = configuration.service.retryThrottling.map { RetryThrottle($0) }
        unary = UnaryCaller(pool: pool, encoder: encoder, responses: responses, throttle: throttle)
    }

    /// The message that answers a unary call's body.
    func exchange(
        _ context: ClientCallContext, body: ByteBuffer, _ method: MethodConfiguration?
    ) async throws -> ByteBuffer {
        let result = await unary.call(context, body: body, method)
        let error = result.failure?.report
        context.end(
            ClientCallEnd(
                error: error, responseMetadata: result.responseMetadata, trailingMetadata: result.trailing,
                attempts: result.attempts))
        if let error { throw error }
        return result.message
    }
}
