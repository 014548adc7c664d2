/// What the dialects of a code owners file disagree about.
struct OwnersDialect: Sendable, Hashable {
    enum Name: Sendable, Hashable { case github, gitlab, bitbucket }

    let name: Name
    /// `[Section][2] @default` lines, `@@role` owners and `!exclusions`; every section decides for itself.
    var hasSections: Bool { name == .gitlab }
    /// A token `#` ends the line. GitLab reads owners behind it, too.
    var hasInlineComments: Bool { name != .gitlab }
    /// How patterns match.
    var patterns: OwnersPattern.Style { name == .gitlab ? .wholePath : .entry }

    /// The last rule that matches wins.
    static let github = OwnersDialect(name: .github)
    /// The last rule of each section wins; sections add up.
    static let gitlab = OwnersDialect(name: .gitlab)
    /// Cloud and Data Center: the last rule that matches wins.
    static let bitbucket = OwnersDialect(name: .bitbucket)

    /// Where the file is looked for, the one that counts first.
    var locations: [String] {
        switch name {
        // GitHub itself prefers the folder of its own.
        case .github: [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"]
        case .gitlab: ["CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"]
        case .bitbucket: [".bitbucket/CODEOWNERS"]
        }
    }
}
