import Testing

@testable import ScmGateway

/// The table of pattern checks: one pattern, one path, one answer.
@Suite(.timeLimit(.minutes(5))) struct OwnersPatternTests {
    struct Row: CustomTestStringConvertible {
        let patterns: [String]
        let paths: [String]
        let matches: Bool

        init(_ patterns: String..., paths: [String], matches: Bool) {
            (self.patterns, self.paths, self.matches) = (patterns, paths, matches)
        }

        var testDescription: String { "\(patterns) \(matches ? "match" : "do not match") \(paths)" }
    }

    static let source = "/usr/local/src/foo"
    static let munged = "SampleProject/Classes/App Delegate/AppDelegate.swift"
    static let rows: [Row] = [
        Row("*", "**", paths: ["foo/test.py", "not_in_repo.py"], matches: true),
        Row("*.py", paths: ["foo/test.py", "config/subdir/baz.py", "config/dir.py/baz.js"], matches: true),
        Row("*.py", paths: ["config/subdir/baz.txt"], matches: false),
        Row("test.py", paths: ["foo/test.py", "config/subdir/test.py", "config/test.py/not_test.json"], matches: true),
        Row("test.py", paths: ["config/subdir/baz.py"], matches: false),
        Row("\(source)/test.py", paths: ["\(source)/test.py", "\(source)/test.py/dir_allowed"], matches: true),
        Row("\(source)/test.py", paths: ["/usr/local/foo/test.py"], matches: false),
        Row("\(source)/*.py", paths: ["\(source)/test.py", "\(source)/dir.py/py_dir.txt"], matches: true),
        Row("\(source)/*.py", paths: ["\(source)/test.txt", "/usr/local/src/config/foo/test.py"], matches: false),
        Row("\(source)/", "\(source)/**", paths: ["\(source)/test.py", "\(source)/subdir/baz.py"], matches: true),
        Row(
            "\(source)/", "\(source)/**",
            paths: [
                source, "/usr/local/src/config/subdir/test.py", "/usr/local/src/config/src/foo/test.py",
                "/usr/local/src/config/src/foo/subdir/test.py",
            ],
            matches: false
        ),
        Row("\(source)/*", paths: ["\(source)/test.py"], matches: true),
        Row("\(source)/*", paths: ["\(source)/subdir/baz.py", "/usr/local/src/config/src/foo/test.py"], matches: false),
        Row("foo/*/test.py", "/foo/*/test.py", paths: ["foo/bar/test.py"], matches: true),
        Row(
            "foo/*/test.py", "/foo/*/test.py", paths: ["foo/bar/baz/test.py", "foo/test.py", "test.py"], matches: false
        ),
        Row(
            "foo/**/test.py", "/foo/**/test.py", paths: ["foo/bar/test.py", "foo/bar/baz/test.py", "foo/test.py"],
            matches: true
        ),
        Row("foo/**/test.py", "/foo/**/test.py", paths: ["test.py"], matches: false),
        Row("test.?y", paths: ["foo/test.py", "foo/test.jy", "foo/test.;y"], matches: true),
        Row("test.?y", paths: ["foo/test.pt", "foo/test./y"], matches: false),
        Row("foo/", paths: ["foo/test.py", "bar/foo/test.py"], matches: true),
        Row("foo/", paths: ["foo"], matches: false),
        Row(
            "test.*", paths: ["foo/test.py", "foo/test.js", "foo/test.", "foo/test.d/file", "foo/test./file"],
            matches: true),
        Row("/", paths: ["/usr/local/src/foo/", "/foo/subdir/"], matches: true),
        Row("/", paths: ["usr/local"], matches: false),
        Row("/**/app.py", paths: ["/usr/local/src/other/app.py"], matches: true),
        Row("/usr/*/src/*/app.py", paths: ["/usr/local/src/other/app.py"], matches: true),
        Row("libs/web/views/index/**", paths: ["/libs/web/views/index/src/w.tsx"], matches: false),
        Row(
            "/libs/web/views/index/**",
            paths: ["/libs/web/views/index/src/w.tsx", "libs/web/views/index/home.tsx"], matches: true
        ),
        Row("libs/web/views/index/**", paths: ["libs/web/views/index/src/w.tsx"], matches: true),
        Row(
            "/**/example.py", "**/example.py",
            paths: ["/src/bad_example.py", "/src/foo/bad_example.py", "/src/my_example.py"], matches: false
        ),
        Row("**/example.py", paths: ["/src/example.py"], matches: true),
        Row(
            "*.swift", "SampleProject/Classes/App Delegate/*.swift", "**/App Delegate/AppDelegate.swift",
            paths: [munged], matches: true
        ),
        Row(
            "SwiftySampleProject/\(munged)", paths: [munged, "/Users/g/code/SwiftySampleProject/\(munged)"],
            matches: false
        ),
        Row(
            "*.java", "jdk/internal/reflect/*.java", "jdk/internal/*/NativeMethodAccessor.java",
            paths: ["jdk/internal/reflect/NativeMethodAccessor.java"], matches: true
        ),
        // Our own.
        Row("\\filename", paths: ["filename", "a/filename"], matches: true),
        Row("path\\ with\\ spaces/", paths: ["path with spaces/x"], matches: true),
        Row("a\\*b", paths: ["a*b"], matches: true),
        Row("a\\*b", paths: ["axb"], matches: false),
        Row("/*", paths: ["README", "/README"], matches: true),
        Row("/*", paths: ["docs/README"], matches: false),
        Row("?.py", paths: ["é.py", "x/日.py"], matches: true),
        Row("?.py", paths: ["ab.py", ".py"], matches: false),
        Row("TEST.py", paths: ["test.py"], matches: false),
        Row("a/**/b/**/c", paths: ["a/b/c", "a/x/b/y/z/c", "a/b/b/c/c"], matches: true),
        Row("a/**/b/**/c", paths: ["a/c/b", "a/b", "b/c"], matches: false),
        Row("a//b", paths: ["a/b"], matches: false),
        Row("debug[0-9].log", paths: ["debug1.log"], matches: false),
        Row("trailing\\", paths: ["trailing\\"], matches: true),
    ]

    @Test("patterns of GitHub and Bitbucket", arguments: rows)
    func entryPatterns(row: Row) {
        for pattern in row.patterns {
            let compiled = OwnersPattern(pattern, style: .entry)
            for path in row.paths {
                #expect(compiled.matches(OwnersPath(path)) == row.matches, "\(pattern) on \(path)")
            }
        }
    }

    @Test("patterns of GitLab", arguments: [
        Row("*", paths: ["a", "a/b", ".hidden"], matches: true),
        Row("*.rb", paths: ["x.rb", "a/b/x.rb"], matches: true),
        Row("*.rb", paths: ["x.rb/y", "x.py"], matches: false),
        Row("/docs", paths: ["docs"], matches: true),
        Row("/docs", paths: ["docs/x", "a/docs"], matches: false),
        Row("docs/", "/docs/", paths: ["docs/x", "docs/a/b"], matches: true),
        Row("docs/", paths: ["a/docs/x"], matches: true),
        Row("/docs/", paths: ["a/docs/x", "docs"], matches: false),
        Row("/docs/*.md", paths: ["docs/a.md"], matches: true),
        Row("/docs/*.md", paths: ["docs/a/b.md"], matches: false),
        Row("/docs/**/*.md", paths: ["docs/b.md", "docs/a/b/c.md"], matches: true),
        Row("ee/app", paths: ["ee/app", "x/ee/app"], matches: true),
        Row("file[0-9].txt", "file[!a].txt", paths: ["file1.txt"], matches: true),
        Row("file[^0-9].txt", "file[ab].txt", paths: ["file1.txt"], matches: false),
        Row("\\#file", paths: ["#file"], matches: true),
        Row("a[b", paths: ["a[b"], matches: true),
    ])
    func wholePathPatterns(row: Row) {
        for pattern in row.patterns {
            let compiled = OwnersPattern(pattern, style: .wholePath)
            for path in row.paths {
                #expect(compiled.matches(OwnersPath(path)) == row.matches, "\(pattern) on \(path)")
            }
        }
    }

    @Test("the index finds what trying every pattern finds", arguments: [OwnersPattern.Style.entry, .wholePath])
    func indexAgreesWithTryingAll(style: OwnersPattern.Style) {
        var random = SplitMix(state: 42)
        let names = ["a", "b", "src", "x.py", "y.swift", ".e", ""]
        let parts = names + ["*", "**", "*.py", "?", "a*", "*.y.swift", "x.*"]
        func joined(_ words: [String], _ count: Int) -> String {
            (0..<count).map { _ in words[Int(random.next() % UInt64(words.count))] }.joined(separator: "/")
        }
        for _ in 0..<200 {
            let texts = (0..<30).map { _ in joined(parts, 1 + Int(random.next() % 4)) }
            let patterns = texts.map { OwnersPattern($0, style: style) }
            let index = OwnersIndex(patterns)
            for _ in 0..<20 {
                let path = OwnersPath(joined(names, 1 + Int(random.next() % 5)))
                #expect(index.lastMatch(path) == patterns.lastIndex { $0.matches(path) })
            }
        }
    }
}

/// Random numbers that are the same in every run.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
