import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct MappingRootsTests {
    @Test("roots of a stack path and a file", arguments: [
        ("./app/foo.tsx", "static/app/foo.tsx", "./", "static/"),
        ("./app/foo.tsx", "app/foo.tsx", "./", ""),
        ("./app/foo.tsx", "app/foo/app/foo.tsx", "./", "app/foo/"),
        ("sentry/foo.py", "src/sentry/foo.py", "sentry/", "src/sentry/"),
        ("source/foo.py", "source/foo.py", "", ""),
        ("app:///utils/foo.tsx", "utils/foo.tsx", "app:///", ""),
        ("../../../../../../packages/foo.tsx", "packages/foo.tsx", "../../../../../../", ""),
        ("app:///../services/foo.tsx", "services/foo.tsx", "app:///../", ""),
        // Of a stack path and the address of its file.
        ("sentry/api/endpoints/x.py", "src/sentry/api/endpoints/x.py", "sentry/", "src/sentry/"),
        ("sentry/x.py", "x.py", "sentry/", ""),
        ("stuff/hey/here/sentry/api/endpoints/x.py", "src/sentry/api/endpoints/x.py", "stuff/hey/here/", "src/"),
        ("C:\\sentry\\x.py", "x.py", "C:\\sentry\\", ""),
            (
                "C:\\potatos\\and\\prs\\sentry\\api\\endpoints\\x.py", "src/sentry/api/endpoints/x.py",
                "C:\\potatos\\and\\prs\\", "src/"
            )
    ])
    func roots(raw: String, file: String, stack: String, source: String) throws {
        let found = try MappingRoots(raw: raw, file: file)
        #expect(found == MappingRoots(stack: stack, source: source))
        #expect(found.path(of: raw) == file)
    }

    @Test("paths without a common end", arguments: [
            ("sentry/random.py", "nothing/something.js"), ("https://yrurls/", "sentry/something.py"),
            ("/main.go", "domain.go"),
        ("", "a.py"), ("\\", "a.py"),
    ])
    func mismatch(raw: String, file: String) {
        #expect(throws: FrameSkip.rootsMismatch) { try MappingRoots(raw: raw, file: file) }
    }

    @Test("A1 to A9: a mapping applied to a frame", arguments: [
        (SourceFrame(filename: "sentry/file.py"), "python", "", "src/", "src/sentry/file.py"),
        (SourceFrame(filename: "file.py", absolutePath: "/Users/Foo/src/sentry/folder/file.py"), "python",
            "/Users/Foo/src/sentry/", "src/sentry/", "src/sentry/folder/file.py"),
        (SourceFrame(filename: "File.java", module: "sentry.module.File"), "java", "sentry/", "src/sentry/",
            "src/sentry/module/File.java"),
            (
                SourceFrame(filename: "MainActivity.java", module: "com.example.vu.android.MainActivity"), "java",
                "com/example/",
            "src/com/example/", "src/com/example/vu/android/MainActivity.java"),
        (SourceFrame(
            filename: "D8$$SyntheticClass", module: "com.example.vu.android.MainActivity$$ExternalSyntheticLambda4"
        ), "java", "com/example/", "src/com/example/", "src/com/example/vu/android/MainActivity.java"),
        (SourceFrame(filename: "file.rs", absolutePath: "C:\\Users\\Foo\\src\\sentry\\folder\\file.rs"), "rust",
            "C:\\Users\\Foo\\", "/", "src/sentry/folder/file.rs"),
        (SourceFrame(filename: "src/main.py"), "python", "src/", "flask/src/", "flask/src/main.py"),
        (SourceFrame(filename: "src/code.py"), "python", "src/", "", "code.py"),
        (SourceFrame(
            absolutePath: "/Users/g/code/SwiftySampleProject/SampleProject/Classes/App Delegate/AppDelegate.swift",
            package: "SampleProject"
        ), "cocoa", "SampleProject/", "ios/", "ios/Classes/App Delegate/AppDelegate.swift"),
        (SourceFrame(filename: "other/x.py"), "python", "src/", "", nil),
        (SourceFrame(), "python", "", "", nil),
    ] as [(SourceFrame, String, String, String, String?)])
    func application(frame: SourceFrame, platform: String, stack: String, source: String, expected: String?) {
        let munged = FrameMunger.path(frame, platform: platform, sdk: "")
        let applied = MappingApplication(MappingRoots(stack: stack, source: source), frame, munged: munged)
        #expect(applied.path == expected)
    }

    private static let swifty = "/Users/g/code/SwiftySampleProject/SampleProject/Classes/App Delegate/AppDelegate.swift"

    @Test("U1 to U13: paths rewritten by platform", arguments: [
        ("java", SourceFrame(
            filename: "NativeMethodAccessorImpl.java", module: "jdk.internal.reflect.NativeMethodAccessorImpl"
        ), "jdk/internal/reflect/NativeMethodAccessorImpl.java"),
        ("java", SourceFrame(
            filename: "Other.java", module: "jdk.internal.reflect.NativeMethodAccessorImpl",
            absolutePath: "NativeMethodAccessor.java"
        ), "jdk/internal/reflect/NativeMethodAccessor.java"),
        ("java", SourceFrame(module: "io.sentry.example.Application"), nil),
        ("java", SourceFrame(filename: "Application.java"), nil),
        ("java", SourceFrame(filename: "x.gsp", module: "home_gsp$_run_closure2"), nil),
        ("java", SourceFrame(module: "home_gsp$_run_closure2", absolutePath: "x.gsp"), nil),
        ("cocoa", SourceFrame(absolutePath: "/a/b/c/d/e/file.txt", package: "d"), "d/e/file.txt"),
        ("cocoa", SourceFrame(absolutePath: "/a/b/c/d/e/file.txt", package: "/d/"), "d/e/file.txt"),
        ("cocoa", SourceFrame(
            absolutePath: "/Users/g/code/SampleProject/more/dirs/SwiftySampleProject/SampleProject/Classes/X.swift",
            package: "SampleProject"
        ), "SampleProject/more/dirs/SwiftySampleProject/SampleProject/Classes/X.swift"),
        ("cocoa", SourceFrame(absolutePath: swifty, package: "SampleProject"),
            "SampleProject/Classes/App Delegate/AppDelegate.swift"),
        ("cocoa", SourceFrame(absolutePath: "/x/sentry-mobile/ios/Runner/AppDelegate.swift", package: "Runner"),
            "Runner/AppDelegate.swift"),
        ("cocoa", SourceFrame(absolutePath: swifty), nil),
        ("cocoa", SourceFrame(package: "SampleProject"), nil),
        ("javascript", SourceFrame(filename: "a.js", module: "a", absolutePath: "/b/a.js", package: "p"), nil),
    ] as [(String, SourceFrame, String?)])
    func munged(platform: String, frame: SourceFrame, expected: String?) {
        #expect(FrameMunger.path(frame, platform: platform, sdk: "sentry.sdk") == expected)
    }

    @Test("U11, U12: Flutter, by the SDK's name", arguments: [
        ("sentry.dart.flutter", "package:sentry_flutter_example/a/b/test.dart", "a/b/test.dart"),
        ("sentry.sdk", "package:sentry_flutter_example/a/b/test.dart", nil),
        ("sentry.dart.flutter", "dart:core/x.dart", nil), ("sentry.dart.flutter", "package:another/test.dart", nil),
    ] as [(String, String, String?)])
    func flutter(sdk: String, path: String, expected: String?) {
        let frame = SourceFrame(absolutePath: path, package: "sentry_flutter_example")
        #expect(FrameMunger.path(frame, platform: "other", sdk: sdk) == expected)
    }

    @Test("precedence: made by people, absolute, long, old")
    func precedence() {
        let expected = [
            (false, "/Users/User/code/src/getsentry/src/sentry/"), (false, "usr/src/getsentry/"), (false, "usr/src/"),
            (false, ""),
            (true, "/absolute/but/derived/"), (true, "usr/src/getsentry/src/sentry/"), (true, "usr/src/getsentry/src/"),
        ].enumerated().map { MappingRank(isAutomatic: $1.0, stackRoot: $1.1, id: Int64($0)) }
        #expect(expected.shuffled().sorted() == expected)
        #expect(
            MappingRank(isAutomatic: true, stackRoot: "a", id: 1)
                < MappingRank(isAutomatic: true, stackRoot: "b", id: 2))
    }

    @Test("the branch and path in an address", arguments: [
        ("https://github.com/o/r/blob/master/src/x.py", [], "master", "src/x.py"),
        ("https://github.com/o/r/blob/feature/new/src/x.py#L10", ["feature/new", "feature"], "feature/new", "src/x.py"),
        ("https://github.com/o/r/blob/feature/new/src/x.py", [], "feature", "new/src/x.py"),
        ("https://github.com/o/r/-/blob/main/a%20b.py?ref=x", [], "main", "a b.py"),
        ("https://github.com/o/r/src/main/x.py", [], "main", "x.py"),
    ] as [(String, [String], String, String)])
    func addresses(url: String, branches: [String], branch: String, path: String) {
        let found = SourceURL(url, repositoryURL: "https://github.com/o/r", branches: branches)
        #expect(found?.branch == branch)
        #expect(found?.path == path)
        #expect(found?.hasName(of: "C:\\any\\\(path.split(separator: "/").last ?? "")") == true)
        #expect(found?.hasName(of: "other.py") == false)
    }

    @Test("addresses of no file of the repository", arguments: [
            "https://github.com/o/other/blob/main/x.py", "https://github.com/o/rx/blob/main/x.py",
            "https://github.com/o/r/tree/main/x",
            "https://github.com/o/r/blob/main", "https://github.com/o/r/blob/main/",
            "https://github.com/o/r/blob/%zz/x", ""
    ])
    func foreignAddresses(url: String) {
        #expect(SourceURL(url, repositoryURL: "https://github.com/o/r") == nil)
    }
}
