import ArgumentParser
import SiloRPC
import Storage

/// `scm-gateway key add|list|rotate|expire|revoke|remove`.
struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "API keys: what clients send as x-api-key, or sign with.",
        discussion: """
            Changes count in a running server within 5 seconds. Of several silos, keys are control's to change.

            Examples:
              scm-gateway key add --organization 1 --name ci --scope scm:read --days 90
              scm-gateway key add --organization 1 --name robot --signing        (for x-signature)
              scm-gateway key rotate 3 --overlap-hours 48
              scm-gateway key revoke 3
            """,
        subcommands: [Add.self, List.self, Rotate.self, Expire.self, Revoke.self, Remove.self]
    )

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key and prints it. Only its SHA-256 is stored: it cannot be shown again."
        )

        @Option(help: "ID of the organization that the key acts for.")
        var organization: Int64

        @Option(help: "What the key is for.")
        var name = "unnamed"

        @Option(
            help: """
                What the key may do; repeatable. (default: all but scm:admin) \
                \(Scope.allCases.map(\.rawValue).joined(separator: ", "))
                """
        )
        var scope: [Scope] = []

        @Option(help: "Import this key instead of making one: 20 to 256 printable characters.")
        var text: String?

        @Option(help: "Days until the key ends. (default: it does not)")
        var days: Double?

        @Option(help: "Most calls in a minute. (default: limit callsPerMinutePerKey of the server)")
        var callsPerMinute: Int?

        @Flag(help: "The key signs calls (x-signature) and never travels. What it signs with is stored.")
        var signing = false

        @OptionGroup var settings: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let database = try await KeyCommand.database(settings)
            var new = NewAPIKey(
                organizationID: organization, name: name, scopes: scope.isEmpty ? Scope.usual : Set(scope), text: text,
                callsPerMinute: callsPerMinute, isSigning: signing
            )
            new.expiresAt = try days.map { try KeyCommand.time(inDays: $0) }
            let (key, text) = try await APIKeyStore(database).create(new)
            try await KeyCommand.note("key add", key, database)
            try KeyCommand.show(key, text: text, output)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the keys, without their text.")

        @Option(help: "Only the keys of this organization.")
        var organization: Int64?

        @OptionGroup var settings: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let keys = try await APIKeyStore(try await GatewayDatabase.open(settings)).list(
                organizationID: organization)
            let now = EpochTime.now
            let rows: [[Table.Value]] = keys.map { key in
                [
                    .integer(key.id), .integer(key.organizationID), .text(key.name), .text(key.prefix),
                    .text(key.scopes.map(\.rawValue).sorted().joined(separator: " ")), .time(key.createdAt),
                    .time(key.lastUsedAt), .time(key.expiresAt),
                    .text(!key.isActive ? "revoked" : key.isValid(at: now) ? "valid" : "expired"),
                    .text(key.isSigning ? "signature" : "bearer"),
                    key.callsPerMinute.map { .integer(Int64($0)) } ?? .none
                ]
            }
            let columns = [
                "id", "organization", "name", "prefix", "scopes", "created", "lastUsed", "expires", "state", "use",
                "callsPerMinute",
            ]
            try Table(columns: columns, rows: rows).show(output)
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a new key like an old one and prints it; the old one ends after the overlap."
        )

        @Argument(help: "The old key's ID, from `scm-gateway key list`.")
        var id: Int64

        @Option(help: "Hours that the old key stays valid.")
        var overlapHours = 24.0

        @OptionGroup var settings: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            guard (0...2160).contains(overlapHours) else { throw ValidationError("--overlap-hours must be 0 to 2160") }
            let database = try await KeyCommand.database(settings)
            let store = APIKeyStore(database)
            let (key, text, _) = try await store.rotate(id: id, overlap: Int64(overlapHours * 3_600_000))
            try await KeyCommand.note("key rotate", key, database)
            try KeyCommand.show(key, text: text, output)
        }
    }

    struct Expire: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lets a key end after some days, or never.")

        @Argument(help: "The key's ID, from `scm-gateway key list`.")
        var id: Int64

        @Option(help: "Days from now; 0 ends it now.")
        var days: Double?

        @Flag(help: "The key does not end.")
        var never = false

        @OptionGroup var settings: SettingsOptions

        func run() async throws {
            guard (days == nil) == never else { throw ValidationError("give --days or --never") }
            let database = try await KeyCommand.database(settings)
            let end = try days.map { try KeyCommand.time(inDays: $0) }
            let key = try await APIKeyStore(database).expire(id: id, at: end)
            try await KeyCommand.note("key expire", key, database)
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key invalid for good and keeps its row; a running server refuses it within 5 seconds."
        )

        @Argument(help: "The key's ID, from `scm-gateway key list`.")
        var id: Int64

        @OptionGroup var settings: SettingsOptions

        func run() async throws {
            let database = try await KeyCommand.database(settings)
            try await APIKeyStore(database).revoke(id: id)
            try await KeyCommand.note("key revoke", id: id, organizationID: 0, database)
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes a key and its row; a running server refuses it within 5 seconds."
        )

        @Argument(help: "The key's ID, from `scm-gateway key list`.")
        var id: Int64

        @OptionGroup var settings: SettingsOptions

        func run() async throws {
            let database = try await KeyCommand.database(settings)
            try await APIKeyStore(database).remove(id: id)
            try await KeyCommand.note("key remove", id: id, organizationID: 0, database)
        }
    }

    // MARK: Shared

    /// Where keys are made and changed.
    private static func database(_ options: SettingsOptions) async throws -> Database {
        let settings = try await Settings.load(options)
        guard settings.silo.mode != .cell else {
            throw ValidationError("keys are made and changed in control; the cells learn of it")
        }
        return try await GatewayDatabase.openForChanges(settings)
    }

    private static func time(inDays days: Double) throws -> Int64 {
        guard (0...36_500).contains(days) else { throw ValidationError("--days must be 0 to 36500") }
        return EpochTime.now + Int64(days * 86_400_000)
    }

    private static func show(_ key: APIKey, text: String, _ output: OutputOptions) throws {
        guard output.json else { return StandardOutput.line(text) }
        let row: [Table.Value] = [.integer(key.id), .integer(key.organizationID), .text(key.name), .text(text)]
        try Table(columns: ["id", "organization", "name", "key"], rows: [row]).show(output)
    }

    private static func note(_ command: String, _ key: APIKey, _ database: Database) async throws {
        try await note(command, id: key.id, organizationID: key.organizationID, database)
    }

    /// Changes by the operator stand in the audit log like those by calls.
    private static func note(_ command: String, id: Int64, organizationID: Int64, _ database: Database) async throws {
        _ = try await AuditLog(database, logger: .silent).begin(
            organizationID: organizationID, method: command, subject: "keyId=\(id)", peer: "command line", outcome: "OK"
        )
    }
}

extension Scope: ExpressibleByArgument {}
