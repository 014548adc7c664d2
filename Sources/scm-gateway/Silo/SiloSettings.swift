import ArgumentParser
import Configuration
import Foundation
import SiloRPC

/// What a process is among several silos, as flags; environment and file as in ``SettingsOptions``.
struct SiloOptions: ParsableArguments {
    @Option(help: "monolith, control or cell. [env: SCM_GATEWAY_MODE, default: monolith]")
    var mode: String?

    @Option(help: "Name of the cell that this process is, in mode cell. [env: SCM_GATEWAY_CELL]")
    var cell: String?

    @Option(help: "JSON file with cells, addresses and keys, the same for all silos. [env: SCM_GATEWAY_SILO_CONFIG]")
    var siloConfig: String?
}

/// The same, effective.
struct SiloSettings: Sendable {
    var mode = SiloMode.monolith
    var cell: CellName?
    var configurationPath: String?

    mutating func read(_ reader: ConfigReader) async throws {
        try apply(
            mode: try await Settings.value("mode") { try await reader.fetchString(forKey: $0) },
            cell: try await Settings.value("cell") { try await reader.fetchString(forKey: $0) },
            path: try await Settings.value("siloConfig") { try await reader.fetchString(forKey: $0) })
    }

    mutating func apply(_ flags: SiloOptions) throws {
        try apply(mode: flags.mode, cell: flags.cell, path: flags.siloConfig)
    }

    private mutating func apply(mode: String?, cell: String?, path: String?) throws {
        do {
            if let mode { self.mode = try SiloMode(setting: mode) }
            if let cell { self.cell = try CellName(cell) }
        } catch {
            throw ValidationError("\(error)")
        }
        if let path { configurationPath = path }
    }

    /// Who this process is for other silos; nil for a monolith.
    ///
    /// - Throws: `ValidationError` when a cell has no name.
    func address() throws -> SiloAddress? {
        switch mode {
        case .monolith: return nil
        case .control: return .control
        case .cell:
            guard let cell else { throw ValidationError("mode cell needs --cell, the name of the cell") }
            return .cell(cell)
        }
    }

    /// The configuration file and the folder that its relative paths begin in.
    ///
    /// - Throws: `ValidationError` that names the file.
    func configuration() throws -> (SiloConfiguration, folder: String) {
        guard let path = configurationPath else {
            throw ValidationError("mode \(mode.rawValue) needs --silo-config, the file with cells, addresses and keys")
        }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ValidationError("cannot read the silo configuration \(path): \(FileProblem.reason(path))")
        }
        do {
            let configuration = try SiloConfiguration(json: String(decoding: data, as: UTF8.self))
            return (configuration, (path as NSString).deletingLastPathComponent)
        } catch {
            throw ValidationError("\(path): \(error)")
        }
    }
}
