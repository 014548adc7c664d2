import FrameCodec
import RPC
import ScmAPI
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct CodeMappingServiceTests {
    private struct Fixture {
        let gateway: Gateway
        let repository: TestRepository
        let id: Int64
        let commit: String
        var service: ScmGatewayService { gateway.service }

        init() async throws {
            gateway = try await Gateway()
            repository = try TestRepository()
            commit = try repository.commit("first", [
                "src/foo/bar.py": "x\n", "src/app/main.py": "y\n", "lib/a b.py": "z\n",
                "src/main/java/com/example/Main.java": "class Main {}\n",
            ]).hex
            id = try await gateway.add(repository)
        }

        func create(
            _ stackRoot: String, _ sourceRoot: String, project: Int64 = 7, branch: String = "", requestID: String = ""
        ) async throws -> CodeMapping {
            try await service.createCodeMapping(
                CreateCodeMappingRequest(
                    projectID: project, repositoryID: id, stackRoot: stackRoot, sourceRoot: sourceRoot,
                    defaultBranch: branch,
                    requestID: requestID
                ), context: gateway.context()
            )
        }

        func derive(
            _ platform: String, _ filenames: [String], mode: DeriveMode = .suggest, trees: [RepoTree] = []
        ) async throws -> DeriveCodeMappingsResponse {
            try await service.deriveCodeMappings(
                DeriveCodeMappingsRequest(
                    projectID: 7, platform: platform, frames: filenames.map { StackFrame(filename: $0) }, mode: mode,
                    repoTrees: trees
                ), context: gateway.context()
            )
        }
    }

    @Test("a mapping is made, read, changed and deleted, by its organization only")
    func life() async throws {
        let fixture = try await Fixture()
        let (gateway, service) = (fixture.gateway, fixture.service)
        let made = try await fixture.create("foo/", "src/foo/", branch: "main")
        #expect(made.id > 0 && made.projectID == 7 && made.repositoryID == fixture.id)
        #expect(made.stackRoot == "foo/" && made.sourceRoot == "src/foo/" && made.defaultBranch == "main")
        #expect(!made.automaticallyGenerated && made.provider == .localGit && !made.repositoryName.isEmpty)
        let get = GetCodeMappingRequest(codeMappingID: made.id)
        #expect(try await service.getCodeMapping(get, context: gateway.context()) == made)
        let stranger = gateway.context(organizationID: gateway.second)
        await expectError(.notFound, "CODE_MAPPING_NOT_FOUND") {
            try await service.getCodeMapping(get, context: stranger)
        }
        let update = UpdateCodeMappingRequest(
            codeMapping: CodeMapping(id: made.id, projectID: 99, stackRoot: "bar/"),
            updateMask: Protobuf.FieldMask(paths: ["stack_root"])
        )
        await expectError(.notFound, "CODE_MAPPING_NOT_FOUND") {
            try await service.updateCodeMapping(update, context: stranger)
        }
        let changed = try await service.updateCodeMapping(update, context: gateway.context())
        #expect(changed.stackRoot == "bar/" && changed.projectID == 7 && changed.sourceRoot == "src/foo/")
        let delete = DeleteCodeMappingRequest(codeMappingID: made.id)
        await expectError(.notFound, "CODE_MAPPING_NOT_FOUND") {
            try await service.deleteCodeMapping(delete, context: stranger)
        }
        _ = try await service.deleteCodeMapping(delete, context: gateway.context())
        await expectError(.notFound, "CODE_MAPPING_NOT_FOUND") {
            try await service.deleteCodeMapping(delete, context: stranger)
        }
        // Again within 24 hours is no error, later it is.
        _ = try await service.deleteCodeMapping(delete, context: gateway.context())
        try await gateway.letADayPass()
        await expectError(.notFound, "CODE_MAPPING_NOT_FOUND") {
            try await service.deleteCodeMapping(delete, context: gateway.context())
        }
    }

    @Test("bad values name their field")
    func badValues() async throws {
        let fixture = try await Fixture()
        let (gateway, service) = (fixture.gateway, fixture.service)
        let good = CreateCodeMappingRequest(projectID: 7, repositoryID: fixture.id)
        let bad: [(String, (inout CreateCodeMappingRequest) -> Void)] = [
            ("project_id", { $0.projectID = 0 }), ("project_id", { $0.projectID = -1 }),
            ("repository_id", { $0.repositoryID = 0 }), ("stack_root", { $0.stackRoot = "a b" }),
            ("stack_root", { $0.stackRoot = "a\u{0}" }), ("source_root", { $0.sourceRoot = "'" }),
            ("source_root", { $0.sourceRoot = String(repeating: "a", count: 4097) }),
            ("default_branch", { $0.defaultBranch = "/main" }), ("default_branch", { $0.defaultBranch = "main/" }),
            ("default_branch", { $0.defaultBranch = "a b" }), ("default_branch", { $0.defaultBranch = "--output=x" }),
            ("default_branch", { $0.defaultBranch = "a..b" }),
            ("automatically_generated", { $0.automaticallyGenerated = true }), ("request_id", { $0.requestID = "x" }),
        ]
        for (field, change) in bad {
            var request = good
            change(&request)
            let wrong = request
            await expectError(.invalidArgument, "BAD_REQUEST", field: field) {
                try await service.createCodeMapping(wrong, context: gateway.context())
            }
        }
        var foreign = good
        foreign.repositoryID = try await gateway.add(fixture.repository, organizationID: gateway.second)
        let request = foreign
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await service.createCodeMapping(request, context: gateway.context())
        }
        await expectError(.permissionDenied, "SCOPE_MISSING") {
            try await service.createCodeMapping(good, context: gateway.context(scopes: [.read]))
        }
        let made = try await fixture.create("x/", "")
        for (field, mask) in [
            ("update_mask", []), ("update_mask", ["id"]), ("code_mapping.repository_id", ["repository_id"])
        ] {
            let update = UpdateCodeMappingRequest(
                codeMapping: CodeMapping(id: made.id), updateMask: Protobuf.FieldMask(paths: mask)
            )
            await expectError(.invalidArgument, "BAD_REQUEST", field: field) {
                try await service.updateCodeMapping(update, context: gateway.context())
            }
        }
    }

    @Test("one stack root for each project; the same request again gets the same answer")
    func uniqueness() async throws {
        let fixture = try await Fixture()
        let id = "6F9619FF-8B86-D011-B42D-00CF4FC964FF"
        let made = try await fixture.create("a/", "", requestID: id)
        #expect(try await fixture.create("a/", "", requestID: id) == made)
        await expectError(.invalidArgument, "BAD_REQUEST", field: "request_id") {
            try await fixture.create("b/", "", requestID: id)
        }
        await expectError(.alreadyExists, "CODE_MAPPING_EXISTS") { try await fixture.create("a/", "other/") }
        let other = try await fixture.create("a/", "", project: 8)
        let update = UpdateCodeMappingRequest(
            codeMapping: CodeMapping(id: other.id, projectID: 7), updateMask: Protobuf.FieldMask(paths: ["project_id"])
        )
        await expectError(.alreadyExists, "CODE_MAPPING_EXISTS") {
            try await fixture.service.updateCodeMapping(update, context: fixture.gateway.context())
        }
    }

    @Test("lists of a project are in the order of precedence, over all pages")
    func lists() async throws {
        let fixture = try await Fixture()
        for root in ["usr/src/", "", "/Users/User/", "usr/src/getsentry/"] { _ = try await fixture.create(root, "") }
        _ = try await fixture.create("elsewhere/", "", project: 8)
        _ = try await fixture.derive("python", ["foo/bar.py"], mode: .create)
        var roots: [String] = []
        var request = ListCodeMappingsRequest(projectID: 7, pageSize: 2)
        repeat {
            let page = try await fixture.service.listCodeMappings(request, context: fixture.gateway.context())
            roots += page.codeMappings.map(\.stackRoot)
            request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        #expect(roots == ["/Users/User/", "usr/src/getsentry/", "usr/src/", "", "foo/"])
        let all = try await fixture.service.listCodeMappings(
            ListCodeMappingsRequest(repositoryID: fixture.id), context: fixture.gateway.context()
        )
        #expect(all.codeMappings.map(\.id) == all.codeMappings.map(\.id).sorted() && all.codeMappings.count == 6)
        let stranger = fixture.gateway.context(organizationID: fixture.gateway.second)
        #expect(
            try await fixture.service.listCodeMappings(ListCodeMappingsRequest(), context: stranger).codeMappings
                .isEmpty)
        request.pageToken = "x"
        let broken = request
        await expectError(.invalidArgument, "BAD_REQUEST", field: "page_token") {
            try await fixture.service.listCodeMappings(broken, context: fixture.gateway.context())
        }
    }

    @Test("derivation suggests, then stores once, and leaves what people made")
    func derivation() async throws {
        let fixture = try await Fixture()
        let suggested = try await fixture.derive("python", ["foo/bar.py", "nowhere/x.py"])
        #expect(suggested.mappings.map(\.stackRoot) == ["foo/"])
        #expect(suggested.mappings.first?.created == false && suggested.mappings.first?.repositoryID == fixture.id)
        #expect(suggested.mappings.first?.matchedFile == "src/foo/bar.py" && suggested.mappings.first?.branch == "main")
        #expect(suggested.skipped.map(\.reason) == [.noMatch] && suggested.skipped.map(\.frameIndex) == [1])
        let stored = try await fixture.derive("python", ["foo/bar.py"], mode: .create)
        let mapping = try #require(stored.mappings.first)
        #expect(mapping.created && !mapping.existing && mapping.codeMappingID > 0 && stored.fromCache)
        let again = try await fixture.derive("python", ["foo/bar.py"], mode: .create)
        #expect(again.mappings.first?.existing == true && again.mappings.first?.codeMappingID == mapping.codeMappingID)
        let app = try await fixture.derive("python", ["app/main.py"], mode: .create)
        #expect(app.mappings.map(\.sourceRoot) == ["src/app/"])
        let edited = try await fixture.service.updateCodeMapping(
            UpdateCodeMappingRequest(
                codeMapping: CodeMapping(id: mapping.codeMappingID, sourceRoot: "src/foo/"),
                updateMask: Protobuf.FieldMask(paths: ["source_root"])
            ), context: fixture.gateway.context()
        )
        #expect(!edited.automaticallyGenerated)
    }

    @Test("derivation in trees that the caller gives, of platforms that are not known, by readers")
    func derivationEdges() async throws {
        let fixture = try await Fixture()
        let given = try await fixture.derive(
            "go", ["/Users/JohnDoe/code/sentry/capybara.go"], mode: .create,
            trees: [RepoTree(name: "elsewhere", branch: "dev", files: ["sentry/capybara.go"])]
        )
        #expect(given.mappings.map(\.stackRoot) == ["/Users/JohnDoe/code/"])
        #expect(given.mappings.first?.repositoryID == 0 && given.mappings.first?.created == false)
        #expect(given.candidates.map(\.matchedFile) == ["sentry/capybara.go"])
        #expect(try await fixture.derive("cobol", ["a.b"]).skipped.map(\.reason) == [.unsupportedPlatform])
        var request = DeriveCodeMappingsRequest(
            platform: "python", frames: [StackFrame(filename: "a.py")], mode: .create)
        let noProject = request
        await expectError(.invalidArgument, "BAD_REQUEST", field: "project_id") {
            try await fixture.service.deriveCodeMappings(noProject, context: fixture.gateway.context())
        }
        request.projectID = 7
        let create = request
        await expectError(.permissionDenied, "SCOPE_MISSING") {
            try await fixture.service.deriveCodeMappings(create, context: fixture.gateway.context(scopes: [.read]))
        }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "frames") { try await fixture.derive("python", []) }
        let java = try await fixture.service.deriveCodeMappings(
            DeriveCodeMappingsRequest(
                platform: "java", frames: [StackFrame(module: "com.example.Main", absPath: "Main.java")],
                generateInAppRules: true
            ), context: fixture.gateway.context()
        )
        #expect(java.mappings.map(\.sourceRoot) == ["src/main/java/com/example/"])
        #expect(java.inAppRules == ["stack.module:com.example.** +app"])
    }

    @Test("frames become paths: the first mapping whose file exists, at the commit or on the branch")
    func resolving() async throws {
        let fixture = try await Fixture()
        _ = try await fixture.create("foo/", "nowhere/")
        let second = try await fixture.create("", "src/")
        let context = fixture.gateway.context()
        let request = ResolveSourcePathRequest(
            projectID: 7, frames: ["foo/bar.py", "foo/none.py"].map { StackFrame(filename: $0) },
            commitSHA: fixture.commit,
            platform: "python"
        )
        let answer = try await fixture.service.resolveSourcePath(request, context: context)
        #expect(answer.frames.map(\.path) == ["src/foo/bar.py", ""])
        #expect(answer.frames.first?.codeMappingID == second.id && answer.frames.first?.ref == fixture.commit)
        #expect(answer.frames.last?.status?.code == Int32(StatusCode.notFound.rawValue))
        let explained = try await fixture.service.explainMapping(
            ExplainMappingRequest(projectID: 7, frame: StackFrame(filename: "foo/bar.py"), platform: "python"),
            context: context
        )
        #expect(explained.steps.map(\.outcome) == [.fileNotFound, .matched])
        #expect(
            explained.steps.map(\.rank) == [1, 2] && explained.steps.map(\.path) == ["nowhere/bar.py", "src/foo/bar.py"]
        )
        #expect(explained.steps.allSatisfy { !$0.explanation.isEmpty && $0.comparedField == "filename" })
        #expect(explained.result?.path == "src/foo/bar.py" && explained.result?.ref == "main")
        let unmatched = try await fixture.service.resolveSourcePath(
            ResolveSourcePathRequest(projectID: 9, frames: [StackFrame(filename: "x.py")]), context: context
        )
        #expect(unmatched.frames.first?.path == "")
        await expectError(.invalidArgument, "BAD_REQUEST", field: "commit_sha") {
            try await fixture.service.resolveSourcePath(
                ResolveSourcePathRequest(projectID: 7, frames: [StackFrame(filename: "x.py")], commitSHA: "--all"),
                context: context
            )
        }
    }

    @Test("a stack path and the address of its file give the roots")
    func parsing() async throws {
        let fixture = try await Fixture()
        try fixture.repository.git("branch", "feature/x")
        let page = "file://\(fixture.repository.path)/"
        func parse(_ stackPath: String, _ url: String) async throws -> ParseCodeMappingResponse {
            try await fixture.service.parseCodeMapping(
                ParseCodeMappingRequest(projectID: 7, stackPath: stackPath, sourceURL: url),
                context: fixture.gateway.context()
            )
        }
        let found = try await parse("foo/bar.py", "\(page)blob/feature/x/src/foo/bar.py")
        #expect(found.stackRoot == "foo/" && found.sourceRoot == "src/foo/" && found.defaultBranch == "feature/x")
        #expect(found.repositoryID == fixture.id)
        await expectError(.invalidArgument, "BAD_REQUEST", field: "source_url") {
            try await parse("foo/other.py", "\(page)blob/main/src/foo/bar.py")
        }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "source_url") {
            try await parse("a.py", "no address")
        }
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await parse("a.py", "https://example.org/blob/main/a.py")
        }
        // A package of Java stays in one piece.
        let (main, url) = ("com/example/Main.java", "\(page)blob/main/src/main/java/com/example/Main.java")
        #expect(try await parse(main, url).stackRoot == "com/")
        let java = try await fixture.service.parseCodeMapping(
            ParseCodeMappingRequest(projectID: 7, stackPath: main, sourceURL: url, platform: "java"),
            context: fixture.gateway.context())
        #expect(java.stackRoot == "com/example/" && java.sourceRoot == "src/main/java/com/example/")
        #expect(java.provider == .localGit)
    }

    @Test("5.9: folders of file names are ranked when asked for, and an unknown mode is refused")
    func prefixes() async throws {
        let fixture = try await Fixture()
        var request = DeriveCodeMappingsRequest(
            platform: "python", frames: ["foo/bar.py", "foo\\baz.py", "app/x.py"].map { StackFrame(filename: $0) })
        let without = try await fixture.service.deriveCodeMappings(request, context: fixture.gateway.context())
        #expect(without.stackPrefixes.isEmpty)
        request.includeStackPrefixes = true
        let found = try await fixture.service.deriveCodeMappings(request, context: fixture.gateway.context())
        #expect(found.stackPrefixes == [.init(prefix: "foo/", count: 2), .init(prefix: "app/", count: 1)])
        #expect(found.mappings == without.mappings)
        request.mode = DeriveMode(rawValue: 9)
        await expectError(.invalidArgument, "BAD_REQUEST", field: "mode") {
            try await fixture.service.deriveCodeMappings(request, context: fixture.gateway.context())
        }
    }
}
