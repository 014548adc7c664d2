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
        let slug = request.provider == .unspecified ? "" : Self.providerSlugs[request.provider] ?? "unknown"
        let found = try await installations.list(organizationID: organizationID, provider: slug)
            .filter { $0.installationID > token?.position ?? 0 }
        let page = found.prefix(size)
        let next =
            found.count > size ? page.last.map { PageToken(filter: filter, position: $0.installationID).text } : nil
        return ListIntegrationsResponse(
            integrations: page.compactMap(\.integration).map(Self.integration), nextPageToken: next ?? "")
    }

    private static let providerSlugs: [Provider: String] = [
        .github: "github", .gitlab: "gitlab", .bitbucket: "bitbucket", .bitbucketServer: "bitbucket_server",
        .azureDevops: "azure_devops", .githubEnterprise: "github_enterprise", .localGit: "local_git",
    ]

    private static func integration(_ record: IntegrationRecord) -> Integration {
        Integration(
            id: record.integrationID,
            provider: providerSlugs.first { $0.value == record.provider }?.key ?? .unspecified,
            name: record.name, externalID: record.externalID, status: .active)
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
