import Foundation
import HTTPTransport
import Logging
import NIOPosix
import RPC
import SiloRPC
import Storage

/// One silo with a ledger, which books in the others' as fast as they let it. Usage:
/// `silo-node NAME CONFIGURATION FOLDER PORT`.
///
/// Prints a line for each thing that happens, `ready` first, then of each entry what the caller was told: `ok ENTRY`,
/// `failed ENTRY`, `wrong ENTRY` when a silo said that it is not the one. Runs until it is killed.
@main struct SiloNode {
    let process: SiloProcess
    let ledger: Ledger

    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 5, let port = Int(arguments[4]) else {
            FileHandle.standardError.write(Data("usage: silo-node NAME CONFIGURATION FOLDER PORT\n".utf8))
            exit(2)
        }
        let node = try await start(name: arguments[1], configuration: arguments[2], folder: arguments[3], port: port)
        try await node.drive(run: "\(EpochTime.now)")
    }

    private static func start(
        name: String, configuration path: String, folder: String, port: Int
    ) async throws -> SiloNode {
        let configuration = try SiloConfiguration(json: String(contentsOfFile: path, encoding: .utf8))
        let directory = try CellDirectory(configuration)
        let cell = name == "control" ? nil : try CellName(name)
        let address = cell.map { SiloAddress.cell($0) } ?? .control
        let keys = try configuration.keys(of: address, folder: (path as NSString).deletingLastPathComponent)
        let keyring = try SiloKeyring(address: address, keys: keys)
        let database = try Database.open(
            path: folder + "/ledger.sqlite", migrations: SiloSchema.migrations + [Ledger.migration])
        let process = try SiloProcess(
            mode: cell == nil ? .control : .cell, cell: cell, directory: directory, database: database,
            caller: SiloCaller(transport: SignedTransport(keyring: keyring, directory: directory)),
            inbound: SiloInbound(switches: SiloSwitches(), answers: StoredAnswers(database)))
        let node = SiloNode(process: process, ledger: Ledger(database: database))
        try await node.serve(SiloVerifier(keyring: keyring), port: port)
        return node
    }

    private func serve(_ verifier: SiloVerifier, port: Int) async throws {
        let logger = Logger(label: "silo-node")
        let own: any SiloServiceDispatch =
            process.silo.mode == .control
            ? ControlLedgerServiceDispatch(ledger, silo: process.silo)
            : CellLedgerServiceDispatch(ledger, silo: process.silo)
        let dispatches = process.dispatches + [own]
        let names = Set(dispatches.flatMap { $0.siloMethods.map(\.descriptor.service) })
        let rpc = RPCServer(
            services: dispatches,
            interceptors: [
                SiloSignatureInterceptor(verifier: verifier, services: names),
                SiloErrorInterceptor(services: names, logger: logger),
            ], logger: logger)
        _ = try await HTTPServer.start(
            HTTPServerConfiguration(host: "127.0.0.1", port: port), group: MultiThreadedEventLoopGroup.singleton,
            logger: logger, service: rpc)
        try await process.prepare()
        Self.say("ready")
    }

    // MARK: Calls

    private func drive(run: String) async throws {
        if process.silo.mode == .control { return try await driveControl(run) }
        let control = try ControlLedgerServiceDelegate(process.silo, local: nil)
        let cell = try process.silo.localCell()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await process.keepReplicating() }
            for task in 0..<2 {
                group.addTask {
                    await Self.book("control from-\(cell)-\(run)-\(task)") { try await control.book(entry: $0) }
                }
            }
        }
    }

    private func driveControl(_ run: String) async throws {
        let cells = try CellLedgerServiceDelegate(process.silo, local: nil)
        for cell in process.silo.directory.cells { try await makeOrganization(cell.name) }
        await withTaskGroup(of: Void.self) { group in
            for cell in process.silo.directory.cells {
                for task in 0..<2 {
                    group.addTask {
                        await Self.book("\(cell.name) from-control-\(run)-\(task)") { entry in
                            let mapping = try await process.mapping?.getBySlug(slug: "in-\(cell.name)")
                            try await cells.book(organizationID: mapping?.organizationID ?? 0, entry: entry)
                        }
                    }
                }
            }
        }
    }

    private func makeOrganization(_ cell: CellName) async throws {
        guard let mapping = process.mapping, try await mapping.getBySlug(slug: "in-\(cell)") == nil else { return }
        _ = try await mapping.create(slug: "in-\(cell)", cellName: cell.description)
    }

    /// Entries `NAME-1`, `NAME-2` and so on; none of them is tried again by this program.
    private static func book(_ name: String, _ book: @Sendable (String) async throws -> Void) async {
        var number = 0
        while !Task.isCancelled {
            number += 1
            let entry = "\(name)-\(number)"
            do {
                try await book(entry)
                say("ok \(entry)")
                try? await Task.sleep(for: .milliseconds(2))
            } catch SiloError.wrongCell, SiloError.wrongSilo {
                say("wrong \(entry)")
            } catch {
                say("failed \(entry): \(error)")
                try? await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    private static func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
}
