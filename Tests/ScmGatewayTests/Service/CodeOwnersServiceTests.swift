import FrameCodec
import RPC
import ScmAPI
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct CodeOwnersServiceTests {
    private struct Fixture {
        let gateway: Gateway
        let repository: TestRepository
        let id: Int64
        let mapping: CodeMapping
        var service: ScmGatewayService { gateway.service }

        init(_ files: [String: String]) async throws {
            gateway = try await Gateway()
            repository = try TestRepository()
            try repository.commit("first", files)
            id = try await gateway.add(repository)
            mapping = try await gateway.service.createCodeMapping(
                CreateCodeMappingRequest(projectID: 7, repositoryID: id, stackRoot: "app/", sourceRoot: "src/"),
                context: gateway.context()
            )
        }

        func resolve(_ request: ResolveCodeOwnersRequest) async throws -> ResolveCodeOwnersResponse {
            try await service.resolveCodeOwners(request, context: gateway.context())
        }
    }

    private static let text = "* @all\n/src/ @org/app dev@example.org\n/src/gen/\n!x @n\n"

    @Test("the file is found in the place that its host would use")
    func finding() async throws {
        let fixture = try await Fixture([".github/CODEOWNERS": Self.text, "docs/CODEOWNERS": "* @docs", "a": ""])
        let context = fixture.gateway.context()
        let found = try await fixture.service.getCodeOwnersFile(
            GetCodeOwnersFileRequest(repositoryID: fixture.id, includeRules: true), context: context
        )
        #expect(found.filepath == ".github/CODEOWNERS" && found.dialect == .github && found.raw == Self.text)
        #expect(found.rules.map(\.line) == [1, 2, 3] && found.problems.map(\.line) == [4])
        #expect(
            found.rules[1].owners == [
                CodeOwner(kind: .team, name: "org/app"), CodeOwner(kind: .email, name: "dev@example.org")
            ])
        #expect(found.commitSHA.count == 40 && found.sha.count == 40)
        await expectError(.notFound, "CODE_OWNERS_NOT_FOUND") {
            try await fixture.service.getCodeOwnersFile(
                GetCodeOwnersFileRequest(repositoryID: fixture.id, dialect: .bitbucket), context: context
            )
        }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "ref") {
            try await fixture.service.getCodeOwnersFile(
                GetCodeOwnersFileRequest(repositoryID: fixture.id, ref: "--output=x"), context: context
            )
        }
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await fixture.service.getCodeOwnersFile(
                GetCodeOwnersFileRequest(repositoryID: fixture.id),
                context: fixture.gateway.context(organizationID: fixture.gateway.second)
            )
        }
    }

    @Test("an import is made, replaced, listed, resolved and deleted, and holds its mapping")
    func imports() async throws {
        let fixture = try await Fixture(["CODEOWNERS": Self.text])
        let (service, context) = (fixture.service, fixture.gateway.context())
        let made = try await service.importCodeOwners(
            ImportCodeOwnersRequest(codeMappingID: fixture.mapping.id), context: context
        )
        #expect(made.raw == Self.text && made.rules.count == 3 && made.problems.count == 1)
        #expect(made.ownershipRules == "codeowners:* all\ncodeowners:app/ org/app dev@example.org\ncodeowners:app/gen/")
        let replaced = try await service.importCodeOwners(
            ImportCodeOwnersRequest(
                codeMappingID: fixture.mapping.id, raw: "/src/ @new\n/src/gen/\n", dialect: .github),
            context: context
        )
        #expect(replaced.id == made.id && replaced.rules.map(\.pattern) == ["/src/", "/src/gen/"])
        let list = try await service.listCodeOwners(ListCodeOwnersRequest(projectID: 7), context: context)
        #expect(list.codeOwners.map(\.id) == [made.id] && list.codeOwners.first?.raw == "")
        let delete = DeleteCodeMappingRequest(codeMappingID: fixture.mapping.id)
        await expectError(.failedPrecondition, "CODEOWNERS_USES_MAPPING") {
            try await service.deleteCodeMapping(delete, context: context)
        }
        let frames = [
            StackFrame(filename: "app/x.py"), StackFrame(filename: "app/gen/x.py"),
            StackFrame(filename: "app/x.py", inApp: false),
            StackFrame(filename: "other/x.py"),
        ]
        let resolved = try await fixture.resolve(
            ResolveCodeOwnersRequest(projectID: 7, paths: ["src/y"], frames: frames))
        #expect(resolved.results.map { $0.owners.map(\.name) } == [["new"], ["new"], [], [], []])
        #expect(resolved.results.map(\.excluded) == [false, false, true, false, false])
        #expect(resolved.results.map(\.frameIndex) == [-1, 0, 1, 2, 3])
        #expect(resolved.owners.map(\.name) == ["new"])
        let deleteOwners = DeleteCodeOwnersRequest(codeMappingID: fixture.mapping.id)
        await expectError(.notFound, "CODE_OWNERS_NOT_FOUND") {
            try await service.deleteCodeOwners(
                deleteOwners, context: fixture.gateway.context(organizationID: fixture.gateway.second)
            )
        }
        _ = try await service.deleteCodeOwners(deleteOwners, context: context)
        _ = try await service.deleteCodeOwners(deleteOwners, context: context)
        try await fixture.gateway.letADayPass()
        await expectError(.notFound, "CODE_OWNERS_NOT_FOUND") {
            try await service.deleteCodeOwners(deleteOwners, context: context)
        }
        _ = try await service.deleteCodeMapping(delete, context: context)
    }

    @Test("a repository goes with its imports only by force")
    func removal() async throws {
        let fixture = try await Fixture(["CODEOWNERS": Self.text])
        let (service, context) = (fixture.service, fixture.gateway.context())
        _ = try await service.importCodeOwners(
            ImportCodeOwnersRequest(codeMappingID: fixture.mapping.id), context: context)
        var delete = DeleteRepositoryRequest(repositoryID: fixture.id)
        do {
            _ = try await service.deleteRepository(delete, context: context)
            Issue.record("no error was thrown")
        } catch let error as RPCError {
            #expect(error.code == .failedPrecondition)
            #expect(error.detail(GoogleRPC.ErrorInfo.self)?.reason == "CODEOWNERS_USES_MAPPING")
            let violation = error.detail(GoogleRPC.PreconditionFailure.self)?.violations.first
            #expect(violation?.subject == "code_mapping:\(fixture.mapping.id)")
        }
        #expect(try await service.listCodeOwners(.init(projectID: 7), context: context).codeOwners.count == 1)
        delete.force = true
        _ = try await service.deleteRepository(delete, context: context)
        #expect(try await service.listCodeOwners(.init(projectID: 7), context: context).codeOwners.isEmpty)
    }

    @Test("an import that was read from the repository follows its branch, one that a caller gave stays")
    func follows() async throws {
        let fixture = try await Fixture(["CODEOWNERS": "* @old\n"])
        let (service, context, repository) = (fixture.service, fixture.gateway.context(), fixture.repository)
        func owner() async throws -> [String] {
            try await fixture.resolve(ResolveCodeOwnersRequest(projectID: 7, paths: ["x"])).owners.map(\.name)
        }
        let made = try await service.importCodeOwners(
            ImportCodeOwnersRequest(codeMappingID: fixture.mapping.id), context: context)
        #expect(try await owner() == ["old"])
        try repository.commit("other files", ["a": "x"])
        #expect(try await owner() == ["old"])
        try repository.commit("owners", ["CODEOWNERS": "* @new\n"])
        #expect(try await owner() == ["new"])
        let listed = try await service.listCodeOwners(.init(projectID: 7), context: context).codeOwners
        #expect(listed.map(\.id) == [made.id])
        // A branch that the mapping names from now on, and one that is moved back.
        try repository.git("branch", "old", "HEAD~2")
        var changed = fixture.mapping
        changed.defaultBranch = "old"
        _ = try await service.updateCodeMapping(
            .init(codeMapping: changed, updateMask: .init(paths: ["default_branch"])), context: context)
        #expect(try await owner() == ["old"])
        try repository.git("branch", "-f", "old", "main")
        #expect(try await owner() == ["new"])
        // What has gone, or cannot be read, leaves the rules as they were.
        try repository.git("rm", "-q", "CODEOWNERS")
        try repository.commit("none", [:])
        try repository.git("branch", "-f", "old", "main")
        #expect(try await owner() == ["new"])
        try repository.git("branch", "-D", "old")
        #expect(try await owner() == ["new"])
        _ = try await service.importCodeOwners(
            ImportCodeOwnersRequest(codeMappingID: fixture.mapping.id, raw: "* @mine\n"), context: context)
        try repository.commit("back", ["CODEOWNERS": "* @old\n"])
        try repository.git("branch", "-f", "old", "main")
        #expect(try await owner() == ["mine"])
        await fixture.gateway.service.shutdown()
    }

    @Test("rules are kept by what the text says: one that changes is read anew, and each organization has its own")
    func rulesAreKept() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        try repository.commit("first", ["CODEOWNERS": "* @all\n"])
        let ids = [try await gateway.add(repository), try await gateway.add(repository, organizationID: gateway.second)]
        func owners(_ organization: Int, metadata: Metadata = Metadata()) async throws -> [String] {
            let context = gateway.context(
                organizationID: organization == 0 ? gateway.first : gateway.second, metadata: metadata)
            let request = ResolveCodeOwnersRequest(repositoryID: ids[organization], paths: ["a.py"])
            return try await gateway.service.resolveCodeOwners(request, context: context).owners.map(\.name)
        }
        #expect(try await owners(0) == ["all"])
        #expect(gateway.service.owners.count == 1)
        #expect(try await owners(0) == ["all"])
        #expect(gateway.service.owners.count == 1)
        #expect(try await owners(1) == ["all"])
        #expect(gateway.service.owners.count == 2)
        try repository.commit("second", ["CODEOWNERS": "* @others\n"])
        var fresh = Metadata()
        fresh.add("x-scm-cache", "no-store")
        #expect(try await owners(0, metadata: fresh) == ["others"])
        #expect(gateway.service.owners.count == 2)
        #expect(try await owners(0) == ["others"])
        #expect(gateway.service.owners.count == 3)
        await gateway.service.shutdown()
    }

    @Test("owners of paths in a repository, with the rule and line that decided")
    func paths() async throws {
        let fixture = try await Fixture([".gitlab/CODEOWNERS": "* @g\n[Docs][2] @docs\n*.md\n", "README.md": ""])
        let answer = try await fixture.resolve(
            ResolveCodeOwnersRequest(repositoryID: fixture.id, paths: ["README.md", "x.py"])
        )
        #expect(answer.results.map { $0.owners.map(\.name) } == [["g", "docs"], ["g"]])
        #expect(answer.results[0].rules.map(\.line) == [1, 3])
        #expect(answer.results[0].rules.map(\.requiredApprovals) == [0, 2])
        let limited = try await fixture.resolve(
            ResolveCodeOwnersRequest(repositoryID: fixture.id, paths: ["README.md"], maxOwners: 1)
        )
        #expect(limited.results.map { $0.owners.map(\.name) } == [["g"]])
        await expectError(.invalidArgument, "BAD_REQUEST", field: "project_id") {
            try await fixture.resolve(ResolveCodeOwnersRequest(paths: ["x"]))
        }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "frames") {
            try await fixture.resolve(ResolveCodeOwnersRequest(repositoryID: fixture.id, frames: [StackFrame()]))
        }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "dialect") {
            try await fixture.resolve(
                ResolveCodeOwnersRequest(repositoryID: fixture.id, dialect: CodeOwnersDialect(rawValue: 99))
            )
        }
    }
}
