import ArgumentParser
import Foundation
import ScmGateway
import SiloRPC
import Storage

/// `scm-gateway quickstart [PATH]`: everything that a first call needs.
struct QuickstartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quickstart",
        abstract: "Makes an organization, a key and a repository where they are missing, then serves.",
        discussion: """
            Prints one line when ready:

              ready http://127.0.0.1:8080 organization=ID repository=ID api-key=KEY

            then calls to paste. A second run keeps the data and prints the same. For that, the key's text is kept in \
            the data folder (file quickstart-api-key, readable by you only); keys made with `scm-gateway key add` are \
            not kept anywhere.
            """
    )

    @Argument(help: "Git repository to serve, bare or with a work tree.", completion: .directory)
    var path = "."

    @Option(help: "Use this API key instead of making one: 20 to 256 printable characters. [env: SCM_GATEWAY_API_KEY]")
    var apiKey: String?

    @OptionGroup var settings: SettingsOptions
    @OptionGroup var listen: ListenOptions

    private static let organizationSlug = "quickstart"

    func run() async throws {
        let settings = try await Settings.load(settings, listen: listen)
        let server = try GatewayServer(settings: settings)
        let organization = try await organization(in: server.database)
        let repository = try await repository(in: server.database, organizationID: organization.id)
        let key = try await key(in: server.database, organizationID: organization.id, folder: settings.dataFolder)
        try await server.run { url in
            StandardOutput.line(
                "ready \(url) organization=\(organization.id) repository=\(repository.id) api-key=\(key)"
            )
            StandardOutput.line(QuickstartCalls.text(url: url, repositoryID: repository.id, key: key))
        }
    }

    private func organization(in database: Database) async throws -> Organization {
        let store = OrganizationStore(database)
        if let organization = try await store.find(slug: Self.organizationSlug) { return organization }
        return try await store.create(slug: Self.organizationSlug)
    }

    /// The row of this folder, or a new one.
    private func repository(in database: Database, organizationID: Int64) async throws -> StoredRepository {
        let store = RepositoryStore(database)
        if let repository = try await store.find(path: path, organizationID: organizationID) { return repository }
        return try await store.add(path: path, organizationID: organizationID, name: nil)
    }

    /// The given key, else the one of the run before, else a new one.
    private func key(in database: Database, organizationID: Int64, folder: String) async throws -> String {
        let store = APIKeyStore(database)
        let file = (folder as NSString).appendingPathComponent("quickstart-api-key")
        let kept = try? String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        let given = apiKey ?? ProcessInfo.processInfo.environment["SCM_GATEWAY_API_KEY"]
        if let text = given ?? kept, let key = try await store.find(text: text) {
            guard key.isActive else {
                throw ValidationError("the API key was revoked; remove \(file) or give another one")
            }
            guard key.organizationID == organizationID else {
                throw ValidationError("the API key belongs to another organization of this data folder")
            }
            return text
        }
        let text = try await store.create(
            organizationID: organizationID, name: "quickstart", scopes: Scope.usual, text: given
        ).text
        if given == nil { try Self.keep(text, file: file) }
        return text
    }

    /// Created with its final mode: at no time can others read it.
    private static func keep(_ text: String, file: String) throws {
        unlink(file)
        let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw ValidationError("cannot write \(file): \(String(cString: strerror(errno)))")
        }
        try FileHandle(fileDescriptor: descriptor, closeOnDealloc: true).write(contentsOf: Data((text + "\n").utf8))
    }
}
