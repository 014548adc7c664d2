import HTTPTransport
import NIOCore
import RPC
import SiloRPC

/// Hands calls to the silos of an ``InMemoryNetwork``: the same bytes, signatures and error envelope as on a
/// connection.
public struct InMemoryTransport: SiloTransport {
    let network: InMemoryNetwork
    public let source: SiloAddress
    let keyring: SiloKeyring

    public func send(_ call: SiloCall) async throws -> ByteBuffer { ByteBuffer(bytes: try await answer(call)) }

    private func answer(_ call: SiloCall) async throws -> [UInt8] {
        if source != .control, call.destination != .control {
            throw SiloError.forbidden("cells do not call each other: \(call.method.key) for \(call.destination)")
        }
        switch network.record(call, from: source) {
        case nil: return try await deliver(call)
        case .dropRequest?: throw RPCError(.unavailable, "the test dropped the call")
        case .dropAnswer?:
            _ = try await deliver(call)
            throw RPCError(.unavailable, "the test dropped the answer")
        case .delay(let time)?:
            try await Task.sleep(for: time)
            return try await deliver(call)
        case .duplicate?:
            _ = try await deliver(call)
            return try await deliver(call)
        case .truncate?: return Array(try await deliver(call).dropLast())
        case .unavailable?: throw RPCError(.unavailable, "the test answered 503")
        }
    }

    private func deliver(_ call: SiloCall) async throws -> [UInt8] {
        guard let server = network.server(call.destination) else {
            throw RPCError(.unavailable, "\(call.destination) does not run")
        }
        let peer = try verify(call, server.verifier)
        guard let handler = server.services.handler(path: call.method.path) else {
            throw RPCError.unimplemented(call.method.descriptor)
        }
        // Another process knows nothing of this task.
        let served = Task.detached {
            try await SiloScope.with({ $0.deadline = call.deadline }) {
                let arrived = SiloInboundCall(
                    method: handler.method, source: peer.source, organizationID: call.organizationID,
                    idempotencyKey: call.idempotencyKey, metadata: call.metadata)
                return try await handler.answer(arrived, call.body)
            }
        }
        do {
            return try await withTaskCancellationHandler { try await served.value } onCancel: { served.cancel() }
        } catch let error as any RPCErrorConvertible {
            throw error.rpcError
        } catch let error as RPCError {
            throw error
        } catch {
            // Internal text stays where it is.
            throw SiloError.remote(method: call.method.key, message: "the service failed", requestID: "in-memory")
                .rpcError
        }
    }

    /// Signs the request as the wire would carry it, and lets the other side verify it.
    private func verify(_ call: SiloCall, _ verifier: SiloVerifier) throws -> SiloPeer {
        var fields = HTTPFields()
        func add(_ name: String, _ value: String?) {
            if let value, let name = HTTPFieldName(name) { fields.append(name, value) }
        }
        add(SiloField.organization, call.organizationID.map { "\($0)" })
        add(SiloField.idempotencyKey, call.idempotencyKey)
        add(SiloField.viewer, call.metadata[SiloField.viewer])
        var head = HTTPRequestHead(
            method: .post, path: call.method.path, scheme: "http", authority: "\(call.destination)", fields: fields)
        try SiloSigner(keyring: keyring, destination: call.destination).sign(&head, body: ByteBuffer(bytes: call.body))
        return try call.body.withUnsafeBytes { try verifier.check(head, body: $0, identity: nil).peer }
    }
}
