import FrameCodec
import HTTPTransport
import Logging
import NIOPosix
import Operations
import RPC

/// What operators see of a running gateway: health everywhere; metrics, contract and administration on a listener of
/// their own, or on the public one with a key that has the scope `scm:admin`.
///
/// ```
/// public port   health, /healthz, /readyz ........... no key
///               reflection, administration .......... key with scm:admin
/// adminListen   all of it, /metrics, /descriptors ... no key: whoever reaches the port
/// ```
struct GatewayOperations {
    let health: HealthRegistry
    let metrics = ServerMetrics()
    /// On the public port, besides the gateway's own service.
    let publicServices: [any RPCService]
    /// Services that only the scope `scm:admin` opens.
    static let guardedServices = ReflectionService.serviceNames + [Administration.serviceName]

    private let contract: ContractFiles
    /// What the web console shows without reflection, and what it asks reflection with; no secret.
    let publicContract: [UInt8]
    private let reflection: ReflectionService
    private let administration = Administration()

    /// - Parameter publicContract: the file of the service that the public calls.
    init(_ services: [any RPCService], publicContract file: FileDescriptor) throws {
        health = HealthRegistry(services: Set(services.flatMap { $0.methods.map(\.descriptor.service) }).sorted())
        let all: [any RPCService] = services + [HealthService(health), administration]
        publicContract = try ContractFiles([], additional: [file] + ReflectionService.files).descriptorSet
        contract = try ContractFiles(all, additional: ReflectionService.files)
        reflection = try ReflectionService(all)
        publicServices = [HealthService(health), reflection, administration]
    }

    var publicRoutes: [HTTPRoute] { OperationsRoutes.health(health) }

    /// The public server has started: it can be looked into from now on.
    func watch(_ http: HTTPServer, _ rpc: RPCServer) {
        metrics.add(.init(name: "public", http: http, rpc: rpc))
        administration.begin(http: http, rpc: rpc)
    }

    /// Opens the administration listener.
    func listen(host: String, port: Int, logger: Logger) async throws -> HTTPServer {
        let rpc = RPCServer(
            services: publicServices, routes: publicRoutes + [
                OperationsRoutes.metrics(metrics), OperationsRoutes.descriptors(contract),
            ],
            logger: logger
        )
        let http = try await HTTPServer.start(
            HTTPServerConfiguration(host: host, port: port), group: MultiThreadedEventLoopGroup.singleton,
            logger: logger, handler: { await rpc.handle($0) }
        )
        metrics.add(.init(name: "admin", http: http, rpc: rpc))
        return http
    }
}
