import RPC
import SiloRPC

/// Hands calls to the silos of an ``InMemoryNetwork``, through the same bytes and the same error envelope as a
/// connection.
public struct InMemoryTransport: SiloTransport {
    let network: InMemoryNetwork
    let source: SiloAddress?

    public func send(_ call: SiloCall) async throws -> [UInt8] {
        try network.checkEnabled(call.method)
        let fault = network.record(call, from: source)
        if source != .control, call.destination != .control {
            throw SiloError.forbidden("cells do not call each other: \(call.method.key) for \(call.destination)")
        }
        switch fault {
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
        guard let services = network.services(call.destination) else {
            throw RPCError(.unavailable, "\(call.destination) does not run")
        }
        guard let handler = services.handler(path: call.method.path) else {
            throw RPCError.unimplemented(call.method.descriptor)
        }
        let source = source
        // Another process knows nothing of this task.
        let served = Task.detached {
            try await SiloScope.$deadline.withValue(call.deadline) {
                try await handler.answer(
                    SiloInboundCall(
                        method: handler.method, source: source, organizationID: call.organizationID,
                        idempotencyKey: call.idempotencyKey, viewer: call.metadata[SiloViewer.field],
                        body: { call.body }
                    ))
            }
        }
        do {
            return try await withTaskCancellationHandler { try await served.value } onCancel: { served.cancel() }
        } catch let error as SiloError {
            throw error
        } catch let error as RPCError {
            throw error
        } catch {
            // Internal text stays where it is.
            throw SiloError.remote(method: call.method.key, message: "the service failed", requestID: "in-memory")
        }
    }
}
