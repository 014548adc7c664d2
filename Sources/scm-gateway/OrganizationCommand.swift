import ArgumentParser
import SiloRPC

/// `scm-gateway org add|list|remove`.
struct OrganizationCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "org",
        abstract: "Organizations: the owners of keys and repositories.",
        subcommands: [Add.self, List.self, Remove.self]
    )

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Adds an organization and prints its ID.")

        @Argument(help: "Unique name: 1 to 64 of a-z, 0-9 and -.")
        var name: String

        @Option(
            name: .customLong("in"),
            help: "In mode control: the cell that it shall live in. (default: the fallback cell)")
        var home: String?

        @OptionGroup var settings: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let organization = try await create(try await Settings.load(settings))
            if output.json { return try OrganizationCommand.table([organization]).show(output) }
            StandardOutput.line("\(organization.id)")
        }

        private func create(_ settings: Settings) async throws -> Organization {
            let database = try await GatewayDatabase.openForChanges(settings)
            switch settings.silo.mode {
            case .monolith:
                guard home == nil else { throw ValidationError("--in is for --mode control: a monolith has no cells") }
                return try await OrganizationStore(database).create(slug: name)
            case .control:
                let directory = try CellDirectory(try settings.silo.configuration().0)
                let mapping = try await OrganizationMappingStore(database, directory: directory)
                    .create(slug: name, cellName: home ?? "")
                return Organization(id: mapping.organizationID, slug: mapping.slug, createdAt: mapping.createdAt)
            case .cell: throw ValidationError("organizations are made in control; the cells learn of them")
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the organizations.")

        @OptionGroup var settings: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let store = OrganizationStore(try await GatewayDatabase.open(settings))
            try OrganizationCommand.table(try await store.list()).show(output)
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Removes an organization that owns no keys and no repositories any more; in control its cell is asked."
        )

        @Argument(help: "The organization's ID.")
        var id: Int64

        @OptionGroup var settings: SettingsOptions

        func run() async throws {
            let settings = try await Settings.load(settings)
            let database = try await GatewayDatabase.openForChanges(settings)
            switch settings.silo.mode {
            case .monolith: try await OrganizationStore(database).remove(id: id)
            case .control:
                try await SiloRuntime.using(settings, database) { runtime in
                    let page = try await runtime.repositories().list(organizationID: id, after: 0, pageSize: 1)
                    guard page.repositories.isEmpty else {
                        throw ValidationError("organization \(id) owns repositories: scm-gateway repo list in its cell")
                    }
                    try await runtime.process.mapping?.delete(organizationID: id)
                }
            case .cell: throw ValidationError("organizations are removed in control; the cells learn of it")
            }
        }
    }

    private static func table(_ organizations: [Organization]) -> Table {
        Table(
            columns: ["id", "name", "created"],
            rows: organizations.map { [.integer($0.id), .text($0.slug), .time($0.createdAt)] }
        )
    }
}
