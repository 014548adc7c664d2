import ArgumentParser
import ScmGateway
import SiloRPC

/// `scm-gateway repo add|list|mirrors|mirror-interval|remove`.
struct RepositoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repo",
        abstract: "Git repositories on this machine that the server serves.",
        subcommands: [Add.self, List.self, Mirrors.self, MirrorInterval.self, Remove.self]
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
            let settings = try await Settings.load(settings)
            guard settings.silo.mode != .control else {
                throw ValidationError("repositories live in cells: add it beside the cell of its organization")
            }
            let store = RepositoryStore(try GatewayDatabase.open(settings))
            let repository = try await store.add(path: path, organizationID: organization, name: name)
            if output.json { return try RepositoryCommand.table([repository]).show(output) }
            StandardOutput.line("\(repository.id)")
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the repositories; in control those of an organization, whose cell is asked.")

        @Option(help: "Only the repositories of this organization.")
        var organization: Int64?

        @OptionGroup var settings: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let settings = try await Settings.load(settings)
            let database = try GatewayDatabase.open(settings)
            guard settings.silo.mode == .control else {
                let store = RepositoryStore(database)
                return try RepositoryCommand.table(try await store.list(organizationID: organization)).show(output)
            }
            guard let organization else {
                throw ValidationError("in control --organization says which cell to ask")
            }
            let records = try await SiloRuntime.using(settings, database) { runtime in
                try await Self.records(of: organization, try runtime.repositories())
            }
            try Table(
                columns: ["id", "organization", "name", "path"],
                rows: records.map {
                    [.integer($0.repositoryID), .integer($0.organizationID), .text($0.name), .text($0.externalID)]
                }
            ).show(output)
        }

        /// All of them, a page at a time, from the organization's cell.
        private static func records(
            of organization: Int64, _ repositories: RepositoryDirectoryServiceDelegate
        ) async throws -> [RepositoryRecord] {
            var records: [RepositoryRecord] = []
            while true {
                let page = try await repositories.list(
                    organizationID: organization, after: records.last?.repositoryID ?? 0, pageSize: 1000)
                records += page.repositories
                guard page.hasMore, !page.repositories.isEmpty else { return records }
            }
        }
    }

    struct Mirrors: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the copies of remote repositories: their state, last and next fetch, interval and size.",
            discussion: "interval: seconds of its own; empty follows --mirror-interval, 0 is never."
        )

        @Option(help: "Only the repositories of this organization.")
        var organization: Int64?

        @OptionGroup var settings: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let store = RepositoryStore(try await GatewayDatabase.open(settings))
            let mirrors = try await store.mirrors(organizationID: organization)
            func time(_ milliseconds: Int64) -> Table.Value { .time(milliseconds > 0 ? milliseconds : nil) }
            let rows: [[Table.Value]] = mirrors.map { mirror in
                [
                    .integer(mirror.id), .text(mirror.name), .text(mirror.state), time(mirror.fetchedAt),
                    time(mirror.nextFetchAt), mirror.interval.map { .integer($0) } ?? .none,
                    .integer(mirror.failureCount), time(mirror.maintainedAt), .integer(mirror.byteCount),
                ]
            }
            let columns = [
                "id", "name", "state", "fetchedAt", "nextFetchAt", "interval", "failures", "maintainedAt", "bytes",
            ]
            try Table(columns: columns, rows: rows).show(output)
        }
    }

    struct MirrorInterval: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "mirror-interval",
            abstract: "Sets how often a mirror is fetched by itself.",
            discussion: "The next fetch is then due after that time, or at once with --now."
        )

        @Argument(help: "The repository's ID, from `scm-gateway repo mirrors`.")
        var id: Int64

        @Argument(help: "Seconds, 60 to 31536000; 0 for never; \"default\" to follow the server.")
        var seconds: String

        @Flag(help: "Fetch as soon as the server looks, within 15 seconds.")
        var now = false

        @OptionGroup var settings: SettingsOptions

        func run() async throws {
            let interval = Int64(seconds)
            guard
                seconds == "default"
                    || interval.map({ $0 == 0 || MirrorConfiguration.intervals.contains(Int($0)) }) == true
            else { throw ValidationError("write 0, 60 to 31536000 (seconds) or default") }
            var configuration = MirrorConfiguration()
            try await Settings.load(settings).mirrors.apply(to: &configuration)
            try await RepositoryStore(try await GatewayDatabase.open(settings)).setMirrorInterval(
                interval, of: id, server: configuration.fetchInterval, isDueNow: now
            )
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
