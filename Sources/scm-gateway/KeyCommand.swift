import ArgumentParser
import SiloRPC

/// `scm-gateway key add|list|remove`.
struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "API keys: what clients send as x-api-key.",
        subcommands: [Add.self, List.self, Remove.self]
    )

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key and prints it. Only its SHA-256 is stored: it cannot be shown again."
        )

        @Option(help: "ID of the organization that the key acts for.")
        var organization: Int64

        @Option(help: "What the key is for.")
        var name = "unnamed"

        @Option(help: "What the key may do; repeatable. (default: all but scm:admin) \(Scope.allCases.map(\.rawValue).joined(separator: ", "))")
        var scope: [Scope] = []

        @Option(help: "Import this key instead of making one: 20 to 256 printable characters.")
        var text: String?

        @OptionGroup var settings: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let store = APIKeyStore(try await GatewayDatabase.open(settings))
            let scopes = scope.isEmpty ? Scope.usual : Set(scope)
            let (key, text) = try await store.create(organizationID: organization, name: name, scopes: scopes, text: text)
            guard output.json else { return StandardOutput.line(text) }
            let row: [Table.Value] = [.integer(key.id), .integer(key.organizationID), .text(key.name), .text(text)]
            try Table(columns: ["id", "organization", "name", "key"], rows: [row]).show(output)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the keys, without their text.")

        @Option(help: "Only the keys of this organization.")
        var organization: Int64?

        @OptionGroup var settings: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let keys = try await APIKeyStore(try await GatewayDatabase.open(settings)).list(organizationID: organization)
            let rows: [[Table.Value]] = keys.map { key in
                [
                    .integer(key.id), .integer(key.organizationID), .text(key.name), .text(key.prefix),
                    .text(key.scopes.map(\.rawValue).sorted().joined(separator: " ")), .time(key.createdAt),
                    .time(key.lastUsedAt),
                ]
            }
            try Table(
                columns: ["id", "organization", "name", "prefix", "scopes", "created", "lastUsed"], rows: rows
            ).show(output)
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes a key; a running server refuses it within 5 seconds."
        )

        @Argument(help: "The key's ID, from `scm-gateway key list`.")
        var id: Int64

        @OptionGroup var settings: SettingsOptions

        func run() async throws {
            try await APIKeyStore(try await GatewayDatabase.open(settings)).remove(id: id)
        }
    }
}

extension Scope: ExpressibleByArgument {}
