import ArgumentParser
import ScmGateway
import SiloRPC
import Storage

/// The one database file of a data folder, with the tables of every module.
enum GatewayDatabase {
    /// - Throws: `ValidationError` with the reason, so that the command line prints it as one line.
    static func open(_ settings: Settings) throws -> Database {
        do {
            return try Database.open(
                path: settings.databasePath, migrations: SiloSchema.migrations + ScmGatewaySchema.migrations
            )
        } catch {
            throw ValidationError("\(error)")
        }
    }

    /// For a command that changes organizations or keys: in control cells follow what it does.
    static func openForChanges(_ settings: Settings) async throws -> Database {
        let database = try open(settings)
        if settings.silo.mode == .control { try await database.beginSiloEpoch() }
        return database
    }

    static func open(_ options: SettingsOptions) async throws -> Database {
        try open(try await Settings.load(options))
    }
}
