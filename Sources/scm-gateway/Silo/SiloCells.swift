import ArgumentParser
import Foundation
import Logging
import ScmGateway
import SiloRPC
import Storage

extension SiloCommand {
    /// `scm-gateway silo cells`: one question to every cell.
    struct Cells: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the cells: locality, address, organizations, repositories.",
            discussion: """
                Run it beside control, with control's settings. Every cell is asked; ends with 1 when one of them did \
                not answer, and says which.
                """
        )

        @Option(help: "Seconds that all cells together have.")
        var timeout = 10

        @OptionGroup var settings: SettingsOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            guard (1...300).contains(timeout) else { throw ValidationError("--timeout: 1 to 300, not \(timeout)") }
            let settings = try await Settings.load(settings)
            guard settings.silo.mode == .control else { throw ValidationError("only control asks: --mode control") }
            let database = try GatewayDatabase.open(settings)
            try await SiloRuntime.using(settings, database) { runtime in try await show(runtime) }
        }

        private func show(_ runtime: SiloRuntime) async throws {
            let (silo, repositories) = (runtime.process.silo, try runtime.repositories())
            let results = try await silo.onCells(within: .seconds(timeout)) { cell in
                try await repositories.count(cellName: cell.description, regionName: "")
            }
            let organizations = try await runtime.process.mapping?.countsByCell() ?? [:]
            let rows = try results.outcomes.map { outcome -> [Table.Value] in
                let cell = try silo.directory.cell(named: outcome.cell.description)
                let count = try? outcome.result.get()
                return [
                    .text(cell.name.description), .text(try silo.directory.locality(of: cell.name).name),
                    .text(cell.address), .integer(organizations[cell.name.description] ?? 0),
                    count.map { Table.Value.integer($0) } ?? Table.Value.none,
                    .text(count == nil ? "does not answer" : "answers")
                ]
            }
            try Table(columns: ["cell", "locality", "address", "organizations", "repositories", "state"], rows: rows)
                .show(output)
            do throws(IncompleteCells) {
                _ = try results.complete()
            } catch {
                FileHandle.standardError.write(Data("\(error)\n".utf8))
                throw ExitCode(1)
            }
        }
    }
}

extension SiloRuntime {
    /// For one command: what control or a cell is, without serving; nothing is logged.
    ///
    /// - Throws: `ValidationError` for a monolith, or a configuration that does not fit.
    static func using<R>(
        _ settings: Settings, _ database: Database, _ body: (SiloRuntime) async throws -> R
    ) async throws -> R {
        let logger = Logger(label: "scm-gateway") { _ in SwiftLogNoOpLogHandler() }
        guard let runtime = try SiloRuntime(settings: settings, database: database, logger: logger) else {
            throw ValidationError("a monolith has no other silos")
        }
        do {
            let result = try await body(runtime)
            await runtime.close()
            return result
        } catch {
            await runtime.close()
            throw error
        }
    }
}
