import ArgumentParser
import HTTPTransport
import Logging
import RPC
import ScmAPI
import ScmGateway
import SiloRPC
import Storage

/// What control and cells have besides what a monolith has: keys, the way to other silos, silo services, the proxy.
///
/// ```
/// control   silo services of control; calls of ScmService are handed on to the organization's cell
/// cell      silo services of cells; ScmService for the organizations that live here; a replica of control's tables
/// ```
struct SiloRuntime: Sendable {
    let process: SiloProcess
    private let settings: SiloSettings
    private let keyring: SiloKeyring
    private let verifier: SiloVerifier
    private let switches: SiloSwitches
    private let transport: SignedTransport
    private let client: SiloHTTPClient
    private let logger: Logger

    static let scmService = ScmServiceMethod.all.first?.service ?? ""

    /// - Returns: nil for a monolith.
    /// - Throws: `ValidationError` for a configuration that does not fit, a silo without keys included.
    init?(settings: Settings, database: Database, logger: Logger) throws {
        guard let address = try settings.silo.address() else { return nil }
        let (configuration, folder) = try settings.silo.configuration()
        self.settings = settings.silo
        self.logger = logger
        do {
            let directory = try CellDirectory(configuration)
            keyring = try SiloKeyring(address: address, keys: try configuration.keys(of: address, folder: folder))
            verifier = SiloVerifier(
                keyring: keyring, configuration: try configuration.verifierConfiguration(folder: folder))
            switches = SiloSwitches(try configuration.switchSettings())
            var ways = SignedTransport.Configuration()
            var web = SiloHTTPClient.Configuration()
            if let tls = settings.tls.clientConfiguration() { (ways.tls, web.tls) = (tls, tls) }
            transport = SignedTransport(keyring: keyring, directory: directory, configuration: ways)
            client = SiloHTTPClient(keyring: keyring, directory: directory, configuration: web)
            process = try SiloProcess(
                mode: settings.silo.mode, cell: settings.silo.cell, directory: directory, database: database,
                caller: SiloCaller(transport: transport, switches: switches),
                inbound: SiloInbound(switches: switches, answers: StoredAnswers(database)),
                options: Silo.Options(isSingleOrganization: configuration.singleOrganization))
        } catch {
            throw ValidationError("\(error)")
        }
    }

    var isControl: Bool { settings.mode == .control }

    /// What other silos may call.
    private var dispatches: [any SiloServiceDispatch] {
        guard !isControl else { return process.dispatches }
        let repositories = RepositoryDirectoryRows(process.database)
        return process.dispatches + [RepositoryDirectoryServiceDispatch(repositories, silo: process.silo)]
    }

    var services: [any RPCService] { dispatches }

    /// Full names of the services that only silos may call.
    var serviceNames: Set<String> { Set(dispatches.flatMap { $0.siloMethods.map(\.descriptor.service) }) }

    /// Before the checks of the public's calls.
    var interceptors: [any ServerInterceptor] {
        [
            SiloSignatureInterceptor(verifier: verifier, services: serviceNames),
            SiloErrorInterceptor(services: serviceNames, logger: logger),
        ]
    }

    /// Behind those checks: in a cell, calls of organizations that live elsewhere are refused.
    func cellGuard() throws -> [any ServerInterceptor] {
        isControl ? [] : [try CellGuardInterceptor(process.silo, services: [Self.scmService])]
    }

    /// In control, ScmService is in the organizations' cells.
    func routes(keys: APIKeyInterceptor) -> [HTTPRoute] {
        let status = SiloStatus.route(
            keyring: keyring, verifier: verifier, methods: dispatches.flatMap(\.siloMethods),
            version: ScmGatewayCommand.configuration.version)
        guard isControl, let organizations = process.silo.organizations else { return [status] }
        return [status] + CellProxy(keys: keys, organizations: organizations, client: client).routes(service: Self.scmService)
    }

    /// Keeps a cell's replica of control's tables up to date until the task is cancelled. While control is down, that is
    /// said once a minute.
    func keepUpToDate() async {
        let complaints = Complaints(logger)
        await process.keepReplicating { complaints.add($0) }
    }

    /// Before the port opens. A cell tries to ask control for what is new, and starts with what it has when control is
    /// down.
    func prepare() async throws { try await process.prepare() }

    /// Takes new keys and switches from the configuration file. What does not fit is logged, and everything stays.
    func reload() {
        do {
            let (configuration, folder) = try settings.configuration()
            let changes = try configuration.switchSettings()
            try keyring.replace(try configuration.keys(of: keyring.address, folder: folder))
            switches.replace(changes)
            logger.notice("silo configuration read again", metadata: [
                "signing": "\(keyring.signingIDs.map { "\($0): \($1)" }.sorted())", "verifying": "\(keyring.verifyingIDs)",
                "switches": "\(changes.keys.sorted())",
            ])
        } catch {
            logger.error("the silo configuration cannot be used; keys and switches stay as they are", metadata: [
                "error": "\(error)"
            ])
        }
    }

    func close() async {
        await transport.close()
        await client.close()
    }
}
