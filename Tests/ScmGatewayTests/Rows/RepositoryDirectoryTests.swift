import SiloRPC
import SiloTestKit
import Storage
import Testing

@testable import ScmGateway

/// The silo service of a cell's repositories.
@Suite(.timeLimit(.minutes(5))) struct RepositoryDirectoryTests {
    private static func dispatch(_ node: SiloNode) -> [any SiloServiceDispatch] {
        node.silo.mode == .control
            ? [] : [RepositoryDirectoryServiceDispatch(RepositoryDirectoryRows(node.database), silo: node.silo)]
    }

    @Test(
        "repositories of an organization are found in its cell, from control and in the cell",
        arguments: SiloTopology.allCases)
    func find(_ topology: SiloTopology) async throws {
        try await TestSilos.run(topology, migrations: ScmGatewaySchema.migrations, services: Self.dispatch) { silos in
            let id = try await silos.makeOrganization("acme", in: "us").organizationID
            let ids = try await silos.assuming(.cell(CellName("us"))) { node in
                try await node.database.write { transaction in
                    try (0..<3).map { index in
                        try transaction.row(
                            """
                            INSERT INTO repositories (organization_id, provider, external_id, name, url, git_folder,
                                default_branch, status, config, created_at, updated_at)
                            VALUES (?, 'integrations:local_git', ?, ?, '', '', 'main', 1, '{}', 1, 1) RETURNING id
                            """,
                            [.integer(id), .text("/srv/\(index)"), .text("r\(index)")]
                        )?.integer("id") ?? 0
                    }
                }
            }
            let local = silos.here.silo.mode == .control ? nil : RepositoryDirectoryRows(silos.here.database)
            let repositories = try RepositoryDirectoryServiceDelegate(silos.here.silo, local: local)
            #expect(try await repositories.get(organizationID: id, repositoryID: ids[0])?.name == "r0")
            #expect(try await repositories.get(organizationID: id, repositoryID: 99) == nil)
            #expect(try await repositories.get(organizationID: 99, repositoryID: 1) == nil)
            let page = try await repositories.list(organizationID: id, after: 0, pageSize: 2)
            #expect(page.repositories.map(\.name) == ["r0", "r1"] && page.hasMore)
            let rest = try await repositories.list(
                organizationID: id, after: page.repositories[1].repositoryID, pageSize: 2)
            #expect(rest.repositories.map(\.name) == ["r2"] && !rest.hasMore)
            #expect(try await repositories.count(cellName: "us", regionName: "") == 3)
        }
    }
}
