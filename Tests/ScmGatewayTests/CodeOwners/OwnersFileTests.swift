import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct OwnersFileTests {
    private func rules(_ text: String, _ dialect: OwnersDialect = .github) -> [OwnersRule] {
        OwnersFile(text, dialect: dialect).rules
    }

    private func owners(_ text: String, _ path: String, _ dialect: OwnersDialect) -> OwnersResolver.Answer {
        OwnersResolver(rules(text, dialect), dialect: dialect).owners(of: path)
    }

    @Test("comments, blank lines, line ends and owner kinds")
    func lines() {
        let text =
            "\u{FEFF}# all\r\n\r\n   # indented\r\n* @a @org/team x@y.org word @a\n\t/docs/\t@d # inline @e\n/last"
        let found = rules(text)
        #expect(found.map(\.line) == [4, 5, 6])
        #expect(found.map(\.pattern) == ["*", "/docs/", "/last"])
        #expect(found[0].owners.map(\.name) == ["a", "org/team", "x@y.org", "word"])
        #expect(found[0].owners.map(\.kind) == [.user, .team, .email, .user])
        #expect(found[1].owners.map(\.name) == ["d"])
        #expect(found[2].owners.isEmpty)
    }

    @Test("what GitHub does not support is a problem with its line, not a rule")
    func problems() {
        let file = OwnersFile(
            "!important/*.log @n\ndebug[0-9].log @n\n\\#x @n\n[Team Core] @org/core\nok @n", dialect: .github)
        #expect(file.rules.map(\.pattern) == ["ok"])
        #expect(file.problems.map(\.line) == [1, 2, 3, 4])
        #expect(file.problems.allSatisfy { !$0.reason.isEmpty })
    }

    /// Rows C1 to C18: lines turned into ownership rules.
    @Test("ownership rules", arguments: [
        ("*.js @getsentry/frontend @N", "webpack://static/", "", "codeowners:*.js front-sentry n@sentry.io"),
        ("  docs/*  @getsentry/docs @getsentry/ecosystem", "webpack://static/", "",
            "codeowners:webpack://static/docs/* docs-sentry ecosystem"),
            (
                "src/sentry/* @AnotherUser", "webpack://static/", "",
                "codeowners:webpack://static/src/sentry/* anotheruser@sentry.io"
            ),
        ("api/* n@sentry.io", "webpack://static/", "", "codeowners:webpack://static/api/* n@sentry.io"),
        ("tests/file\\ with\\ spaces/ @N", "webpack://static/", "", nil),
        ("debug[0-9].log @N", "webpack://static/", "", nil),
        ("!important/*.log @N", "webpack://static/", "", nil),
        ("file 1.txt @N @getsentry/ecosystem", "webpack://static/", "", "codeowners:file n@sentry.io ecosystem"),
        ("\\#somefile.txt @N", "webpack://static/", "", nil),
        ("/scripts/test.js @getsentry/ops", "webpack://static/", "", "codeowners:webpack://static/scripts/test.js ops"),
        ("config/hooks @getsentry/ops", "webpack://static/", "", "codeowners:webpack://static/config/hooks ops"),
        ("config/relay/ @getsentry/relay", "webpack://static/", "", "codeowners:webpack://static/config/relay/ relay"),
        ("docs-ui/ @getsentry/docs @getsentry/ecosystem", "webpack://static/", "",
            "codeowners:docs-ui/ docs-sentry ecosystem"),
        ("docs/* @getsentry/docs", "webpack://docs", "docs", "codeowners:webpack://docs/* docs-sentry"),
        ("src/sentry/* @N", "webpack://docs", "docs", "codeowners:src/sentry/* n@sentry.io"),
        ("/apps/github # Skip", "", "", "codeowners:/apps/github"),
        ("/apps/github", "", "", "codeowners:/apps/github"),
        ("/path @getsentry/issues # inline comment", "", "", "codeowners:/path issues"),
        ("/path #team", "", "", "codeowners:/path #team"),
        ("/path @nobody", "", "", nil),
        ("docs/x.md @N", "", "docs/", "codeowners:/x.md n@sentry.io"),
        ("other/src/x @N", "stack/", "src/", "codeowners:other/src/x n@sentry.io"),
    ] as [(String, String, String, String?)])
    func ownershipText(line: String, stackRoot: String, sourceRoot: String, expected: String?) {
        let identities = [
            "getsentry/frontend": "front-sentry", "getsentry/docs": "docs-sentry", "getsentry/ecosystem": "ecosystem",
            "getsentry/ops": "ops", "getsentry/relay": "relay", "getsentry/issues": "issues", "N": "n@sentry.io",
            "AnotherUser": "anotheruser@sentry.io", "n@sentry.io": "n@sentry.io", "#team": "#team",
        ]
        let text = rules(line).first.flatMap { rule in
            OwnershipText.line(rule, stackRoot: stackRoot, sourceRoot: sourceRoot) { identities[$0.name] }
        }
        #expect(text == expected)
    }

    @Test("the last rule that matches decides, also one without owners", arguments: [OwnersDialect.github, .bitbucket])
    func lastRuleWins(dialect: OwnersDialect) {
        let text = "* @all\n/apps/ @octocat\n/apps/github\n"
        #expect(owners(text, "x", dialect).owners.map(\.name) == ["all"])
        #expect(owners(text, "apps/x", dialect).owners.map(\.name) == ["octocat"])
        let excluded = owners(text, "apps/github/x", dialect)
        #expect(excluded.owners.isEmpty && excluded.isExcluded)
        #expect(excluded.rules.map(\.line) == [3])
        #expect(!OwnersResolver([], dialect: dialect).owners(of: "x").isExcluded)
    }

    @Test("GitLab: sections, default owners, approvals, roles, exclusions", arguments: [
        ("* @a\n*.rb @b", "x.rb", ["b"]),
        ("[D] @docs\ndocs/\nREADME.md", "docs/x.md", ["docs"]),
        ("[D][2] @docs\ndocs/ @w", "docs/x", ["w"]),
        ("* @g\n[D] @docs\ndocs/", "docs/x", ["g", "docs"]),
        ("[D]\na/ @x\n[E]\nb/ @y\n[d]\na/ @z", "a/f", ["z"]),
        ("^[Opt] @o\na/", "a/x", ["o"]),
        ("\\#file @p", "#file", ["p"]),
        ("path\\ with\\ spaces/ @s", "path with spaces/x", ["s"]),
        ("a/ @x # @y", "a/f", ["x", "y"]),
        ("/config/ @@maintainer", "config/x", ["maintainer"]),
        ("*.rb @r\n!spec/", "spec/x.rb", []),
        ("!spec/\n*.rb @r", "spec/x.rb", []),
        ("[A]\n!spec/\n[B]\n*.rb @r", "spec/x.rb", ["r"]),
    ] as [(String, String, [String])])
    func gitLab(text: String, path: String, expected: [String]) {
        #expect(owners(text, path, .gitlab).owners.map(\.name) == expected)
    }

    @Test("GitLab: what a section adds to its rules")
    func gitLabSections() {
        let file = OwnersFile("[D][2] @docs\ndocs/ @w\n^[Opt][3] @o\na/\n[ d ]\nb/\n[broken @x\n@@", dialect: .gitlab)
        #expect(file.rules.map(\.section) == ["D", "Opt", "D", "D"])
        #expect(file.rules.map(\.requiredApprovals) == [2, 0, 0, 0])
        #expect(file.rules.map(\.isOptionalSection) == [false, true, false, false])
        #expect(file.rules.map { $0.owners.map(\.name) } == [["w"], ["o"], [], []])
        #expect(file.problems.map(\.line) == [7])
        #expect(OwnersFile("/c/ @@maintainer", dialect: .gitlab).rules.first?.owners.first?.kind == .role)
    }

    @Test("any of a frame's paths may match")
    func severalPaths() {
        let resolver = OwnersResolver(rules("*.swift @s\nlib/ @l"), dialect: .github)
        #expect(resolver.owners(ofAny: ["x.swift", "lib/x.c"]).owners.map(\.name) == ["l"])
        #expect(resolver.owners(ofAny: []).rules.isEmpty)
    }

    @Test("no text stops the reader")
    func hostileText() {
        for text in [
            "", "\\", "[", "^[", "[]", "[a][", "!", "\u{0}\u{0}", String(repeating: "*", count: 10_000), "a \\ b"
        ] {
            for dialect in [OwnersDialect.github, .gitlab, .bitbucket] {
                let file = OwnersFile(text, dialect: dialect)
                _ = OwnersResolver(file.rules, dialect: dialect).owners(of: String(repeating: "a/", count: 500))
            }
        }
    }
}
