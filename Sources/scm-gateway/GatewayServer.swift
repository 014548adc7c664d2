import Foundation
import HTTPTransport
import Logging
import NIOPosix
import RPC
import ScmGateway
import SiloRPC
import Storage
import UnixSignals

/// The running server: database, services, socket; until a signal ends it.
struct GatewayServer {
    let settings: Settings
    let database: Database
    let logger: Logger

    init(settings: Settings) throws {
        self.settings = settings
        self.database = try GatewayDatabase.open(settings)
        self.logger = Self.logger(settings.logLevel)
    }

    /// Serves until SIGINT or SIGTERM, then lets calls finish for the grace period; a second signal ends them at once.
    ///
    /// - Parameter ready: called once when the port is open, with the server's base URL.
    func run(ready: (String) throws -> Void) async throws {
        let service = try ScmGatewayService(configuration: serviceConfiguration, database: database, logger: logger)
        let rpc = RPCServer(
            services: [service],
            interceptors: [APIKeyInterceptor(keys: APIKeyStore(database)), organizationShare],
            configuration: rpcConfiguration,
            logger: logger
        )
        DescriptorLimit.raise(for: settings.limits.http.connections, logger: logger)
        // Signals are trapped before the port opens: a supervisor may stop the server as soon as it answers.
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let server = try await HTTPServer.start(
            httpConfiguration, group: MultiThreadedEventLoopGroup.singleton, logger: logger,
            handler: { await rpc.handle($0) }
        )
        try ready("http://\(Self.urlHost(settings.listen)):\(server.port)")
        await drain(server, on: signals)
        await service.shutdown()
    }

    private func drain(_ server: HTTPServer, on signals: UnixSignalsSequence) async {
        var iterator = signals.makeAsyncIterator()
        let signal = await iterator.next()
        logger.notice("stopping", metadata: [
            "signal": "\(signal.map { "\($0)" } ?? "none")", "gracePeriodSeconds": "\(settings.gracePeriodSeconds)",
        ])
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await server.shutdown(gracePeriod: .seconds(settings.gracePeriodSeconds)) }
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
        var configuration = ScmGatewayConfiguration()
        configuration.repositoryRoots = settings.repositoryRoots
        return configuration
    }

    private var organizationShare: OrganizationShareInterceptor {
        let share = settings.limits.runningCallsPerOrganization ?? max(settings.limits.http.runningHandlers / 4, 1)
        return OrganizationShareInterceptor(maximumRunningCalls: share)
    }

    private var rpcConfiguration: RPCServerConfiguration {
        var configuration = settings.limits.rpc
        configuration.crossOrigin.allowedOrigins = Set(settings.corsOrigins)
        return configuration
    }

    private var httpConfiguration: HTTPServerConfiguration {
        var configuration = HTTPServerConfiguration()
        configuration.host = settings.listen
        configuration.port = settings.port
        configuration.limits = settings.limits.http
        configuration.timeouts = settings.limits.timeouts
        return configuration
    }

    private static func urlHost(_ host: String) -> String {
        host.contains(":") ? "[\(host)]" : host
    }

    private static func logger(_ level: Logger.Level) -> Logger {
        var logger = Logger(label: "scm-gateway", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = level
        return logger
    }
}
