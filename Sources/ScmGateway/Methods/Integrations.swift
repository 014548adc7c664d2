import RPC
import ScmAPI
import SiloRPC

extension ScmGatewayService {
    /// Repositories of this server's own disk are reached through no integration, so there is none to list.
    public func listIntegrations(
        _ request: ListIntegrationsRequest, context: CallContext
    ) async throws -> ListIntegrationsResponse {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        _ = try PageSize.check(request.pageSize)
        let filter = PageFilter("ListIntegrations", ["\(organizationID)", "\(request.provider.rawValue)"])
        _ = try PageToken.parse(request.pageToken, filter: filter)
        return ListIntegrationsResponse()
    }

    /// An allowance is a hosting provider's.
    public func getRateLimit(
        _ request: GetRateLimitRequest, context: CallContext
    ) async throws -> GetRateLimitResponse {
        _ = try authorise(context, .read, organizationID: request.organizationID)
        guard request.integrationID > 0 else { throw RPCError.badField("integration_id", "a positive id is required") }
        throw RPCError.missingCapability("an allowance of requests")
    }
}
