import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct FramePathTests {
    @Test("M1 to M5: modules", arguments: [
        ("foo.bar.Baz$handle$1", "baz.java", "foo/bar/", "foo/bar/baz.java"),
        ("foo.bar.Baz", "baz.extra.java", "foo/bar/", "foo/bar/baz.extra.java"),
        ("foo.bar.Baz", "no_extension", "foo/bar/", "foo/bar/Baz"),
        ("foo.bar.Baz", "foo$bar", "foo/bar/", "foo/bar/Baz"),
        ("foo.Baz", "foo", "foo/", "foo/Baz"),
        ("a.b.c.d.e.F", "F.kt", "a/b/c/d/", "a/b/c/d/e/F.kt"),
    ])
    func modules(module: String, file: String, bucket: String, path: String) throws {
        let found = try FramePath(moduleOf: SourceFrame(module: module, absolutePath: file))
        #expect(found.bucket == bucket)
        #expect(found.raw == path)
    }

    @Test("M6 to M8: modules that are none", arguments: [
        ("", "", FrameSkip.missingModuleOrAbsolutePath), ("foo", "", .missingModuleOrAbsolutePath),
        ("", "a.java", .missingModuleOrAbsolutePath), ("NoPackageName", "OtherActivity.java", .noPackage),
    ])
    func refusedModules(module: String, file: String, reason: FrameSkip) {
        #expect(throws: reason) { try FramePath(moduleOf: SourceFrame(module: module, absolutePath: file)) }
    }

    @Test("N1 to N7: file names", arguments: [
        ("app:///utils/something.py", "app:///utils", "utils/something.py"),
        ("./app/utils/something.py", "./app", "app/utils/something.py"),
        ("../../../../../../packages/something.py", "../../../../../../packages", "packages/something.py"),
        ("app:///../services/something.py", "app:///../services", "services/something.py"),
        ("/it/handles/backslashes/baz.py", "/it/", "it/handles/backslashes/baz.py"),
        ("\\it\\handles\\backslashes\\baz.py", "/it/", "it/handles/backslashes/baz.py"),
        ("C:\\it\\handles\\baz.py", "it", "it/handles/baz.py"),
        ("getsentry/billing/tax/manager.py", "getsentry", "getsentry/billing/tax/manager.py"),
        ("app://foo.js", "app:", "app://foo.js"),
    ])
    func filenames(filename: String, bucket: String, normalized: String) throws {
        let found = try FramePath(filename: filename)
        #expect(found.bucket == bucket)
        #expect(found.normalized == normalized)
        #expect(found.raw == filename)
    }

    @Test("N8 to N13: file names that are none", arguments: [
            ("https://s1.sentry-cdn.com/x/app.js", FrameSkip.unsupportedPath),
            ("http://example.com/script.js", .unsupportedPath),
        ("HTTP://EXAMPLE.COM/S.JS", .unsupportedPath), ("async https://s1.sentry-cdn.com/a/app.js", .unsupportedPath),
        ("webpack:///https://cdn.example.com/bundle.js", .unsupportedPath), ("<anonymous>", .unsupportedPath),
            ("<frozen importlib._bootstrap>", .unsupportedPath), ("[native code]", .unsupportedPath),
            ("", .unsupportedPath),
        ("/", .unsupportedPath), ("\\", .unsupportedPath), ("C:\\", .unsupportedPath),
            ("/foo/bar/baz", .needsExtension), ("README", .needsExtension), ("O$t", .needsExtension),
            (".env", .needsExtension)
    ])
    func refusedFilenames(filename: String, reason: FrameSkip) {
        #expect(throws: reason) { try FramePath(filename: filename) }
    }

    @Test("N12: http inside a name is no address", arguments: [
        "src/httpclient/request.py", "/usr/local/httpd/config.py", "lib/http_utils.js", "services/httpserver/main.go",
        "lib/https_client.rb", "network/http2/stream.go",
    ])
    func acceptedFilenames(filename: String) throws { _ = try FramePath(filename: filename) }

    @Test("N14: extensions", arguments: [
            ("f.py", "py"), ("f.xx", "xx"), ("", nil), ("./app/utils/handleXhr.tsx", "tsx"), ("/gtm.js", "js"),
            (".env", nil),
        ("docs-ui/.eslintrc.js", "js"), ("a.", nil), ("a.b/c", nil),
    ] as [(String, String?)])
    func extensions(path: String, expected: String?) { #expect(FileExtension.of(path) == expected) }
}
