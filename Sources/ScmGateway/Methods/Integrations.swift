import RPC
import ScmAPI
import SiloRPC

extension ScmGatewayService {
    /// What the organization has installed, in control. A monolith without integrations has none: repositories of its
    /// own disk are reached through none.
    public func listIntegrations(
        _ request: ListIntegrationsRequest, context: CallContext
    ) async throws -> ListIntegrationsResponse {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        let size = try PageSize.check(request.pageSize)
        let filter = try PageFilter("ListIntegrations", ["\(organizationID)", "\(request.provider.rawValue)"])
        let token = try PageToken.parse(request.pageToken, filter: filter)
        guard let installations = configuration.installations else { return ListIntegrationsResponse() }
        let slug = request.provider == .unspecified ? "" : ProviderSlug.slug(request.provider) ?? "unknown"
        let found = try await installations.list(organizationID: organizationID, provider: slug)
            .filter { $0.installationID > token?.position ?? 0 }
        let page = found.prefix(size)
        let next =
            found.count > size ? page.last.map { PageToken(filter: filter, position: $0.installationID).text } : nil
        return ListIntegrationsResponse(
            integrations: page.compactMap(\.integration).map(Self.integration), nextPageToken: next ?? "")
    }

    private static func integration(_ record: IntegrationRecord) -> Integration {
        Integration(
            id: record.integrationID,
            provider: ProviderSlug.provider(record.provider), name: record.name, externalID: record.externalID,
            status: .active)
    }

    /// An allowance is a hosting provider's.
    public func getRateLimit(
        _ request: GetRateLimitRequest, context: CallContext
    ) async throws -> GetRateLimitResponse {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        guard request.integrationID > 0 else { throw RPCError.badField("integration_id", "a positive id is required") }
        // A server that knows no integrations has no provider that could limit anything.
        guard configuration.installations != nil else { throw RPCError.missingCapability("an allowance of requests") }
        throw try await unservedIntegration(request.integrationID, organizationID: organizationID)
    }

    // MARK: Integrations in requests

    /// What the organization has installed of an integration.
    ///
    /// - Throws: NOT_FOUND (INTEGRATION_NOT_FOUND); what control says when it cannot be asked.
    @discardableResult
    func checkInstalled(_ id: Int64, organizationID: Int64) async throws -> IntegrationRecord {
        let installed = try await configuration.installations?.list(organizationID: organizationID, provider: "")
        guard id > 0, let found = installed?.lazy.compactMap(\.integration).first(where: { $0.integrationID == id })
        else { throw Self.integrationNotFound }
        return found
    }

    /// The answer to an operation that an integration's provider would have to do: none is reached from here.
    ///
    /// - Throws: as ``checkInstalled(_:organizationID:)``.
    func unservedIntegration(_ id: Int64, organizationID: Int64) async throws -> RPCError {
        try await checkInstalled(id, organizationID: organizationID)
        return RPCError(.unimplemented, .capabilityMissing, Self.unserved)
    }

    static let unserved = "this server does not reach the integration's provider"

    static var integrationNotFound: RPCError {
        RPCError(.notFound, .integrationNotFound, "the organization has no such integration")
    }
}
