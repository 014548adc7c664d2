import FrameCodec
import NIOCore
import RPC

/// What every generated delegate has: its service where it lives here, and the way to where it lives else.
public struct SiloLink<Service: Sendable>: Sendable {
    /// The service, when every call of it may go straight there: nothing to resolve, nothing to check.
    public let direct: Service?

    private let silo: Silo
    private let local: Service?
    /// For calls that stay here and are encoded all the same, by the method's path.
    private let handlers: [String: SiloHandler]

    /// - Throws: ``SiloError/configuration(_:)`` when the service lives here and was not given.
    public init(
        _ silo: Silo, key: String, home: SiloHome, local: Service?, handlers: (Service) -> [SiloHandler]
    ) throws(SiloError) {
        self.silo = silo
        guard silo.isHome(home) else {
            (self.local, direct, self.handlers) = (nil, nil, [:])
            return
        }
        guard let local else {
            throw .configuration(
                "the service \"\(key)\" lives in mode \(silo.mode.rawValue); give the delegate its implementation")
        }
        self.local = local
        // A cell must not touch another cell's organizations, so there each call is looked at.
        direct = silo.options.roundTrip || silo.mode == .cell ? nil : local
        self.handlers = Dictionary(handlers(local).map { ($0.method.path, $0) }) { first, _ in first }
    }

    /// Where a call goes.
    ///
    /// - Throws: ``SiloError``: it cannot be resolved; this process is a cell, and another cell is meant.
    public func route(_ method: SiloMethod, _ target: SiloTarget) async throws -> SiloRoute<Service> {
        guard let own = silo.address else { return try here(method, target) }
        let destination = try await silo.resolve(target)
        if destination == own { return try here(method, target) }
        if let local = silo.cell, case .cell(let other) = destination {
            throw SiloError.wrongCell(expected: local, actual: other)
        }
        return .remote(SiloHop(method: method, target: target, destination: destination))
    }

    /// As ``route(_:_:)``; nil when no cell has the organization: the answer is nil then, and nothing is sent.
    public func routeOrNil(_ method: SiloMethod, _ target: SiloTarget) async throws -> SiloRoute<Service>? {
        do { return try await route(method, target) } catch SiloError.mappingNotFound { return nil }
    }

    private func here(_ method: SiloMethod, _ target: SiloTarget) throws -> SiloRoute<Service> {
        guard let local else {
            throw SiloError.wrongSilo(method: method.key, asked: silo.address ?? .control)
        }
        guard silo.options.roundTrip else { return .local(local) }
        return .remote(SiloHop(method: method, target: target, destination: nil))
    }

    /// Calls through encoding. A cell that says that the organization is not its own is believed once: the directory is
    /// asked again, and the call goes to where it says.
    public func call<Request: Message, Response: Message>(_ hop: SiloHop, _ request: Request) async throws -> Response {
        let body = request.serializedBytes()
        guard let destination = hop.destination else { return try decode(try await roundTrip(hop, body), hop.method) }
        let scope = SiloScope.current
        var metadata = Metadata()
        if scope.viewer != SiloViewer() { metadata.add(SiloField.viewer, scope.viewer.text) }
        let call = SiloCall(
            method: hop.method, destination: destination, organizationID: hop.target.organizationID, body: body,
            deadline: scope.deadline ?? .distantFuture, idempotencyKey: scope.idempotencyKey(of: hop.method),
            metadata: metadata
        )
        do {
            return try decode(try await send(call), hop.method)
        } catch let error as SiloError {
            guard case .wrongCell = error else { throw error }
            let corrected = try await silo.resolve(hop.target, refresh: true)
            guard corrected != destination else { throw error }
            return try decode(try await send(call.redirected(to: corrected)), hop.method)
        }
    }

    private func send(_ call: SiloCall) async throws -> ByteBuffer {
        guard let caller = silo.caller else {
            throw SiloError.configuration("mode \(silo.mode.rawValue) has no transport to other silos")
        }
        try SiloScope.checkNoTransaction(call.method)
        return try await caller.call(call)
    }

    private func roundTrip(_ hop: SiloHop, _ body: [UInt8]) async throws -> ByteBuffer {
        guard let handler = handlers[hop.method.path] else {
            throw SiloError.wrongSilo(method: hop.method.key, asked: silo.address ?? .control)
        }
        let scope = SiloScope.current
        let call = SiloInboundCall(
            method: hop.method, source: silo.address, organizationID: hop.target.organizationID,
            idempotencyKey: scope.idempotencyKey(of: hop.method), viewer: scope.viewer.text)
        return ByteBuffer(bytes: try await handler.answer(call, body))
    }

    private func decode<Response: Message>(_ body: ByteBuffer, _ method: SiloMethod) throws -> Response {
        do {
            return try body.withUnsafeReadableBytes { try Response(serializedBytes: $0) }
        } catch {
            // Never with the bytes, which may hold anything.
            throw SiloError.remote(
                method: method.key, message: "malformed answer of \(body.readableBytes) bytes: \(error)", requestID: "")
        }
    }
}
