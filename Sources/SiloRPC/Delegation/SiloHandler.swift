import FrameCodec
import NIOCore
import RPC

/// The served side of one method: checks that the call belongs here, decodes, calls the service, encodes. A call that
/// does not belong here is refused, never forwarded.
public struct SiloHandler: Sendable {
    public let method: SiloMethod
    /// Serves one call: bytes in, bytes out, within the deadline of the task's ``SiloScope``.
    ///
    /// - Throws: ``SiloError``, or what the service throws.
    public let answer: @Sendable (_ call: SiloInboundCall, _ request: [UInt8]) async throws -> [UInt8]
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
        answer = { call, bytes in
            let request: Request
            do { request = try Request(serializedBytes: bytes) } catch {
                throw SiloError.validation(code: "MALFORMED_REQUEST", message: "\(method.key): \(error)")
            }
            let deadline = SiloScope.current.deadline
            return try await silo.serve(call, deadline, request, target(request), body).serializedBytes()
        }
        rpcMethod = RPCMethod(method.descriptor) { rpc, context in
            let request =
                if let whole = try rpc.receiveWhole(Request.self) { whole } else {
                    try await rpc.receiveOnly(Request.self)
                }
            let call = SiloInboundCall(method: method, context: context)
            let response = try await silo.serve(call, context.deadline, request, target(request), body)
            if rpc.isAnswerKept { rpc.keep(response) }
            if try !rpc.sendNow(response) { try await rpc.send(response) }
        }
    }
}

extension Silo {
    /// Part of the function that calls it: each `await` after which a function goes on costs an executor switch even
    /// when nothing suspends, and the usual call has only one here.
    @inline(__always)
    fileprivate func serve<Request: Message, Response: Message>(
        _ call: SiloInboundCall, _ deadline: NIODeadline?, _ request: Request, _ target: SiloTarget,
        _ body: @escaping @Sendable (Request) async throws -> Response
    ) async throws -> Response {
        if try admit(call, target) { try await checkCell(target) }
        let scope = try SiloScope(serving: call, deadline: deadline)
        let limit = inbound?.timeLimit(call.method)
        guard limit == nil, !storesAnswer(to: call) else {
            return try await serve(call, scope, limit, request, body)
        }
        return try await SiloScope.$current.withValue(scope) { try await body(request) }
    }

    /// What few calls have: an answer that is stored, a limit that the operator has set here.
    private func serve<Request: Message, Response: Message>(
        _ call: SiloInboundCall, _ scope: SiloScope, _ limit: Duration?, _ request: Request,
        _ body: @escaping @Sendable (Request) async throws -> Response
    ) async throws -> Response {
        @Sendable func run() async throws -> Response {
            guard storesAnswer(to: call), let inbound else { return try await body(request) }
            let bytes = try await inbound.answer(call, request: request.serializedBytes()) {
                try await body(request).serializedBytes()
            }
            return try Response(serializedBytes: bytes)
        }
        guard let limit else { return try await SiloScope.$current.withValue(scope, operation: run) }
        return try await scope.within(limit, call.method, run)
    }

    private func storesAnswer(to call: SiloInboundCall) -> Bool {
        call.method.idempotency != .readOnly && inbound != nil && call.idempotencyKey != nil
    }

    /// Refuses what can be refused without asking anybody.
    ///
    /// - Returns: whether ``checkCell(_:)`` must decide.
    /// - Throws: ``SiloError/disabled(method:reason:)``, ``SiloError/wrongSilo(method:asked:)``,
    ///   ``SiloError/validation(code:message:)``.
    func admit(_ call: SiloInboundCall, _ target: SiloTarget) throws -> Bool {
        let method = call.method
        try inbound?.admit(call)
        if method.lifecycle == .disabled {
            throw SiloError.disabled(method: method.key, reason: "declared as disabled")
        }
        guard isHome(method.home) else {
            throw SiloError.wrongSilo(method: method.key, asked: address ?? .control)
        }
        try target.check()
        return mode == .cell && method.home == .cell
    }

    /// - Throws: ``SiloError/wrongCell(expected:actual:)``.
    func checkCell(_ target: SiloTarget) async throws {
        guard let cell else { return }
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
