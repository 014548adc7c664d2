import RPC

/// `grpc.health.v1.Health` on a ``HealthRegistry``. Needs no key: it tells nothing but names of services and states.
public struct HealthService: Health {
    public static let name = "grpc.health.v1.Health"
    private let registry: HealthRegistry

    public init(_ registry: HealthRegistry) {
        self.registry = registry
    }

    public func check(
        _ request: GRPCHealth.HealthCheckRequest, context: CallContext
    ) async throws -> GRPCHealth.HealthCheckResponse {
        guard let status = registry.status(of: request.service) else {
            throw RPCError(.notFound, "unknown service \"\(request.service.prefix(64))\"")
        }
        return GRPCHealth.HealthCheckResponse(status: status)
    }

    public func list(
        _ request: GRPCHealth.HealthListRequest, context: CallContext
    ) async throws -> GRPCHealth.HealthListResponse {
        let all = registry.all
        guard all.count <= HealthRegistry.maximumListed else {
            throw RPCError(
                .resourceExhausted, "\(all.count) services; List answers with at most \(HealthRegistry.maximumListed)"
            )
        }
        return GRPCHealth.HealthListResponse(statuses: all.mapValues { GRPCHealth.HealthCheckResponse(status: $0) })
    }

    public func watch(
        _ request: GRPCHealth.HealthCheckRequest, responses: ResponseWriter<GRPCHealth.HealthCheckResponse>,
        context: CallContext
    ) async throws {
        var last: HealthRegistry.Status?
        for await status in try registry.watch(request.service) where status != last {
            try await responses.send(GRPCHealth.HealthCheckResponse(status: status))
            last = status
        }
        try Task.checkCancellation()
        throw RPCError(.unavailable, "the server is shutting down")
    }
}
