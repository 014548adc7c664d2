import FrameCodec
import RPC
import ScmAPI
import Testing

@testable import ScmGateway

/// The rows of the derivation's case table that need stored mappings.
@Suite(.timeLimit(.minutes(5))) struct MappingRowsTests {
    private struct Fixture {
        let gateway: Gateway
        private let repositories: [TestRepository]
        let ids: [Int64]

        init(_ trees: [[String]]) async throws {
            gateway = try await Gateway()
            var (repositories, ids): ([TestRepository], [Int64]) = ([], [])
            for paths in trees {
                let repository = try TestRepository()
                try repository.commit("first", Dictionary(uniqueKeysWithValues: paths.map { ($0, "\($0)\n") }))
                repositories.append(repository)
                ids.append(try await gateway.add(repository))
            }
            (self.repositories, self.ids) = (repositories, ids)
        }

        func derive(
            _ platform: String, _ frames: [StackFrame], _ mode: DeriveMode = .create
        ) async throws -> [DerivedMapping] {
            try await gateway.service.deriveCodeMappings(
                DeriveCodeMappingsRequest(projectID: 7, platform: platform, frames: frames, mode: mode),
                context: gateway.context()
            ).mappings
        }

        func add(_ stackRoot: String, _ sourceRoot: String) async throws {
            _ = try await gateway.service.createCodeMapping(
                CreateCodeMappingRequest(
                    projectID: 7, repositoryID: ids[0], stackRoot: stackRoot, sourceRoot: sourceRoot
                ), context: gateway.context()
            )
        }

        /// Stack root -> source root of what is stored.
        func stored() async throws -> [String: CodeMapping] {
            let list = try await gateway.service.listCodeMappings(
                ListCodeMappingsRequest(projectID: 7), context: gateway.context())
            return Dictionary(uniqueKeysWithValues: list.codeMappings.map { ($0.stackRoot, $0) })
        }
    }

    private func java(_ module: String, _ file: String) -> StackFrame { StackFrame(module: module, absPath: file) }

    @Test("row 48: one call after the other")
    func calls() async throws {
        let fixture = try await Fixture([["src/foo/bar.py", "src/app/main.py"], ["app/baz/qux.py"]])
        let bar = [StackFrame(filename: "foo/bar.py")]
        #expect(try await fixture.derive("python", bar).map(\.created) == [true])
        #expect(try await fixture.derive("python", bar).map(\.created) == [false])
        let app = try await fixture.derive("python", [StackFrame(filename: "app/main.py")])
        #expect(app.map(\.stackRoot) == ["app/"] && app.map(\.sourceRoot) == ["src/app/"])
        let baz = try await fixture.derive("python", [StackFrame(filename: "baz/qux.py")])
        #expect(baz.map(\.sourceRoot) == ["app/baz/"] && baz.map(\.repositoryID) == [fixture.ids[1]])
        #expect(try await fixture.stored().count == 3)
    }

    @Test("rows 49 and 50: what people made stays as they made it")
    func people() async throws {
        let fixture = try await Fixture([["src/foo/bar/baz.py", "src/foo/bar/Baz.java"]])
        try await fixture.add("foo/", "src/foo/")
        try await fixture.add("foo/bar/", "src/foo/")
        let python = try await fixture.derive("python", [StackFrame(filename: "foo/bar/baz.py")])
        #expect(python.map(\.existing) == [true] && python.map(\.created) == [false])
        let java = try await fixture.derive("java", [java("foo.bar.Baz", "Baz.java")])
        #expect(java.map(\.existing) == [true] && java.map(\.stackRoot) == ["foo/bar/"])
        let stored = try await fixture.stored()
        #expect(stored.count == 2 && stored["foo/bar/"]?.sourceRoot == "src/foo/")
        #expect(stored.values.allSatisfy { !$0.automaticallyGenerated })
    }

    @Test("row 51: finer mappings come beside a coarse one")
    func finer() async throws {
        let fixture = try await Fixture([[
            "src/main/com/example/foo/Bar.kt", "src/app/com/example/bar/Baz.kt", "src/lib/org/other/utils/Helper.kt",
        ]])
        try await fixture.add("com/example/", "src/main/com/example/")
        let derived = try await fixture.derive("java", [
            java("com.example.foo.Bar", "Bar.kt"), java("com.example.bar.Baz", "Baz.kt"),
            java("org.other.utils.Helper", "Helper.kt"),
        ])
        #expect(derived.map(\.created) == [true, true, true])
        let stored = try await fixture.stored()
        #expect(Set(stored.keys) == ["com/example/", "com/example/foo/", "com/example/bar/", "org/other/utils/"])
        #expect(stored["com/example/"]?.sourceRoot == "src/main/com/example/")
    }

    @Test("row 52: a dry run stores nothing", arguments: [DeriveMode.dryRun, .suggest, .unspecified])
    func dryRun(mode: DeriveMode) async throws {
        let fixture = try await Fixture([["src/foo/bar.py"]])
        let derived = try await fixture.derive("python", [StackFrame(filename: "foo/bar.py")], mode)
        #expect(derived.map(\.stackRoot) == ["foo/"] && derived.map(\.created) == [false])
        #expect(try await fixture.stored().isEmpty)
    }

    @Test("code owners ignore frames that are not the application's", arguments: [
        ([false], false), ([true], true), ([nil], true), ([false, true], true),
    ] as [([Bool?], Bool)])
    func owners(inApp: [Bool?], isOwned: Bool) async throws {
        let fixture = try await Fixture([["foo/test.py", "CODEOWNERS"]])
        try await fixture.add("", "")
        let mapping = try #require(try await fixture.stored()[""])
        _ = try await fixture.gateway.service.importCodeOwners(
            ImportCodeOwnersRequest(codeMappingID: mapping.id, raw: "test.py @me\n", dialect: .github),
            context: fixture.gateway.context())
        let answer = try await fixture.gateway.service.resolveCodeOwners(
            ResolveCodeOwnersRequest(
                projectID: 7, frames: inApp.map { StackFrame(filename: "foo/test.py", inApp: $0) }, platform: "python"
            ), context: fixture.gateway.context())
        #expect(answer.owners.map(\.name) == (isOwned ? ["me"] : []))
    }

    @Test("code owners know Flutter's paths by the SDK's name", arguments: [("sentry.dart.flutter", ["me"]), ("", [])])
    func flutterOwners(sdk: String, owners: [String]) async throws {
        let fixture = try await Fixture([["lib/main.dart"]])
        try await fixture.add("", "")
        let mapping = try #require(try await fixture.stored()[""])
        _ = try await fixture.gateway.service.importCodeOwners(
            ImportCodeOwnersRequest(codeMappingID: mapping.id, raw: "/lib/ @me\n", dialect: .github),
            context: fixture.gateway.context())
        let frame = StackFrame(absPath: "package:app/lib/main.dart", package: "app")
        let answer = try await fixture.gateway.service.resolveCodeOwners(
            ResolveCodeOwnersRequest(projectID: 7, frames: [frame], platform: "other", sdkName: sdk),
            context: fixture.gateway.context())
        #expect(answer.owners.map(\.name) == owners)
    }
}
