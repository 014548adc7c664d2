import FrameCodec
import RPC

/// The served side of one method: checks that the call belongs here, decodes, calls the service, encodes. A call that
/// does not belong here is refused, never forwarded.
public struct SiloHandler: Sendable {
    public let method: SiloMethod
    /// Serves one call: bytes in, bytes out.
    ///
    /// - Throws: ``SiloError``, or what the service throws.
    public let answer: @Sendable (SiloInboundCall) async throws -> [UInt8]
    /// The same for the RPC server.
    public let rpcMethod: RPCMethod

    /// - Parameters:
    ///   - target: what of a request says where it belongs.
    ///   - body: the service.
    public init<Request: Message, Response: Message>(
        _ method: SiloMethod, _ silo: Silo, target: @escaping @Sendable (Request) -> SiloTarget,
        _ body: @escaping @Sendable (Request) async throws -> Response
    ) {
        self.method = method
        let serve: @Sendable (SiloInboundCall, Request) async throws -> Response = { call, request in
            try silo.inbound?.admit(call)
            if method.lifecycle == .disabled {
                throw SiloError.disabled(method: method.key, reason: "declared as disabled")
            }
            try await silo.checkBelongsHere(call, target(request))
            let viewer = try call.viewer.map { text throws(SiloError) in try SiloViewer(text: text) } ?? SiloViewer()
            @Sendable func run() async throws -> Response {
                try await SiloScope.serving(call.source, viewer) {
                    guard call.idempotencyKey != nil, method.idempotency != .readOnly, let inbound = silo.inbound else {
                        return try await body(request)
                    }
                    let bytes = try await inbound.answer(call) { try await body(request).serializedBytes() }
                    return try Response(serializedBytes: bytes)
                }
            }
            guard let limit = silo.inbound?.timeLimit(method) else { return try await run() }
            return try await SiloScope.within(limit, method, run)
        }
        answer = { call in
            let request: Request
            do { request = try Request(serializedBytes: call.body()) } catch {
                throw SiloError.validation(code: "MALFORMED_REQUEST", message: "\(method.key): \(error)")
            }
            return try await serve(call, request).serializedBytes()
        }
        rpcMethod = .unary(method.descriptor) { (request: Request, context: CallContext) async throws -> Response in
            let call = SiloInboundCall(method: method, context: context) { request.serializedBytes() }
            return try await SiloScope.$deadline.withValue(context.deadline) { try await serve(call, request) }
        }
    }
}

extension Silo {
    /// - Throws: ``SiloError/wrongSilo(method:asked:)``, ``SiloError/wrongCell(expected:actual:)``.
    func checkBelongsHere(_ call: SiloInboundCall, _ target: SiloTarget) async throws {
        guard isHome(call.method.home) else {
            throw SiloError.wrongSilo(method: call.method.key, asked: address ?? .control)
        }
        try target.check()
        guard mode == .cell, call.method.home == .cell, let cell else { return }
        var destination = try await resolveOrNil(target)
        // The caller may know of an organization that is younger than our replica, or has come here since.
        if destination != .cell(cell) { destination = try await resolveOrNil(target, refresh: true) }
        guard destination != .cell(cell) else { return }
        let actual: CellName? = if case .cell(let other)? = destination { other } else { nil }
        throw SiloError.wrongCell(expected: cell, actual: actual)
    }

    private func resolveOrNil(_ target: SiloTarget, refresh: Bool = false) async throws -> SiloAddress? {
        do { return try await resolve(target, refresh: refresh) } catch SiloError.mappingNotFound { return nil }
    }
}
