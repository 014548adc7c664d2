import FrameCodec
import RPC
import ScmAPI
import SiloRPC
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct UpdateRepositoryTests {
    private func update(
        _ gateway: Gateway, _ repository: Repository, _ paths: [String], organizationID: Int64? = nil,
        scopes: Set<Scope> = Set(Scope.allCases)
    ) async throws -> Repository {
        try await gateway.service.updateRepository(
            UpdateRepositoryRequest(repository: repository, updateMask: Protobuf.FieldMask(paths: paths)),
            context: gateway.context(organizationID: organizationID, scopes: scopes)
        )
    }

    @Test func onlyTheNamedFieldsChange() async throws {
        let gateway = try await Gateway()
        let folder = try TestRepository()
        let id = try await gateway.add(folder)
        let name = String(repeating: "é", count: 200)
        let answer = try await update(
            gateway, Repository(id: id, name: name, status: .hidden, config: ["a": "1", "api_token": "s"]),
            ["name", "config"]
        )
        #expect(answer.name == name && answer.status == .active && answer.config == ["a": "1"])
        let read = try await gateway.service.getRepository(
            GetRepositoryRequest(selector: .repositoryID(id)), context: gateway.context()
        )
        #expect(read == answer)
        // What was read is written back: the secret that it did not show stays.
        _ = try await update(gateway, Repository(id: id, config: ["a": "2"]), ["config"])
        let stored = try await RepositoryStore(gateway.database).list(organizationID: gateway.first).first
        #expect(stored?.config == ["a": "2", "api_token": "s"])
        await gateway.service.shutdown()
    }

    @Test func statusHasAllowedWays() async throws {
        let gateway = try await Gateway()
        let folder = try TestRepository()
        try folder.commit("x", ["a": "b"])
        let id = try await gateway.add(folder)
        for status in [RepositoryStatus.disabled, .active, .hidden] {
            #expect(try await update(gateway, Repository(id: id, status: status), ["status"]).status == status)
        }
        await expectError(.failedPrecondition, "REPOSITORY_INACTIVE") {
            try await gateway.service.getCommit(
                GetCommitRequest(repositoryID: id, sha: "main"), context: gateway.context()
            )
        }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "repository.status") {
            try await update(gateway, Repository(id: id, status: .disabled), ["status"])
        }
        for status in [RepositoryStatus.unspecified, RepositoryStatus(rawValue: 4), RepositoryStatus(rawValue: -1)] {
            await expectError(.invalidArgument, field: "repository.status") {
                try await update(gateway, Repository(id: id, status: status), ["status"])
            }
        }
        #expect(try await update(gateway, Repository(id: id, status: .active), ["status"]).status == .active)
        await gateway.service.shutdown()
    }

    @Test func whatCannotChangeIsRefused() async throws {
        let gateway = try await Gateway()
        let folder = try TestRepository()
        let id = try await gateway.add(folder)
        await expectError(.invalidArgument, field: "update_mask") { try await update(gateway, Repository(id: id), []) }
        for path in ["url", "default_branch", "integration_id", "id", "external_id", "organization_id", "*", "x"] {
            await expectError(.invalidArgument, field: "update_mask") {
                try await update(gateway, Repository(id: id), [path])
            }
        }
        for name in ["", "a\nb", String(repeating: "x", count: 201)] {
            await expectError(.invalidArgument, field: "repository.name") {
                try await update(gateway, Repository(id: id, name: name), ["name"])
            }
        }
        await expectError(.invalidArgument, field: "repository.id") {
            try await update(gateway, Repository(), ["name"])
        }
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await update(gateway, Repository(id: id, name: "stolen"), ["name"], organizationID: gateway.second)
        }
        await expectError(.permissionDenied, "SCOPE_MISSING") {
            try await update(gateway, Repository(id: id, name: "x"), ["name"], scopes: [.read])
        }
        await gateway.service.shutdown()
    }

    @Test func capabilitiesNameEveryOne() async throws {
        let gateway = try await Gateway()
        let folder = try TestRepository()
        let id = try await gateway.add(folder)
        let other = try await gateway.add(folder, organizationID: gateway.second)
        func get(_ subject: GetCapabilitiesRequest.Subject?) async throws -> GetCapabilitiesResponse {
            try await gateway.service.getCapabilities(
                GetCapabilitiesRequest(subject: subject), context: gateway.context()
            )
        }
        let answer = try await get(.repositoryID(id))
        #expect(answer.provider == .localGit)
        #expect(answer.missing.allSatisfy { !$0.reason.isEmpty })
        let named = answer.capabilities.map(\.rawValue) + answer.missing.compactMap { $0.capability.rawValue }
        #expect(named.sorted() == Array(1...19))
        #expect(answer.capabilities.map(\.rawValue) == answer.capabilities.map(\.rawValue).sorted())
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") { try await get(.repositoryID(other)) }
        await expectError(.notFound, "INTEGRATION_NOT_FOUND") { try await get(.integrationID(1)) }
        await expectError(.invalidArgument, field: "subject") { try await get(nil) }
        await gateway.service.shutdown()
    }
}
