import SiloRPC

/// Services that do nothing, so that the way to them is what is measured.
struct FixedMapping: OrganizationMappingService {
    static let mapping = OrganizationMapping(
        organizationID: 7, slug: "acme", cellName: "us1", sequence: 12, createdAt: 1_700_000_000_000)

    func get(organizationID: Int64) async throws -> OrganizationMapping? { Self.mapping }
    func getBySlug(slug: String) async throws -> OrganizationMapping? { Self.mapping }
    func create(slug: String, cellName: String) async throws -> OrganizationMapping { Self.mapping }
    func listChanges(
        epoch: String, after: Int64, pageSize: Int32
    ) async throws -> OrganizationMappingServiceListChangesResponse { .init() }
}

/// What an organization of middle size has installed.
struct FixedInstallations: InstallationService {
    static let installations: [InstallationRecord] = (1...10).map { installation(Int64($0)) }

    private static func installation(_ number: Int64) -> InstallationRecord {
        let name = "acme-team-\(number)"
        let integration = IntegrationRecord(
            integrationID: 900 + number, provider: number % 3 == 0 ? "jira" : "github",
            externalID: String(51_234_567 + number), name: name,
            config: "{\"domain_name\":\"github.com/\(name)\",\"account_type\":\"Organization\"}")
        return InstallationRecord(
            installationID: 4_100 + number, organizationID: 7, integration: integration,
            createdAt: 1_700_000_000_000 + number)
    }

    func install(organizationID: Int64, integrationID: Int64) async throws -> InstallationRecord {
        Self.installations[0]
    }
    func uninstall(organizationID: Int64, installationID: Int64) async throws {}
    func list(organizationID: Int64, provider: String) async throws -> [InstallationRecord] { Self.installations }
}

/// The same messages as a team writes them that has only `Codable`.
enum CodableForm {
    struct GetMapping: Codable, Sendable {
        var organizationID: Int64

        enum CodingKeys: String, CodingKey { case organizationID = "organization_id" }
    }

    struct Mapping: Codable, Sendable {
        var organizationID: Int64
        var slug: String
        var cellName: String
        var sequence: Int64
        var createdAt: Int64

        enum CodingKeys: String, CodingKey {
            case organizationID = "organization_id", slug, cellName = "cell_name", sequence, createdAt = "created_at"
        }
    }

    struct ListInstallations: Codable, Sendable {
        var organizationID: Int64
        var provider: String

        enum CodingKeys: String, CodingKey { case organizationID = "organization_id", provider }
    }

    struct Installation: Codable, Sendable {
        var installationID: Int64
        var organizationID: Int64
        var integration: Integration
        var createdAt: Int64

        enum CodingKeys: String, CodingKey {
            case installationID = "installation_id", organizationID = "organization_id", integration
            case createdAt = "created_at"
        }
    }

    struct Integration: Codable, Sendable {
        var integrationID: Int64
        var provider: String
        var externalID: String
        var name: String
        var config: String

        enum CodingKeys: String, CodingKey {
            case integrationID = "integration_id", provider, externalID = "external_id", name, config
        }
    }

    static let mapping = Mapping(
        organizationID: FixedMapping.mapping.organizationID, slug: FixedMapping.mapping.slug,
        cellName: FixedMapping.mapping.cellName, sequence: FixedMapping.mapping.sequence,
        createdAt: FixedMapping.mapping.createdAt)

    static let installations: [Installation] = FixedInstallations.installations.map { record -> Installation in
        let integration = record.integration ?? IntegrationRecord()
        return Installation(
            installationID: record.installationID, organizationID: record.organizationID,
            integration: Integration(
                integrationID: integration.integrationID, provider: integration.provider,
                externalID: integration.externalID, name: integration.name, config: integration.config),
            createdAt: record.createdAt)
    }
}
