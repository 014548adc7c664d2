import FrameCodec
import RPC
import ScmAPI
import Storage
import Testing

@testable import ScmGateway

/// Addresses of pages for people, below what a repository's `config` says in `web_url`.
@Suite(.timeLimit(.minutes(5))) struct RepositoryPageTests {
    private struct Fixture {
        let gateway: Gateway
        let repository: TestRepository
        let commit: String

        init() async throws {
            let repository = try TestRepository()
            commit = try repository.commit("first", ["src/a b[1].txt": "one\ntwo\n"]).hex
            gateway = try await Gateway { $0.repositoryRoots = [repository.path] }
            self.repository = repository
        }

        func create(_ page: String) async throws -> Repository {
            try await gateway.service.createRepository(
                CreateRepositoryRequest(
                    provider: .localGit, identifier: repository.path, config: ["web_url": page]),
                context: gateway.context())
        }
    }

    @Test(arguments: ["https://git.example/o/r", "http://git.example:8080/o/r/"])
    func everythingHasAPage(page: String) async throws {
        let fixture = try await Fixture()
        let (gateway, commit) = (fixture.gateway, fixture.commit)
        let (service, context) = (gateway.service, gateway.context())
        let created = try await fixture.create(page)
        let base = page.hasSuffix("/") ? String(page.dropLast()) : page
        #expect(created.webURL == base && created.config["web_url"] == page)
        let id = created.id
        let file = "\(base)/blob/\(commit)/src/a%20b%5B1%5D.txt"
        let one = try await service.getCommit(.init(repositoryID: id, sha: "main"), context: context)
        #expect(one.webURL == "\(base)/commit/\(commit)")
        let list = try await service.listCommits(.init(repositoryID: id), context: context)
        #expect(list.commits.map(\.webURL) == [one.webURL])
        let line = try await service.getCommitContext(
            .init(repositoryID: id, filepath: "src/a b[1].txt", lineNumber: 1, maxAgeDays: -1), context: context)
        #expect(line.commit?.webURL == one.webURL)
        let branches = try await service.listBranches(
            .init(repositoryID: id, includeCommits: true), context: context)
        #expect(branches.branches.map(\.commit?.webURL) == [one.webURL])
        let check = try await service.checkFile(.init(repositoryID: id, path: "src/a b[1].txt"), context: context)
        #expect(check.url == file)
        let folder = try await service.checkFile(.init(repositoryID: id, path: "src"), context: context)
        #expect(folder.url.isEmpty)
        let parts = Collected<GetFileResponse>()
        try await service.getFile(
            .init(repositoryID: id, path: "src/a b[1].txt"), responses: ResponseWriter { parts.append($0) },
            context: context)
        guard case .metadata(let metadata)? = parts.values.first?.part else {
            Issue.record("no metadata")
            return
        }
        #expect(metadata.url == file)
        let found = try await service.searchCode(
            .init(repositoryID: id, query: "two", contextLines: 1), context: context)
        #expect(found.matches.map(\.webURL) == ["\(file)#L2"])
        await service.shutdown()
    }

    @Test(arguments: [
        "javascript:alert(1)", "https://", "https://h/a b", "https://h/?q=1", "https://h/#x", "ftp://h/", "//h/",
        "https://h/\"onclick=", "https://h/\n", "data:text/html,x",
    ])
    func whatIsNoAddressIsRefused(page: String) async throws {
        let fixture = try await Fixture()
        await expectError(.invalidArgument, "BAD_REQUEST", field: "config") { try await fixture.create(page) }
        // One that is stored all the same is never given out.
        let created = try await fixture.create("")
        let config = ConfigText.encode(["web_url": page])
        try await fixture.gateway.database.write {
            _ = try $0.execute("UPDATE repositories SET config = ?", [.text(config)])
        }
        let get = GetRepositoryRequest(selector: .repositoryID(created.id))
        let read = try await fixture.gateway.service.getRepository(get, context: fixture.gateway.context())
        #expect(read.webURL.isEmpty)
        let commit = try await fixture.gateway.service.getCommit(
            .init(repositoryID: created.id, sha: "main"), context: fixture.gateway.context())
        #expect(commit.webURL.isEmpty)
        await fixture.gateway.service.shutdown()
    }

    @Test(arguments: [
        ("token", true), ("key", true), ("secret", true), ("password", true), ("Webhook_Secret", true),
        ("api_token", true), ("private_KEY", true), ("tokens", false), ("monkey", false), ("web_url", false),
    ])
    func secretsAreKnownByTheirNames(name: String, isSecret: Bool) {
        #expect(ConfigRules.isSecret(name) == isSecret)
    }

    @Test func providersHaveOneNameEach() {
        let known: [Provider] = [
            .github, .gitlab, .bitbucket, .bitbucketServer, .azureDevops, .githubEnterprise, .localGit,
        ]
        for provider in known {
            #expect(ProviderSlug.provider(column: ProviderSlug.column(provider)) == provider)
        }
        #expect(ProviderSlug.column(.azureDevops) == "integrations:vsts")
        // A plugin's row of before integrations.
        #expect(ProviderSlug.provider(column: "github") == .unspecified)
        #expect(ProviderSlug.provider(column: "integrations:perforce") == .unspecified)
    }
}
