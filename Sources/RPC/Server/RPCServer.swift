import FrameCodec
import HTTPTransport
import Logging
import NIOCore

/// HTTP exchanges -> calls: finds the wire protocol by content type and the method by path, runs the interceptors and
/// the handler, and turns the outcome into a status.
///
/// ```
/// path is no method ............... the route of that path, else UNIMPLEMENTED (S4) or 404
/// OPTIONS ......................... CORS preflight (C1)
/// not POST ........................ 405
/// unknown content type ............ 415 with Accept-Post
/// gRPC over HTTP/1.1 .............. 505, names gRPC-Web as the way
/// bad timeout, unknown encoding ... INTERNAL (T3), UNIMPLEMENTED (P4)
/// everything else ................. interceptors, handler
/// ```
public final class RPCServer: Sendable {
    private let methods: MethodTable
    private let routes: RouteTable
    let servedMethods: [ServedMethod]
    /// Stands for every path that is no method, so that peers cannot make up counters.
    let unknownMethod = ServedMethod(MethodDescriptor(service: "", method: "", kind: .unary), handler: { _, _ in })
    private let configuration: RPCServerConfiguration.Shared
    private let logger: Logger

    /// - Parameters:
    ///   - interceptors: around every call; the first is the outermost.
    ///   - routes: plain HTTP beside the calls; the path of a method wins over a route.
    public init(
        services: [any RPCService],
        interceptors: [any ServerInterceptor] = [],
        routes: [HTTPRoute] = [],
        configuration: RPCServerConfiguration = RPCServerConfiguration(),
        logger: Logger
    ) {
        servedMethods = services.flatMap(\.methods).map { method in
            ServedMethod(method.descriptor, handler: Self.compose(interceptors, method.handler))
        }
        methods = MethodTable(servedMethods)
        self.routes = RouteTable(routes)
        self.configuration = RPCServerConfiguration.Shared(configuration)
        self.logger = logger
    }

    /// The chain is built once for each method, not for each call.
    private static func compose(_ interceptors: [any ServerInterceptor], _ handler: @escaping CallHandler) -> CallHandler {
        interceptors.reversed().reduce(handler) { next, interceptor in
            { call, context in try await interceptor.intercept(call, context: context, next: next) }
        }
    }

    /// Serves one exchange; give this to `HTTPServer.start`.
    public func handle(_ exchange: HTTPExchange) async {
        guard let method = exchange.withPath({ methods.method(path: $0) }) else { return await handleOther(exchange) }
        guard exchange.method == .post else {
            return exchange.method == .options ? answerPreflight(exchange) : refuseMethod(exchange, allow: "POST, OPTIONS")
        }
        let fields = exchange.fields
        guard fields.count(of: .contentType) == 1,
            let form = fields.withFirst(.contentType, { WireForm(contentType: $0) }) ?? nil
        else { return refuseContentType(exchange) }
        if !form.isWeb, exchange.version != .http2 { return refuseVersion(exchange) }
        let refusal: RPCError?
        var deadline: NIODeadline?
        do {
            deadline = try admit(method.descriptor, exchange)
            refusal = method.isEnabled ? nil : method.disabledError
        } catch {
            refusal = error
        }
        let call = ServerCall(
            exchange: exchange, method: method, requestForm: form, deadline: deadline,
            configuration: configuration
        )
        if let refusal { return call.finish(refusal) }
        call.startDeadline()
        do {
            try await method.handler(call, CallContext(call))
            call.finish(nil)
        } catch {
            call.finish(await status(of: error, call: call))
        }
    }

    /// Refuses what can be refused by the head alone.
    ///
    /// - Returns: when the call has to end; nil for never.
    private func admit(_ method: MethodDescriptor, _ exchange: HTTPExchange) throws(RPCError) -> NIODeadline? {
        let fields = exchange.fields
        try checkEncoding(fields)
        let requested = try GRPCTimeoutField.read(fields)
        if requested == .some(0) { throw ServerCall.deadlineError }
        return configuration.effectiveTimeout(requested: requested, kind: method.kind).map { nanoseconds in
            NIODeadline.now() + .nanoseconds(Int64(clamping: min(nanoseconds, 1 << 60)))
        }
    }

    /// Rules P4, M12: an encoding that is not served is refused at once, and the answer lists what is; a repeated one is
    /// ambiguous.
    private func checkEncoding(_ fields: HTTPFields) throws(RPCError) {
        let count = fields.count(of: .grpcEncoding)
        guard count > 0 else { return }
        guard count == 1 else { throw RPCError(.internalError, "grpc-encoding is given more than once") }
        guard let encoding = fields.first(.grpcEncoding), encoding == "identity" else {
            var accepted = Metadata()
            accepted.fields.append(.grpcAcceptEncoding, "identity")
            throw RPCError(
                .unimplemented,
                "grpc-encoding \"\(bounded(fields.first(.grpcEncoding) ?? ""))\" is not served; send identity",
                metadata: accepted
            )
        }
    }

    private func status(of error: any Error, call: ServerCall) async -> RPCError {
        switch error {
        case let error as RPCError: return error
        case let error as any RPCErrorConvertible: return error.rpcError
        case is CancellationError:
            return await call.isPastDeadline ? ServerCall.deadlineError : RPCError(.cancelled, "the call was cancelled")
        default:
            logger.error("handler failed", metadata: ["method": "\(call.method.path)", "error": "\(error)"])
            return RPCError(.unknown, "the handler failed; the server's log has the cause")
        }
    }
}

// MARK: - Answers without a call

extension RPCServer {
    /// A request whose path is no method.
    private func handleOther(_ exchange: HTTPExchange) async {
        if let resource = exchange.withPath({ routes.resource($0) }) {
            if let handler = resource.handler(exchange.method) { return await handler(exchange) }
            let allow = (resource.methods + [.options]).map(\.description).joined(separator: ", ")
            return exchange.method == .options ? answerPreflight(exchange) : refuseMethod(exchange, allow: allow)
        }
        if exchange.method == .options { return answerPreflight(exchange) }
        if exchange.method == .post, exchange.fields.count(of: .contentType) == 1,
            let form = exchange.fields.withFirst(.contentType, { WireForm(contentType: $0) }) ?? nil,
            form.isWeb || exchange.version == .http2
        {
            return finishUnknownMethod(exchange, form: form)
        }
        answer(exchange, 404, "no such page: this port serves gRPC and gRPC-Web calls, POST /service/Method")
    }

    private func answerPreflight(_ exchange: HTTPExchange) {
        guard exchange.fields.count(of: .origin) > 0,
            exchange.fields.count(of: .accessControlRequestMethod) > 0
        else { return refuseMethod(exchange, allow: "POST, OPTIONS") }
        exchange.sendHead(
            HTTPResponseHead(status: 204, fields: configuration.values.crossOrigin.preflightFields(for: exchange.fields))
        )
        exchange.finish()
    }

    private func refuseMethod(_ exchange: HTTPExchange, allow: String) {
        var fields = HTTPFields()
        fields.append(.allow, allow)
        answer(exchange, 405, "\(bounded(exchange.method.description)) is not allowed here; allowed: \(allow)", fields)
    }

    private func refuseContentType(_ exchange: HTTPExchange) {
        var fields = HTTPFields()
        fields.append(.acceptPost, WireForm.acceptPost)
        answer(exchange, 415, "content-type must be one of: \(WireForm.acceptPost)", fields)
    }

    private func refuseVersion(_ exchange: HTTPExchange) {
        answer(
            exchange, 505,
            "application/grpc needs HTTP/2 (its status travels in trailers); over HTTP/1.1 use application/grpc-web"
        )
    }

    private func finishUnknownMethod(_ exchange: HTTPExchange, form: WireForm) {
        let path = bounded(exchange.head.path)
        let call = ServerCall(
            exchange: exchange, method: unknownMethod, requestForm: form, deadline: nil, configuration: configuration
        )
        call.finish(RPCError(.unimplemented, "no such method: \(path)"))
    }

    private func answer(_ exchange: HTTPExchange, _ status: Int, _ text: String, _ extra: HTTPFields = HTTPFields()) {
        var fields = extra
        fields.append(.contentType, "text/plain; charset=utf-8")
        configuration.values.crossOrigin.permitReading(&fields, by: exchange.fields)
        exchange.sendHead(HTTPResponseHead(status: status, fields: fields))
        exchange.sendLast(ByteBuffer(string: text + "\n"))
    }

    /// Peer text in an error: at most 64 characters.
    private func bounded(_ text: String) -> String {
        text.count <= 64 ? text : text.prefix(64) + "..."
    }
}

/// The request's `grpc-timeout`.
enum GRPCTimeoutField {
    /// - Returns: nanoseconds; nil when absent or so long that it means none (rule T1).
    /// - Throws: INTERNAL for a repeated or malformed value (rules M12, T3).
    static func read(_ fields: HTTPFields) throws(RPCError) -> UInt64? {
        switch fields.count(of: .grpcTimeout) {
        case 0: return nil
        case 1: break
        default: throw RPCError(.internalError, "grpc-timeout is given more than once")
        }
        do {
            return try fields.withFirst(.grpcTimeout) { try GRPCTimeout.parse($0) } ?? nil
        } catch {
            throw RPCError(.internalError, "grpc-timeout must be 1 to 8 digits and one of H M S m u n (such as 500m)")
        }
    }
}
