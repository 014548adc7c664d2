import ArgumentParser
import Foundation
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
    private let directory: LiveDirectory
    private let counters: SiloCallCounters
    /// Of connections to other silos; nil in clear text.
    private let tls: TLSClientConfiguration?
    private let tlsFiles: [String]
    private let limits: SiloLimits
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
        limits = settings.limits.silo
        self.logger = logger
        counters = SiloCallCounters(logger: logger)
        do {
            let cells = try CellDirectory(configuration)
            try cells.checkPlace(of: address)
            try cells.checkAddresses()
            directory = LiveDirectory(cells)
            keyring = try SiloKeyring(address: address, keys: try configuration.keys(of: address, folder: folder))
            var trust = try configuration.verifierConfiguration(folder: folder)
            trust.nonceCountPerKey = limits.nonceCountPerKey
            verifier = SiloVerifier(keyring: keyring, configuration: trust)
            switches = SiloSwitches(try configuration.switchSettings())
            var ways = SignedTransport.Configuration()
            var web = SiloHTTPClient.Configuration()
            tls = settings.tls.clientConfiguration()
            tlsFiles = [settings.tls.clientCA, settings.tls.certificate, settings.tls.key].compactMap(\.self)
            if let tls { (ways.tls, web.tls) = (tls, tls) }
            web.maximumProxiedExchanges = limits.maximumProxiedExchanges
            web.maximumProxiedExchangesPerOrganization = limits.maximumProxiedExchangesPerOrganization
            var policy = SiloCallPolicy()
            policy.maximumConcurrentCalls = limits.maximumConcurrentCalls
            web.crossOrigin.allowedOrigins = Set(settings.corsOrigins)
            web.crossOrigin.allowedHeaders += GatewayServer.callHeaders
            transport = SignedTransport(keyring: keyring, directory: directory, configuration: ways)
            client = SiloHTTPClient(keyring: keyring, directory: directory, configuration: web)
            process = try SiloProcess(
                mode: settings.silo.mode, cell: settings.silo.cell, directory: directory, database: database,
                caller: SiloCaller(transport: transport, policy: policy, switches: switches, counters: counters),
                inbound: SiloInbound(switches: switches, answers: StoredAnswers(database), counters: counters))
            // Two services of one key would share switches and stored answers.
            _ = try SiloServices(dispatches)
        } catch {
            throw ValidationError("\(error)")
        }
    }

    var isControl: Bool { settings.mode == .control }

    /// What other silos may call.
    private var dispatches: [any SiloServiceDispatch] {
        guard !isControl else { return process.dispatches }
        return process.dispatches + [RepositoryDirectoryServiceDispatch(repositoryRows, silo: process.silo)]
    }

    private var repositoryRows: RepositoryDirectoryRows { RepositoryDirectoryRows(process.database) }

    /// The repositories of organizations, wherever they live.
    func repositories() throws -> RepositoryDirectoryServiceDelegate {
        try RepositoryDirectoryServiceDelegate(process.silo, local: isControl ? nil : repositoryRows)
    }

    /// For the page of metrics.
    var metrics: SiloMetrics { SiloMetrics(counters: counters, verifier: verifier, client: client) }

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
        let proxy = CellProxy(keys: keys, organizations: organizations, client: client)
        return [status] + proxy.routes(service: Self.scmService, resources: [GatewayServer.resources])
    }

    /// Keeps a cell's replica of control's tables up to date until the task is cancelled. While control is down, that
    /// is said once a minute.
    func keepUpToDate() async {
        let complaints = Complaints(logger)
        await process.keepReplicating { complaints.add($0) }
    }

    /// Uses renewed certificates for new connections to other silos, as the server does for those of its clients.
    func watchCertificates(every interval: Duration = .seconds(10)) async {
        guard let tls, !tlsFiles.isEmpty else { return }
        var known = tlsFiles.map(Self.changeTime)
        while !Task.isCancelled {
            try? await Task.sleep(for: interval)
            let found = tlsFiles.map(Self.changeTime)
            guard found != known else { continue }
            do {
                try await tls.readFilesAgain()
                known = found
                logger.notice("certificate for calls of other silos read again")
            } catch {
                // The files are not written all at once: the next look may find them whole.
                logger.warning("the certificate for calls of other silos cannot be used; the old one stays", metadata: [
                    "error": "\(error)"
                ])
            }
        }
    }

    private static func changeTime(_ path: String) -> Date? {
        (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
    }

    /// Before the port opens. A cell tries to ask control for what is new, and starts with what it has when control is
    /// down.
    func prepare() async throws {
        if let (configuration, _) = try? settings.configuration() { warn(configuration, directory.current) }
        try await process.prepare()
    }

    private func warn(_ configuration: SiloConfiguration, _ directory: CellDirectory) {
        for text in configuration.loose(directory, methods: SiloContract.methods) {
            logger.warning("a part of the silo configuration has no effect", metadata: ["part": "\(text)"])
        }
    }

    /// Takes everything of the configuration file. What does not fit is logged, and all stays as it was.
    func reload() async {
        do {
            let (configuration, folder) = try settings.configuration()
            let changes = try configuration.switchSettings()
            let cells = try CellDirectory(configuration)
            try cells.checkAddresses()
            let change = try directory.change(to: cells, at: keyring.address)
            try await process.mapping?.checkUnused(change.removed)
            let trust = try configuration.verifierConfiguration(folder: folder)
            try keyring.replace(try configuration.keys(of: keyring.address, folder: folder))
            // From here on nothing can fail.
            verifier.replaceTrust(trust)
            directory.replace(cells)
            switches.replace(changes)
            warn(configuration, cells)
            logger.notice("silo configuration read again", metadata: [
                    "signing": "\(keyring.signingIDs.map { "\($0): \($1)" }.sorted())",
                    "verifying": "\(keyring.verifyingIDs)",
                    "switches": "\(changes.keys.sorted())", "cellsAdded": "\(change.added)",
                    "cellsRemoved": "\(change.removed)",
                    "newAddresses": "\(change.readdressed)", "identities": "\(trust.identities.count)",
                "rpc0": "\(trust.rpc0 == nil ? "off" : "on")",
            ])
        } catch {
            logger.error("the silo configuration cannot be used; all stays as it is", metadata: ["error": "\(error)"])
        }
    }

    func close() async {
        await transport.close()
        await client.close()
    }
}
