import FrameCodec
import HTTPTransport
import NIOCore

/// Calls to one server over one HTTP connection, which is opened by the first call and again after it was lost.
///
/// Safe to use from any number of tasks. Over HTTP/2 calls share the connection; over HTTP/1.1 each waits its turn.
public final class RPCChannel: Sendable {
    /// How calls travel.
    public enum Wire: Sendable, Hashable, CaseIterable {
        /// gRPC over HTTP/2.
        case grpc
        /// gRPC-Web, binary, over either HTTP version.
        case grpcWebHTTP1, grpcWebHTTP2
        /// gRPC-Web as base64 text, over either HTTP version.
        case grpcWebTextHTTP1, grpcWebTextHTTP2
    }

    public struct Configuration: Sendable {
        /// Host name or address, and TCP port.
        public var host: String
        public var port: Int
        public var wire: Wire
        /// Metadata sent with every call, such as an API key.
        public var metadata = Metadata()
        /// Timeout of a unary call that names none; nil for none. Default 30 s.
        public var defaultUnaryTimeout: Duration? = .seconds(30)
        /// Largest response message, in bytes; the declared length is checked before allocation. Default 64 MiB.
        public var maximumResponseMessageByteCount = 64 * 1024 * 1024

        public init(host: String, port: Int, wire: Wire = .grpc) {
            self.host = host
            self.port = port
            self.wire = wire
        }
    }

    let configuration: Configuration
    private let connections: ConnectionHolder

    /// Opens nothing yet.
    public init(_ configuration: Configuration, group: any EventLoopGroup) {
        self.configuration = configuration
        self.connections = ConnectionHolder(configuration: configuration, group: group)
    }

    /// Closes the connection; calls in progress fail with UNAVAILABLE.
    public func close() async {
        await connections.close()
    }

    /// Starts a call of any kind, in raw message bytes.
    ///
    /// - Throws: ``RPCError``: UNAVAILABLE when no connection can be made.
    public func start(_ method: MethodDescriptor, options: CallOptions = CallOptions()) async throws -> ClientCall {
        try await start(method, options: options, on: try await connections.connection())
    }

    private func start(
        _ method: MethodDescriptor, options: CallOptions, on connection: HTTPClientConnection
    ) async throws -> ClientCall {
        let timeout = options.timeout ?? (method.kind == .unary ? configuration.defaultUnaryTimeout : nil)
        let deadline = timeout.map { NIODeadline.now() + TimeAmount($0) }
        let exchange: HTTPClientExchange
        do {
            exchange = try await connection.start(requestHead(method, options: options, timeout: timeout))
        } catch {
            throw RPCError(.unavailable, "\(error)")
        }
        return ClientCall(method: method, exchange: exchange, configuration: configuration, deadline: deadline)
    }

    /// One message each way.
    ///
    /// Runs on the connection's event loop, so that the steps of a call cost no change of thread.
    ///
    /// - Throws: ``RPCError``, whatever went wrong.
    public func unary<Request: Message, Response: Message>(
        _ method: MethodDescriptor, _ request: Request, options: CallOptions = CallOptions()
    ) async throws -> Response {
        let connection = try await connections.connection()
        return try await withTaskExecutorPreference(connection.taskExecutor) { @concurrent in
            let call = try await start(method, options: options, on: connection)
            return try await call.withCancellation {
                try await call.send(request)
                await call.finishSending()
                return try await call.receiveOnly(Response.self)
            }
        }
    }

    /// One message out, a stream of messages in.
    public func serverStreaming<Request: Message, Response: Message>(
        _ method: MethodDescriptor, _ request: Request, options: CallOptions = CallOptions()
    ) async throws -> ResponseStream<Response> {
        let call = try await start(method, options: options)
        try await call.withCancellation {
            try await call.send(request)
            await call.finishSending()
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
            try await requests(RequestWriter(call: call))
            await call.finishSending()
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

    private func requestHead(_ method: MethodDescriptor, options: CallOptions, timeout: Duration?) -> HTTPRequestHead {
        var fields = HTTPFields()
        if let timeout {
            let (seconds, attoseconds) = timeout.components
            let nanoseconds = UInt64(clamping: seconds).multipliedReportingOverflow(by: 1_000_000_000)
            let total = nanoseconds.overflow ? UInt64.max : nanoseconds.partialValue &+ UInt64(clamping: attoseconds / 1_000_000_000)
            fields.append(.grpcTimeout, bytes: GRPCTimeout.encode(nanoseconds: total))
        }
        fields.append(.contentType, configuration.wire.contentType)
        if configuration.wire == .grpc {
            fields.append(.te, "trailers")
        } else {
            fields.append(.xGrpcWeb, "1")
            fields.append(.accept, configuration.wire.contentType)
        }
        fields.append(.userAgent, "grpc-swift-framecodec/0.1")
        for metadata in [configuration.metadata, options.metadata] {
            metadata.fields.forEach { name, value in fields.append(name: name, value: value) }
        }
        return HTTPRequestHead(
            method: .post, path: method.path, scheme: "http",
            authority: "\(configuration.host):\(configuration.port)", fields: fields
        )
    }
}

extension RPCChannel.Wire {
    var isWeb: Bool { self != .grpc }
    var isText: Bool { self == .grpcWebTextHTTP1 || self == .grpcWebTextHTTP2 }
    var httpProtocol: HTTPClientProtocol {
        self == .grpcWebHTTP1 || self == .grpcWebTextHTTP1 ? .http1 : .http2
    }

    var contentType: String {
        switch self {
        case .grpc: "application/grpc+proto"
        case .grpcWebHTTP1, .grpcWebHTTP2: "application/grpc-web+proto"
        case .grpcWebTextHTTP1, .grpcWebTextHTTP2: "application/grpc-web-text+proto"
        }
    }
}

/// The channel's connection: made once however many calls ask for it, made anew when it is gone.
private actor ConnectionHolder {
    private let configuration: RPCChannel.Configuration
    private let group: any EventLoopGroup
    private var current: Task<HTTPClientConnection, any Error>?
    private var isClosed = false

    init(configuration: RPCChannel.Configuration, group: any EventLoopGroup) {
        self.configuration = configuration
        self.group = group
    }

    /// - Throws: ``RPCError`` UNAVAILABLE.
    func connection() async throws -> HTTPClientConnection {
        do {
            return try await openConnection()
        } catch let error as RPCError {
            throw error
        } catch {
            throw RPCError(.unavailable, "\(error)")
        }
    }

    private func openConnection() async throws -> HTTPClientConnection {
        if let current {
            let connection = try? await current.value
            if let connection, connection.isOpen { return connection }
            if self.current == current { self.current = nil }
        }
        guard !isClosed else { throw RPCError(.unavailable, "the channel is closed") }
        let attempt = current ?? Task { [configuration, group] in
            try await HTTPClientConnection.connect(
                host: configuration.host, port: configuration.port, protocol: configuration.wire.httpProtocol,
                configuration: HTTPClientConfiguration(), group: group
            )
        }
        current = attempt
        return try await attempt.value
    }

    func close() async {
        isClosed = true
        if let connection = try? await current?.value { await connection.close() }
        current = nil
    }
}
