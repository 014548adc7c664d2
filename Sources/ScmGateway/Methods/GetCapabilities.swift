import RPC
import ScmAPI

extension ScmGatewayService {
    public func getCapabilities(
        _ request: GetCapabilitiesRequest, context: CallContext
    ) async throws -> GetCapabilitiesResponse {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        switch request.subject {
        case .repositoryID(let id):
            let row = try await activeRepository(id, organizationID: organizationID)
            let provider = try provider(of: row)
            return GetCapabilitiesResponse(
                provider: provider.provider, capabilities: provider.capabilities, missing: provider.missing
            )
        case .integrationID(let id):
            let record = try await checkInstalled(id, organizationID: organizationID)
            return GetCapabilitiesResponse(
                provider: ProviderSlug.provider(record.provider),
                missing: Self.allCapabilities.map { MissingCapability(capability: $0, reason: Self.unserved) }
            )
        case nil:
            throw RPCError.badField("subject", "one of repository_id and integration_id is required")
        }
    }
}

extension ScmGatewayService {
    private static let allCapabilities =
        (LocalGitCapabilities.present + LocalGitCapabilities.missing.map(\.capability))
        .sorted { $0.rawValue < $1.rawValue }
}

/// What is served for local git repositories, and why the rest is not. Every capability of the contract is in one of
/// the lists.
enum LocalGitCapabilities {
    static let present: [Capability] = [
        .commits, .fileChanges, .compare, .blame, .files, .trees, .refs, .codeSearch, .repositorySearch,
        .codeOwners, .sync, .issues, .issueSearch,
        .issueComments, .issueCommentEdits, .statusSync, .assigneeSync, .statusChecks,
    ]

    static let missing: [MissingCapability] = reasons.map { MissingCapability(capability: $0.0, reason: $0.1) }

    private static let reasons: [(Capability, String)] = [
        (.rateLimits, "nobody limits requests to a folder"),
    ]
}
