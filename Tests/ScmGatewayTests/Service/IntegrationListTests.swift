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

    /// No provider is reached from here: what an installed integration would have to do is not served, and
    /// GetCapabilities says so beforehand. One that is not installed does not exist.
    @Test func installedIntegrationsAreKnownAndNotServed() async throws {
        let gateway = try await Gateway { $0.installations = Installed() }
        let (service, context) = (gateway.service, gateway.context())
        let able = try await service.getCapabilities(.init(subject: .integrationID(101)), context: context)
        #expect(able.provider == .github && able.capabilities.isEmpty)
        #expect(able.missing.map(\.capability.rawValue) == Array(1...19))
        let calls: [(String, (Int64) async throws -> Void)] = [
            ("GetRateLimit", { _ = try await service.getRateLimit(.init(integrationID: $0), context: context) }),
            ("SearchRepositories", {
                _ = try await service.searchRepositories(.init(integrationID: $0), context: context)
            }),
            ("SyncRepositories", {
                try await service.syncRepositories(
                    .init(integrationID: $0), responses: ResponseWriter { _ in }, context: context)
            }),
            ("CreateRepository", {
                _ = try await service.createRepository(
                    .init(integrationID: $0, provider: .github, identifier: "o/r"), context: context)
            }),
            ("SearchCode", {
                _ = try await service.searchCode(.init(integrationID: $0, query: "x"), context: context)
            }),
            ("StreamSearchCode", {
                try await service.streamSearchCode(
                    .init(search: .init(integrationID: $0, query: "x")), responses: ResponseWriter { _ in },
                    context: context)
            }),
            ("CreateCodeMapping", {
                _ = try await service.createCodeMapping(
                    .init(projectID: 1, repositoryID: 1, integrationID: $0), context: context)
            }),
            ("CreateExternalIssue", {
                _ = try await service.createExternalIssue(
                    .init(integrationID: $0, project: "o/r", title: "t"), context: context)
            }),
            ("SearchIssues", { _ = try await service.searchIssues(.init(integrationID: $0), context: context) }),
            ("GetIssueSettings", {
                _ = try await service.getIssueSettings(.init(integrationID: $0), context: context)
            }),
        ]
        for (name, call) in calls {
            await expectError(.unimplemented, "CAPABILITY_MISSING") { try await call(101) }
            await expectError(.notFound, "INTEGRATION_NOT_FOUND") {
                try await call(999)
                Issue.record("\(name) answered")
            }
        }
        #expect(try await service.listRepositories(.init(integrationID: 101), context: context).repositories.isEmpty)
        #expect(try await service.listCodeMappings(.init(integrationID: 101), context: context).codeMappings.isEmpty)
        #expect(
            try await service.listExternalIssues(.init(integrationID: 101), context: context).externalIssues.isEmpty)
        for wrong: Int64 in [999, -1] {
            await expectError(.notFound, "INTEGRATION_NOT_FOUND") {
                try await service.listRepositories(.init(integrationID: wrong), context: context)
            }
            await expectError(.notFound, "INTEGRATION_NOT_FOUND") {
                try await service.getCapabilities(.init(subject: .integrationID(wrong)), context: context)
            }
        }
        await service.shutdown()
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
