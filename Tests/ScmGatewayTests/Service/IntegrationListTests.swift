import RPC
import ScmAPI
import SiloRPC
import Testing

@testable import ScmGateway

/// ListIntegrations over control's installations.
@Suite(.timeLimit(.minutes(5))) struct IntegrationListTests {
    @Test("what is installed is listed in pages, by provider; nothing without integrations")
    func list() async throws {
        let gateway = try await Gateway { $0.installations = Installed() }
        func list(_ request: ListIntegrationsRequest) async throws -> ListIntegrationsResponse {
            try await gateway.service.listIntegrations(
                request, context: gateway.context(ScmServiceMethod.listIntegrations))
        }
        let one = try await list(ListIntegrationsRequest(pageSize: 2))
        #expect(one.integrations.map(\.externalID) == ["1", "2"])
        #expect(one.integrations.map(\.provider) == [.github, .unspecified])
        #expect(one.integrations[0].id == 101 && one.integrations[0].status == .active)
        let two = try await list(ListIntegrationsRequest(pageSize: 2, pageToken: one.nextPageToken))
        #expect(two.integrations.map(\.externalID) == ["3"] && two.nextPageToken.isEmpty)
        #expect(try await list(ListIntegrationsRequest(provider: .gitlab)).integrations.map(\.externalID) == ["3"])
        let none = try await Gateway()
        let empty = try await none.service.listIntegrations(
            ListIntegrationsRequest(), context: none.context(ScmServiceMethod.listIntegrations))
        #expect(empty == ListIntegrationsResponse())
    }
}

/// Three installations, of which this version does not know one's provider.
private struct Installed: InstallationService {
    func install(organizationID: Int64, integrationID: Int64) async throws -> InstallationRecord {
        InstallationRecord()
    }
    func uninstall(organizationID: Int64, installationID: Int64) async throws {}

    func list(organizationID: Int64, provider: String) async throws -> [InstallationRecord] {
        let all = ["github", "a_new_one", "gitlab"].enumerated().map { index, provider in
            InstallationRecord(
                installationID: Int64(index + 1), organizationID: organizationID,
                integration: IntegrationRecord(
                    integrationID: Int64(index + 101), provider: provider, externalID: "\(index + 1)", name: provider))
        }
        return all.filter { provider.isEmpty || $0.integration?.provider == provider }
    }
}
