import ArgumentParser
import Foundation
import FrameCodec
import HTTPTransport
import Logging
import NIOPosix
import Operations
import RPC
import ScmAPI
import ScmGateway
import SiloRPC
import Storage
import UnixSignals
import WebConsole

/// The running server: database, services, socket; until a signal ends it.
struct GatewayServer {
    let settings: Settings
    let database: Database
    let logger: Logger

    /// What REST's paths begin with.
    static let resources = "/v1/"
    /// What the public calls: served here, or in the cells.
    static let contract = FileDescriptor.sentryIntegrationsScmV1Scm

    /// Held as long as the server is there.
    private let lock: FolderLock

    /// - Throws: `ValidationError`: another server uses the data folder, the database cannot be opened.
    init(settings: Settings) throws {
        self.settings = settings
        let silo = try settings.silo.address().map { ", \($0)" } ?? ""
        do {
            lock = try FolderLock(folder: settings.dataFolder, owner: "scm-gateway serve\(silo)")
        } catch {
            throw ValidationError("\(error)")
        }
        self.database = try GatewayDatabase.open(settings)
        self.logger = Self.logger(settings)
    }

    /// Serves until SIGINT or SIGTERM, then lets calls finish for the grace period; a second signal ends them at once.
    ///
    /// - Parameter ready: called once when the port is open, with the server's base URL.
    func run(ready: (String) throws -> Void) async throws {
        let silo = try SiloRuntime(settings: settings, database: database, logger: logger)
        let access = GatewayAccess(
            database: database, limits: settings.limits, logger: Self.logger(settings), silo: silo)
        var configuration = try serviceConfiguration
        configuration.installations = try silo?.process.installations()
        configuration.repositories = try silo?.isControl == false ? silo?.repositories() : nil
        let service = silo?.isControl == true ? nil : try ScmGatewayService(
            configuration: configuration, database: database, logger: logger)
        // Keys are control's rows.
        let keyService = silo?.isControl == false ? nil : access.keyService
        let own: [(any RPCService)?] = [service, keyService]
        let services = own.compactMap { $0 } + (silo?.services ?? [])
        // Control has the contract of what it hands on to the cells.
        let forwarded: [any RPCService] = service == nil ? [ForwardedService()] : []
        let operations = try GatewayOperations(services + forwarded, publicContract: Self.contract)
        if let silo { operations.metrics.add(silo.metrics) }
        let rest = try RESTRoutes(ScmServiceMethod.types, file: Self.contract, prefix: Self.resources)
        let rpc = RPCServer(
            services: services + operations.publicServices,
            interceptors: requestIDs + [TraceContextInterceptor()] + (silo?.interceptors ?? []) + access.interceptors
                + (try silo?.cellGuard() ?? []),
            routes: (silo?.routes(keys: access.keys) ?? []) + routes(operations, rest),
            // In control its paths lead to the cells.
            rest: service == nil ? nil : rest,
            configuration: rpcConfiguration,
            logger: logger
        )
        for path in settings.disabledMethods
        where !rpc.setMethod(path, isEnabled: false, reason: "disabledMethods of its configuration") {
            throw ValidationError("disabledMethods: there is no method \"\(path)\"; write /service/method")
        }
        DescriptorLimit.raise(for: settings.limits.http.connections, logger: logger)
        try await service?.resume()
        try await silo?.prepare()
        // Signals are trapped before the port opens: a supervisor may stop the server as soon as it answers.
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        // With nothing to read again a hang-up does what it always does.
        let hangUps =
            settings.tls.certificate == nil && silo == nil ? nil : await UnixSignalsSequence(trapping: .sighup)
        let server = try await HTTPServer.start(
            try httpConfiguration(), group: MultiThreadedEventLoopGroup.singleton, logger: logger,
            service: rpc
        )
        operations.watch(server, rpc)
        let administration = try await openAdministration(operations)
        StartupMemory.giveBack()
        try ready(try url(server))
        let reload = hangUps.map { hangUps in
            Task {
                // What goes wrong is logged where it happens, and the old certificates stay in use.
                for await _ in hangUps {
                    await silo?.reload()
                    if settings.tls.certificate != nil { try? await server.reloadCertificates() }
                }
            }
        }
        let replication = silo.map { silo in Task { await silo.keepUpToDate() } }
        let certificates = silo.map { silo in Task { await silo.watchCertificates() } }
        await drain(server, operations.health, on: signals)
        reload?.cancel()
        replication?.cancel()
        certificates?.cancel()
        await administration?.shutdown(gracePeriod: .zero)
        await service?.shutdown()
        await silo?.close()
    }

    /// In control too: what the pages call is handed on to the cells.
    private func routes(_ operations: GatewayOperations, _ rest: RESTRoutes) -> [HTTPRoute] {
        let description = rest.openAPIRoute(title: "scm-gateway", version: "v1") {
            ContractComments(ScmComments.text)
        }
        let console = settings.console ? WebConsole.routes(contract: operations.publicContract) : []
        return operations.publicRoutes + [description] + console
    }

    private func openAdministration(_ operations: GatewayOperations) async throws -> HTTPServer? {
        guard let (host, port) = settings.adminListen else { return nil }
        let server = try await operations.listen(host: host, port: port, logger: logger)
        logger.notice("administration listener", metadata: ["url": "http://\(Self.urlHost(host)):\(server.port)"])
        return server
    }

    /// Signal -> not ready -> drainDelay -> no new connections, GOAWAY -> calls end, at most gracePeriod. A second
    /// signal ends everything at once.
    private func drain(_ server: HTTPServer, _ health: HealthRegistry, on signals: UnixSignalsSequence) async {
        var iterator = signals.makeAsyncIterator()
        let signal = await iterator.next()
        logger.notice("stopping", metadata: [
            "signal": "\(signal.map { "\($0)" } ?? "none")", "gracePeriodSeconds": "\(settings.gracePeriodSeconds)",
        ])
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                health.beginDrain()
                try? await Task.sleep(for: .seconds(settings.drainDelaySeconds))
                // Watches of health never end by themselves.
                health.close()
                await server.shutdown(gracePeriod: .seconds(settings.gracePeriodSeconds))
            }
            group.addTask {
                // A sequence of its own: one sequence can be iterated only once.
                for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) {
                    await server.shutdown(gracePeriod: .zero)
                    return
                }
            }
            await group.next()
            group.cancelAll()
        }
    }

    private var serviceConfiguration: ScmGatewayConfiguration {
        get throws {
            var configuration = settings.limits.gateway
            configuration.repositoryRoots = settings.repositoryRoots
            try settings.mirrors.apply(to: &configuration.mirrors)
            return configuration
        }
    }

    /// Only the access log has a use for them.
    private var requestIDs: [any ServerInterceptor] { settings.accessLog == nil ? [] : [RequestIDInterceptor()] }

    /// Metadata that the contract reads; pages of allowed origins may send it.
    static let callHeaders = ["if-none-match", "x-scm-cache"]

    private var rpcConfiguration: RPCServerConfiguration {
        var configuration = settings.limits.rpc
        configuration.crossOrigin.allowedOrigins = Set(settings.corsOrigins)
        configuration.crossOrigin.allowedHeaders += Self.callHeaders
        configuration.compression.responses = settings.compression.policy
        if let share = settings.accessLog {
            var log = Self.logger(settings)
            log.logLevel = .info
            configuration.observer = AccessLog(logger: log, sample: share, excludedServices: [HealthService.name])
        }
        return configuration
    }

    private func httpConfiguration() throws -> HTTPServerConfiguration {
        let listeners = try settings.listeners()
        var configuration = HTTPServerConfiguration()
        if let first = listeners.first {
            configuration.address = first.address
            configuration.tls = first.tls
        }
        configuration.additionalListeners = Array(listeners.dropFirst())
        var limits = settings.limits
        if settings.silo.mode == .cell { limits.raiseForCell() }
        configuration.limits = limits.http
        configuration.timeouts = settings.limits.timeouts
        configuration.refusalFields = rpcConfiguration.crossOrigin.refusalFields(for:)
        return configuration
    }

    /// Of the first TCP listener `http://HOST:PORT` or `https://HOST:PORT`; without one `unix:PATH` of the first.
    private func url(_ server: HTTPServer) throws -> String {
        for listener in try settings.listeners() {
            guard case .tcp(let host, _) = listener.address else { continue }
            return "\(listener.tls == nil ? "http" : "https")://\(Self.urlHost(host)):\(server.port)"
        }
        return "unix:\(server.localAddresses.first?.pathname ?? "")"
    }

    private static func urlHost(_ host: String) -> String {
        host.contains(":") ? "[\(host)]" : host
    }

    private static func logger(_ settings: Settings) -> Logger {
        let format = settings.logFormat
        var logger = Logger(label: "scm-gateway", factory: { label -> any LogHandler in
            switch format {
            case .text:
                var handler = StreamLogHandler.standardError(label: label)
                handler.metadataProvider = .traceContext
                return handler
            case .json:
                var handler = JSONLogHandler.standardError(label: label)
                handler.metadataProvider = .traceContext
                return handler
            }
        })
        logger.logLevel = settings.logLevel
        return logger
    }
}
