import ArgumentParser
import ScmGateway
import SiloRPC

/// `scm-gateway repo add|list|remove`.
struct RepositoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repo",
        abstract: "Git repositories on this machine that the server serves.",
        subcommands: [Add.self, List.self, Remove.self]
    )

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Registers a git repository, bare or with a work tree, and prints its ID. Nothing is copied."
        )

        @Argument(help: "Folder of the repository.", completion: .directory)
        var path: String

        @Option(help: "ID of the organization that owns it.")
        var organization: Int64

        @Option(help: "Name shown to clients. (default: the folder's name)")
        var name: String?

        @OptionGroup var settings: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let store = RepositoryStore(try await GatewayDatabase.open(settings))
            let repository = try await store.add(path: path, organizationID: organization, name: name)
            if output.json { return try RepositoryCommand.table([repository]).show(output) }
            StandardOutput.line("\(repository.id)")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the repositories.")

        @Option(help: "Only the repositories of this organization.")
        var organization: Int64?

        @OptionGroup var settings: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let store = RepositoryStore(try await GatewayDatabase.open(settings))
            try RepositoryCommand.table(try await store.list(organizationID: organization)).show(output)
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes a repository out of service. The git repository itself is not touched."
        )

        @Argument(help: "The repository's ID, from `scm-gateway repo list`.")
        var id: Int64

        @OptionGroup var settings: SettingsOptions

        func run() async throws {
            try await RepositoryStore(try await GatewayDatabase.open(settings)).remove(id: id)
        }
    }

    private static func table(_ repositories: [StoredRepository]) -> Table {
        Table(
            columns: ["id", "organization", "name", "path"],
            rows: repositories.map {
                [.integer($0.id), .integer($0.organizationID), .text($0.name), .text($0.path)]
            }
        )
    }
}
