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

    static func open(_ options: SettingsOptions) async throws -> Database {
        try open(try await Settings.load(options))
    }
}
