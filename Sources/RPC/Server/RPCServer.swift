import FrameCodec
import HTTPTransport
import Logging
import NIOCore

/// HTTP exchanges -> calls: finds the wire protocol by content type and the method by path, runs the interceptors and
/// the handler, and turns the outcome into a status.
///
/// ```
/// path is no method ............... the route of that path, REST, else UNIMPLEMENTED (S4) or 404
/// OPTIONS ......................... CORS preflight (C1)
/// verb of no protocol ............. 405 with Allow
/// content type of no protocol ..... 415 with Accept-Post
/// HTTP version too old for it ..... 505, names the other ways
/// bad timeout, unknown encoding ... INTERNAL (T3), UNIMPLEMENTED (P4)
/// everything else ................. interceptors, handler
/// ```
///
/// Which verbs, types and versions there are stands in ``WireProtocol`` alone.
public final class RPCServer: HTTPService {
    let methods: MethodTable
    let routes: RouteTable
    let rest: RESTRoutes?
    let servedMethods: [ServedMethod]
    /// Stands for every path that is no method, so that peers cannot make up counters.
    let unknownMethod: ServedMethod
    let configuration: RPCServerConfiguration.Shared
    let refusals = RefusalCounters()
    let logger: Logger
    private let gates: [Gate]

    /// An interceptor's part before a task: functions, because existential values would be copied for every call.
    private struct Gate: Sendable {
        let interceptNow: @Sendable (ServerCall, inout CallContext) throws -> Bool
        let didReturn: @Sendable (ServerCall, CallContext) -> Void
        let replacement: @Sendable (any Error, ServerCall, CallContext) -> any Error

        init(_ interceptor: some ServerInterceptor) {
            interceptNow = { try interceptor.interceptNow($0, context: &$1) }
            didReturn = { interceptor.didReturn($0, context: $1) }
            replacement = { interceptor.replacement(for: $0, of: $1, context: $2) }
        }
    }

    /// - Parameters:
    ///   - interceptors: around every call; the first is the outermost.
    ///   - routes: plain HTTP beside the calls; the path of a method wins over a route.
    ///   - rest: methods that can be called as plain HTTP resources too; those of `services` only are served.
    public init(
        services: [any RPCService],
        interceptors: [any ServerInterceptor] = [],
        routes: [HTTPRoute] = [],
        rest: RESTRoutes? = nil,
        configuration: RPCServerConfiguration = RPCServerConfiguration(),
        logger: Logger
    ) {
        let shared = RPCServerConfiguration.Shared(configuration)
        servedMethods = services.flatMap(\.methods).map { Self.serve($0, interceptors, shared) }
        unknownMethod = ServedMethod(
            RPCMethod(MethodDescriptor(service: "", method: "", kind: .unary)) { _, _ in }, chain: [], shared
        )
        methods = MethodTable(servedMethods)
        self.routes = RouteTable(routes)
        self.rest = rest
        self.configuration = shared
        self.logger = logger
        gates = interceptors.map { Gate($0) }
    }

    /// The chain is built once for each method, not for each call: from every interceptor on.
    private static func serve(
        _ method: RPCMethod, _ interceptors: [any ServerInterceptor], _ configuration: RPCServerConfiguration.Shared
    ) -> ServedMethod {
        var handler = method.handler
        if method.descriptor.kind == .bidirectionalStreaming {
            // Innermost, so that a call is refused before its body is read.
            handler = { call, context in
                if call.isHalfDuplex { try await call.collectRequest() }
                try await method.handler(call, context)
            }
        }
        var chain = [ServedMethod.Link(handler: handler)]
        for interceptor in interceptors.reversed() {
            let next = handler
            handler = { call, context in try await interceptor.intercept(call, context: context, next: next) }
            chain.append(ServedMethod.Link(handler: handler))
        }
        return ServedMethod(method, chain: chain.reversed(), configuration)
    }

    /// What a request's head leads to.
    enum Admission {
        case call(ServerCall)
        case route(HTTPHandler)
        /// The answer is on its way.
        case answered
    }

    /// Serves one exchange: for servers whose every request goes through a function of theirs.
    public func handle(_ exchange: HTTPExchange) async {
        guard let call = begin(exchange) else { return }
        call.startTimers()
        await call.run()
    }

    /// Called by the transport for each exchange.
    public func begin(_ exchange: HTTPExchange) -> HTTPExchangeTask? {
        switch admit(exchange) {
        case .answered: nil
        case .route(let handler): HTTPHandlerTask(exchange, handler)
        case .call(let call): start(call)
        }
    }

    /// Serves the call as far as that needs no waiting; returns it when something is left.
    private func start(_ call: ServerCall) -> ServerCall? {
        var context = CallContext(call)
        var passed = 0
        do {
            while passed < gates.count, try gates[passed].interceptNow(call, &context) { passed += 1 }
            guard passed == gates.count, let immediate = call.served.immediate, try immediate(call, context) else {
                call.rest = ServerCall.Rest(
                    serviceContext: context.serviceContext, caller: context.caller, passed: passed)
                return call
            }
            didReturn(call, context, passed)
            call.finish(nil)
        } catch {
            let error = didThrow(error, call, context, passed)
            call.finish(status(of: error, in: call, interruptedBy: call.interruption?.error))
        }
        return nil
    }

    /// Tells the first interceptors, which have decided at once.
    ///
    /// - Returns: what they make of the error, the last one first.
    func didThrow(_ error: any Error, _ call: ServerCall, _ context: CallContext, _ passed: Int) -> any Error {
        var error = error
        for gate in gates[..<passed].reversed() {
            gate.didReturn(call, context)
            error = gate.replacement(error, call, context)
        }
        return error
    }

    /// Tells the first interceptors, which have decided at once.
    func didReturn(_ call: ServerCall, _ context: CallContext, _ passed: Int) {
        var index = passed
        while index > 0 {
            index -= 1
            gates[index].didReturn(call, context)
        }
    }

    private func admit(_ exchange: HTTPExchange) -> Admission {
        if let terms = CallTerms.kept(exchange, self) { return begin(exchange, terms) }
        guard let method = exchange.withPath({ methods.method(path: $0) }) else { return admitOther(exchange) }
        guard exchange.method.isPost else { return admitOtherVerb(exchange, method) }
        let fields = exchange.fields
        let form = fields.withFirst(.contentType) { WireForm(contentType: $0) } ?? nil
        guard let form, form.wireProtocol.serves(method.descriptor) else {
            return refuseContentType(exchange, method.descriptor)
        }
        guard fields.count(of: .contentType) == 1 else { return refuseRepeatedContentType(exchange) }
        if form.wireProtocol.needsHTTP2, exchange.version != .http2 {
            return refuseVersion(exchange, method.descriptor)
        }
        return begin(exchange, fields, method, form, query: nil)
    }

    /// Refuses what can be refused by the head alone.
    func begin(
        _ exchange: HTTPExchange, _ fields: HTTPFields, _ method: ServedMethod, _ form: WireForm, query: ConnectQuery?,
        body: RESTBody? = nil
    ) -> Admission {
        let terms: CallTerms
        do throws(RPCError) {
            terms = try self.terms(fields, method, form, compression: query.map { $0.compression ?? "identity" })
        } catch {
            return refuse(exchange, form, method, error)
        }
        if query == nil, body == nil, !isWorthNoting(fields, form.wireProtocol) { terms.keep(exchange) }
        let admission = begin(exchange, terms)
        if case .call(let call) = admission {
            if let query { call.inbound.take(message: query.message) }
            if let body { call.inbound.take(body) }
        }
        return admission
    }

    private func begin(_ exchange: HTTPExchange, _ terms: CallTerms) -> Admission {
        guard terms.method.isEnabled else {
            return refuse(exchange, terms.form, terms.method, terms.method.disabledError)
        }
        return .call(ServerCall(exchange, terms))
    }

    private func terms(
        _ fields: HTTPFields, _ method: ServedMethod, _ form: WireForm, compression: String?
    ) throws(RPCError) -> CallTerms {
        let wire = form.wireProtocol
        let encodings = try CallEncodings(fields, wire, method.descriptor, configuration, compression: compression)
        try check(fields, wire, method.descriptor)
        let requested = try CallTimeout.read(fields, wire)
        if requested == .some(0) { throw ServerCall.deadlineError }
        let timeout = configuration.effectiveTimeout(requested: requested, kind: method.descriptor.kind)
        return CallTerms(
            self, method, form, answerForm: form.answering(fields), encodings,
            timeout: timeout.map { Int64(clamping: min($0, 1 << 60)) })
    }

    /// Rule M2: a proxy that drops `te` may drop trailers too; worth knowing in every call, no reason to refuse.
    private func isWorthNoting(_ fields: HTTPFields, _ wire: WireProtocol) -> Bool {
        wire == .grpc && fields.count(of: .te) == 0
    }

    private func check(
        _ fields: HTTPFields, _ wire: WireProtocol, _ method: MethodDescriptor
    ) throws(RPCError) {
        if wire.isConnect {
            let version = fields.first(.connectProtocolVersion)
            guard version == nil || version == "1" else {
                throw RPCError(
                    .invalidArgument, "connect-protocol-version must be 1, not \"\((version ?? "").bounded)\"")
            }
        } else if isWorthNoting(fields, wire) {
            logger.debug("gRPC request without te: trailers", metadata: ["method": "\(method.path)"])
        }
        if !wire.isWholeBody, let coding = fields.first(.contentEncoding), coding != "identity" {
            throw RPCError(
                wire.badInputCode, "content-encoding is not for framed bodies; compress the messages instead")
        }
        if configuration.values.crossOrigin.allowsCredentials,
            configuration.values.crossOrigin.isForgeable(fields, method)
        {
            throw RPCError(
                .permissionDenied, "a call with cookies needs x-grpc-web, connect-protocol-version or authorization"
            )
        }
    }

    func status(of error: any Error, in call: ServerCall, interruptedBy interruption: RPCError?) -> RPCError {
        switch error {
        case let error as RPCError: return error
        case let error as any RPCErrorConvertible: return error.rpcError
        case is CancellationError:
            return interruption ?? RPCError(.cancelled, "the call was cancelled")
        default:
            logger.error("handler failed", metadata: ["method": "\(call.method.path)", "error": "\(error)"])
            return RPCError(.unknown, "the handler failed; the server's log has the cause")
        }
    }
}
