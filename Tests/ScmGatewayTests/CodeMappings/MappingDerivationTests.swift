import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct MappingDerivationTests {
    struct Row: CustomTestStringConvertible {
        let number: Int
        let platform: String
        let frames: [SourceFrame]
        let files: [String]
        /// Stack root -> source root.
        let expected: [String: String]

        init(_ number: Int, _ platform: String, _ filename: String, _ file: String, _ expected: [String: String]) {
            self.init(number, platform, [SourceFrame(filename: filename)], [file], expected)
        }

        init(
            _ number: Int, _ platform: String, _ frames: [SourceFrame], _ files: [String], _ expected: [String: String]
        ) {
            (self.number, self.platform, self.frames, self.files, self.expected) = (
                number, platform, frames, files, expected
            )
        }

        var testDescription: String { "row \(number)" }
    }

    private static func java(_ module: String, _ file: String, category: String = "") -> SourceFrame {
        SourceFrame(module: module, absolutePath: file, category: category)
    }

    private func derive(_ row: Row) throws -> MappingDerivation {
        let platform = try #require(StackPlatform(row.platform))
        return MappingDerivation(
            frames: row.frames, platform: platform,
            trees: [SourceTree(name: "r", branch: "main", files: row.files, platform: platform)]
        )
    }

    static let rows: [Row] = [
        Row(1, "python", "foo/bar.py", "src/foo/bar.py", ["foo/": "src/foo/"]),
        Row(2, "python", "bar.py", "src/foo/bar.py", ["": "src/foo/"]),
        Row(3, "python", "\\sentry\\mouse.py", "sentry/mouse.py", ["\\": ""]),
        Row(4, "python", "C:sentry\\tasks.py", "sentry/tasks.py", ["C:sentry\\": "sentry/"]),
        Row(
            5, "python", "D:\\Users\\code\\sentry\\models\\release.py", "sentry/models/release.py",
            ["D:\\Users\\code\\": ""]),
        Row(6, "javascript", "./app/utils/handle.tsx", "static/app/utils/handle.tsx", ["./": "static/"]),
        Row(7, "javascript", "./app/utils/handle.tsx", "app/utils/handle.tsx", ["./": ""]),
        Row(8, "javascript", "some/path/Test.tsx", "some/path/Test.tsx", ["": ""]),
        Row(9, "ruby", "some/path/test.rb", "some/path/test.rb", ["": ""]),
        Row(10, "ruby", "lib/tasks/crontask.rake", "lib/tasks/crontask.rake", ["": ""]),
        Row(11, "node", "app:///utils/errors.js", "utils/errors.js", ["app:///": ""]),
        Row(12, "node", "app:///utils/errors.js", "sentry/utils/errors.js", ["app:///": "sentry/"]),
        Row(13, "node", "../../packages/api/src/response.ts", "packages/api/src/response.ts", ["../../": ""]),
        Row(14, "node", "app:///../services/event/index.js", "services/event/index.js", ["app:///../": ""]),
        Row(15, "go", "/Users/JohnDoe/code/sentry/capybara.go", "sentry/capybara.go", ["/Users/JohnDoe/code/": ""]),
        Row(16, "go", "Users/JohnDoe/src/sentry/main.go", "not-sentry/main.go", [:]),
        Row(17, "php", "/sentry/p/kanga.php", "sentry/p/kanga.php", ["/": ""]),
        Row(18, "php", "/sentry/p/kanga.php", "src/sentry/p/kanga.php", ["/sentry/": "src/sentry/"]),
        Row(19, "csharp", "/sentry/p/kanga.cs", "sentry/p/kanga.cs", ["/": ""]),
        Row(20, "csharp", "/sentry/p/kanga.cs", "src/sentry/p/kanga.cs", ["/sentry/": "src/sentry/"]),
        Row(21, "csharp", [SourceFrame(filename: "/sentry/p/vendor/sentry/src/functions.cs", isInApp: false)],
            ["sentry/src/functions.cs"], [:]),
        Row(22, "python", "sentry/foo/bar.py", "src/sentry/foo/bar.py", ["sentry/": "src/sentry/"]),
        Row(23, "python", "sentry/foo/bar.py", "sentry/foo/bar.py", ["": ""]),
        Row(24, "python", "raven/base.py", "apostello/views/base.py", [:]),
        Row(25, "java", [java("com.example.foo.Bar", "Bar.sc")], ["src/com/example/foo/Bar.sc"],
            ["com/example/foo/": "src/com/example/foo/"]),
        Row(27, "java", [SourceFrame(module: "com.example.foo.Bar", absolutePath: "Bar.kt", isInApp: true)],
            ["src/com/example/foo/Bar.kt"], ["com/example/foo/": "src/com/example/foo/"]),
        Row(28, "java", [java("com.example.foo.Bar$InnerClass", "Bar.kt")], ["src/com/example/foo/Bar.kt"],
            ["com/example/foo/": "src/com/example/foo/"]),
        Row(29, "java", [java("Foo", "Foo.java")], ["src/Foo.java"], [:]),
        Row(30, "java", [java("a.Bar", "Bar.java")], ["src/a/Bar.java"], ["a/": "src/a/"]),
        Row(31, "java", [java("x.y.Baz", "Baz.java")], ["src/x/y/Baz.java"], ["x/y/": "src/x/y/"]),
        Row(32, "java", [java("foo.bar.baz.Qux", "Qux.java")], ["src/foo/bar/baz/Qux.java"],
            ["foo/bar/baz/": "src/foo/bar/baz/"]),
        Row(33, "java", [
            java("com.example.foo.Bar", "Bar.kt"), java("com.example.bar.Baz", "Baz.kt"),
            java("org.other.utils.Helper", "Helper.kt"),
        ], [
            "src/main/com/example/foo/Bar.kt", "src/app/com/example/bar/Baz.kt", "src/lib/org/other/utils/Helper.kt",
        ], [
            "com/example/foo/": "src/main/com/example/foo/", "com/example/bar/": "src/app/com/example/bar/",
            "org/other/utils/": "src/lib/org/other/utils/",
        ]),
        Row(34, "java", [java("uk.co.example.foo.Bar", "Bar.kt"), java("uk.co.not-example.baz.qux", "qux.kt")],
            ["src/uk/co/example/foo/Bar.kt", "src/uk/co/example/bar/Baz.kt"],
            ["uk/co/example/foo/": "src/uk/co/example/foo/"]),
        Row(35, "java", [java("uk.co.example.bar.Baz", "Baz.kt")],
            ["src/uk/co/example/foo/Bar.kt", "src/uk/co/example/bar/Baz.kt"],
            ["uk/co/example/bar/": "src/uk/co/example/bar/"]),
        Row(36, "java", [java("com.example.multi.foo.Bar", "Bar.kt"), java("com.example.multi.bar.Baz", "Baz.kt")],
            ["modules/modX/com/example/multi/foo/Bar.kt", "modules/modY/com/example/multi/bar/Baz.kt"], [
                "com/example/multi/foo/": "modules/modX/com/example/multi/foo/",
                "com/example/multi/bar/": "modules/modY/com/example/multi/bar/",
            ]),
        Row(37, "java", [java("android.app.Activity", "Activity.java", category: "internals")],
            ["src/android/app/Activity.java"], [:]),
        Row(38, "java", [java("android.app.Activity", "Activity.java")], ["src/android/app/Activity.java"],
            ["android/app/": "src/android/app/"]),
        Row(39, "java", [java("com.example.a.b.c.D", "D.kt")], ["src/main/java/com/example/a/b/c/D.kt"],
            ["com/example/a/b/": "src/main/java/com/example/a/b/"]),
        // Source sets.
        Row(53, "java", [java("io.sentry.asyncprofiler.jfr.J", "J.java")], [
            "module/src/main/java/io/sentry/asyncprofiler/jfr/J.java",
            "module/src/main/java/io/sentry/asyncprofiler/metrics/P.java",
        ], ["io/sentry/asyncprofiler/": "module/src/main/java/io/sentry/asyncprofiler/"]),
        Row(54, "java", [java("io.sentry.graphql.Foo", "Foo.java")], ["m/src/main/java/io/sentry/graphql/Foo.java"],
            ["io/sentry/graphql/": "m/src/main/java/io/sentry/graphql/"]),
        Row(55, "java", [java("io.sentry.Foo", "Foo.kt")],
            ["m/src/main/kotlin/io/sentry/Foo.kt", "m/src/main/kotlin/org/Bar.kt"], ["": "m/src/main/kotlin/"]),
    ]

    @Test("the case table", arguments: rows)
    func cases(row: Row) throws {
        let derivation = try derive(row)
        let found = Dictionary(derivation.mappings.map { ($0.roots.stack, $0.roots.source) }) { first, _ in first }
        #expect(found == row.expected)
        #expect(derivation.mappings.count == row.expected.count)
    }

    @Test("the order of frames and of files changes nothing, and each mapping leads to its file", arguments: rows)
    func orderAndRoots(row: Row) throws {
        let expected = try Set(derive(row).mappings.map { "\($0.roots.stack) -> \($0.roots.source)" })
        for seed in 0..<4 {
            let turned = row.frames.indices.map { row.frames[($0 + seed) % row.frames.count] }
            let (frames, files) = (seed % 2 == 0 ? turned : turned.reversed(), Array(row.files.reversed()))
            let derivation = try derive(Row(row.number, row.platform, frames, files, row.expected))
            #expect(Set(derivation.mappings.map { "\($0.roots.stack) -> \($0.roots.source)" }) == expected)
            for mapping in derivation.mappings where !mapping.file.contains("src/main/") {
                let frame = frames[mapping.frame]
                let raw = row.platform == "java" ? try FramePath(moduleOf: frame).raw : frame.filename
                #expect(mapping.roots.path(of: raw) == mapping.file)
            }
        }
    }

    @Test("why a frame gave no mapping")
    func reasons() throws {
        let reason: (Int) throws -> FrameSkip? = { number in
            try self.derive(try #require(Self.rows.first { $0.number == number })).skipped.last?.reason
        }
        #expect(try reason(16) == .noMatch)
        #expect(try reason(21) == .notInApp)
        #expect(try reason(29) == .noPackage)
        #expect(try reason(34) == .noMatch)
        #expect(try reason(37) == .categorized)
    }

    @Test("rows 26, 46, 47: only the platform's extensions count")
    func extensions() {
        for (list, expected) in [(Set(["kt"]), 0), (Set(["sc"]), 1)] {
            let platform = StackPlatform(extensions: list, usesModules: true)
            let tree = SourceTree(name: "r", branch: "", files: ["src/com/example/foo/Bar.sc"], platform: platform)
            let frames = [Self.java("com.example.foo.Bar", "Bar.sc")]
            #expect(MappingDerivation(frames: frames, platform: platform, trees: [tree]).mappings.count == expected)
        }
        for (list, expected) in [(Set<String>(), 0), (Set(["tbd"]), 1)] {
            let platform = StackPlatform(extensions: list)
            let tree = SourceTree(name: "r", branch: "", files: ["src/foo/bar.tbd"], platform: platform)
            let frames = [SourceFrame(filename: "foo/bar.tbd")]
            #expect(MappingDerivation(frames: frames, platform: platform, trees: [tree]).mappings.count == expected)
        }
        #expect(StackPlatform("other") == nil)
    }

    private static let foo = [
        "bin/__init__.py", "bin/example1.py", "bin/example2.py", "docs-ui/.eslintrc.js",
        "src/sentry/identity/oauth2.py",
        "src/sentry/integrations/slack/client.py", "src/sentry/web/urls.py", "src/sentry/wsgi.py",
        "src/sentry_plugins/slack/client.py",
    ]

    private func deriveInTwo(_ filenames: [String]) throws -> (MappingDerivation, [MappingDerivation.Mapping]) {
        let platform = try #require(StackPlatform("python"))
        let trees = [
            SourceTree(name: "foo", branch: "master", files: Self.foo, platform: platform),
            SourceTree(name: "bar", branch: "main", files: ["sentry/web/urls.py"], platform: platform),
        ]
        let frames = filenames.map { SourceFrame(filename: $0) }
        let candidates = frames.first.map { MappingDerivation.candidates($0, platform: platform, trees: trees) }
        return (MappingDerivation(frames: frames, platform: platform, trees: trees), candidates ?? [])
    }

    @Test("rows 40 to 42: two repositories, frames in either order", arguments: [
        (["sentry/wsgi.py"], ["sentry/": "src/sentry/"]),
        (["sentry_plugins/slack/client.py"], ["sentry_plugins/": "src/sentry_plugins/"]),
        (["sentry/identity/oauth2.py", "sentry_plugins/slack/client.py"],
            ["sentry/": "src/sentry/", "sentry_plugins/": "src/sentry_plugins/"]),
        (["sentry_plugins/slack/client.py", "sentry/identity/oauth2.py"],
            ["sentry/": "src/sentry/", "sentry_plugins/": "src/sentry_plugins/"]),
        (["getsentry/billing/tax/manager.py", "requests/models.py", "urllib3/connectionpool.py", "ssl.py"], [:]),
        (["setup.py"], [:]),
    ])
    func twoRepositories(filenames: [String], expected: [String: String]) throws {
        let (derivation, _) = try deriveInTwo(filenames)
        #expect(
            Dictionary(uniqueKeysWithValues: derivation.mappings.map { ($0.roots.stack, $0.roots.source) }) == expected)
        #expect(derivation.mappings.allSatisfy { $0.tree == 0 })
        #expect(derivation.mappings.count + derivation.skipped.count == filenames.count)
    }

    @Test("row 43: a file of two repositories is nobody's, but a candidate in both")
    func severalRepositories() throws {
        let (derivation, candidates) = try deriveInTwo(["sentry/web/urls.py"])
        #expect(derivation.mappings.isEmpty)
        #expect(derivation.skipped.map(\.reason) == [.multipleRepositories])
        #expect(candidates.map(\.file) == ["src/sentry/web/urls.py", "sentry/web/urls.py"])
        #expect(
            candidates.map(\.roots) == [
                MappingRoots(stack: "sentry/", source: "src/sentry/"), MappingRoots(stack: "", source: "")
            ])
        #expect(try deriveInTwo(["sentry_plugins/slack/client.py"]).1.count == 1)
    }

    @Test("what one pass finds decides between several files in the next")
    func fixPoint() throws {
        let platform = try #require(StackPlatform("python"))
        let tree = SourceTree(
            name: "r", branch: "", files: ["src/app/main.py", "src/app/util.py", "other/util.py"], platform: platform
        )
        let frames = ["util.py", "app/main.py"].map { SourceFrame(filename: $0) }
        let alone = MappingDerivation(frames: Array(frames.prefix(1)), platform: platform, trees: [tree])
        #expect(alone.skipped.map(\.reason) == [.multipleFiles])
        for order in [frames, frames.reversed()] {
            let derivation = MappingDerivation(frames: order, platform: platform, trees: [tree])
            let found = Dictionary(uniqueKeysWithValues: derivation.mappings.map { ($0.roots.stack, $0.roots.source) })
            #expect(found == ["app/": "src/app/", "": "other/"])
            #expect(derivation.skipped.isEmpty)
        }
    }

    @Test("rules for the application's own packages")
    func inAppRules() {
        let roots = [
            "com/example/foo/", "uk/co/example/foo/", "a/", "x/y/", "foo/bar/baz/", "com/example/multi/foo/", "",
            "com/example/bar/"
        ]
        #expect(InAppRules.rules(stackRoots: roots) == [
            "stack.module:a.** +app", "stack.module:com.example.** +app", "stack.module:com.example.multi.** +app",
            "stack.module:foo.bar.** +app", "stack.module:uk.co.example.** +app", "stack.module:x.y.** +app",
        ])
    }

    @Test("a tree of 100,000 files")
    func largeTree() throws {
        let platform = try #require(StackPlatform("python"))
        let files = (0..<100_000).map { "src/package\($0 % 100)/module\($0 % 1000)/file\($0).py" }
        let tree = SourceTree(name: "r", branch: "", files: files, platform: platform)
        let frames = stride(from: 0, to: 100_000, by: 1000).map { index in
            SourceFrame(filename: "package\(index % 100)/module\(index % 1000)/file\(index).py")
        }
        let derivation = MappingDerivation(frames: frames, platform: platform, trees: [tree])
        #expect(derivation.mappings.map(\.roots) == [MappingRoots(stack: "package0/", source: "src/package0/")])
        #expect(derivation.skipped.isEmpty)
    }
}
