import ScmAPI

/// Short names of providers, as rows and control's integrations have them.
enum ProviderSlug {
    private static let slugs: [Provider: String] = [
        .github: "github", .gitlab: "gitlab", .bitbucket: "bitbucket", .bitbucketServer: "bitbucket_server",
        // Azure DevOps was called so when the first rows were made.
        .azureDevops: "vsts", .githubEnterprise: "github_enterprise", .localGit: "local_git",
    ]
    private static let providers = Dictionary(slugs.map { ($0.value, $0.key) }) { first, _ in first }

    /// nil for a provider that has none.
    static func slug(_ provider: Provider) -> String? { slugs[provider] }

    /// UNSPECIFIED for one that this version does not know.
    static func provider(_ slug: some StringProtocol) -> Provider { providers[String(slug)] ?? .unspecified }

    private static let prefix = "integrations:"

    /// The provider column's text.
    static func column(_ provider: Provider) -> String { prefix + (slugs[provider] ?? "\(provider.rawValue)") }

    /// UNSPECIFIED also for rows of before integrations, whose column is a bare name.
    static func provider(column: String) -> Provider {
        column.hasPrefix(prefix) ? provider(column.dropFirst(prefix.count)) : .unspecified
    }
}
