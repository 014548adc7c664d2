import ArgumentParser
import Logging
import SiloRPC

/// `scm-gateway audit`.
struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Shows the calls and commands that changed something, newest first.",
        discussion: "STARTED is a call that runs, or that ran when the server ended."
    )

    @Option(help: "Only those of this organization.")
    var organization: Int64 = 0

    @Option(help: "Only those of this key.")
    var key: Int64 = 0

    @Option(help: "Most entries, 1 to 100000.")
    var limit = 100

    @OptionGroup var settings: SettingsOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        guard (1...100_000).contains(limit) else { throw ValidationError("--limit must be 1 to 100000") }
        let log = AuditLog(try await GatewayDatabase.open(settings), logger: .silent)
        let entries = try await log.list(organizationID: organization, keyID: key, limit: limit)
        let columns = ["id", "at", "organization", "key", "method", "subject", "peer", "requestId", "outcome"]
        let rows: [[Table.Value]] = entries.map { entry in
            [
                .integer(entry.id), .time(entry.at), .integer(entry.organizationID), .integer(entry.keyID),
                .text(entry.method), .text(entry.subject), .text(entry.peer), .text(entry.requestID), .text(entry.outcome),
            ]
        }
        try Table(columns: columns, rows: rows).show(output)
    }
}

extension Logger {
    /// For commands whose output is for the one who types them.
    static var silent: Logger { Logger(label: "command", factory: { _ in SwiftLogNoOpLogHandler() }) }
}
