import ArgumentParser
import Foundation
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

    @Option(help: "Only methods or commands that contain this, such as DeleteRepository.")
    var method = ""

    @Option(help: "Only those that ended so, such as PERMISSION_DENIED.")
    var outcome = ""

    @Option(help: "Only those about this, such as repositoryId=3: a whole word of subject or result.")
    var subject = ""

    @Option(
        help: "Only those that began at or after this time, such as 2026-11-21T10:00:00Z.", transform: AuditCommand.time
    )
    var since: Int64?

    @Option(help: "Only those that began before this time.", transform: AuditCommand.time)
    var until: Int64?

    @Option(help: "Most entries, 1 to 100000.")
    var limit = 100

    @OptionGroup var settings: SettingsOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        guard (1...100_000).contains(limit) else { throw ValidationError("--limit must be 1 to 100000") }
        let log = AuditLog(try await GatewayDatabase.open(settings), logger: .silent)
        var filter = AuditFilter(organizationID: organization, keyID: key)
        (filter.method, filter.outcome, filter.subject) = (method, outcome, subject)
        (filter.since, filter.until) = (since, until)
        let entries = try await log.list(filter, limit: limit)
        let columns = ["id", "at", "organization", "key", "method", "subject", "peer", "requestId", "outcome", "result"]
        let rows: [[Table.Value]] = entries.map { entry in
            [
                .integer(entry.id), .time(entry.at), .integer(entry.organizationID), .integer(entry.keyID),
                .text(entry.method), .text(entry.subject), .text(entry.peer), .text(entry.requestID),
                .text(entry.outcome),
                .text(entry.result),
            ]
        }
        try Table(columns: columns, rows: rows).show(output)
    }

    /// Milliseconds since 1970 UTC.
    private static func time(_ text: String) throws -> Int64 {
        guard let date = try? Date(text, strategy: .iso8601) else {
            throw ValidationError("\"\(text)\" is no time like 2026-11-21T10:00:00Z")
        }
        return Int64(date.timeIntervalSince1970 * 1000)
    }
}

extension Logger {
    /// For commands whose output is for the one who types them.
    static var silent: Logger { Logger(label: "command", factory: { _ in SwiftLogNoOpLogHandler() }) }
}
