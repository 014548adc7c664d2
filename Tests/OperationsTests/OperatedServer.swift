import FrameCodec
import HTTPTransport
import Logging
import NIOCore
import NIOPosix
import Operations
import RPC
import Synchronization

/// A real server with everything that an operator sees, for the time of one test body.
struct OperatedServer: Sendable {
    let http: HTTPServer
    let rpc: RPCServer
    let health: HealthRegistry

    static func run<R: Sendable>(
        observer: (any CallObserver)? = nil,
        interceptors: [any ServerInterceptor] = [],
        httpConfiguration: HTTPServerConfiguration = HTTPServerConfiguration(),
        _ body: @Sendable (OperatedServer) async throws -> R
    ) async throws -> R {
        var configuration = RPCServerConfiguration()
        configuration.observer = observer
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let health = HealthRegistry(services: [WorkService.name])
        let rpc = RPCServer(
            services: [WorkService(), HealthService(health)], interceptors: interceptors,
            configuration: configuration, logger: logger
        )
        var httpConfiguration = httpConfiguration
        // A test whose tasks starve on a busy machine is no slow peer.
        httpConfiguration.timeouts.requestHead = .seconds(240)
        let http = try await HTTPServer.start(
            httpConfiguration, group: MultiThreadedEventLoopGroup.singleton, logger: logger,
            service: rpc
        )
        do {
            let result = try await body(OperatedServer(http: http, rpc: rpc, health: health))
            health.close()
            await http.shutdown(gracePeriod: .seconds(5))
            return result
        } catch {
            await http.shutdown(gracePeriod: .zero)
            throw error
        }
    }

    func withChannel<R: Sendable>(
        _ wire: RPCChannel.Wire = .grpc, _ body: @Sendable (RPCChannel) async throws -> R
    ) async throws -> R {
        let configuration = RPCChannel.Configuration(host: "127.0.0.1", port: http.port, wire: wire)
        let channel = RPCChannel(configuration, group: MultiThreadedEventLoopGroup.singleton)
        do {
            let result = try await body(channel)
            await channel.close()
            return result
        } catch {
            await channel.close()
            throw error
        }
    }

    func statistics(of method: MethodDescriptor) -> MethodStatistics? {
        rpc.statistics.first { $0.method == method }
    }
}

/// What the operated server does for a living.
struct WorkService: RPCService {
    static let name = "test.Work"
    static let echo = MethodDescriptor(service: name, method: "Echo", kind: .unary)
    static let fail = MethodDescriptor(service: name, method: "Fail", kind: .unary)
    static let chat = MethodDescriptor(service: name, method: "Chat", kind: .bidirectionalStreaming)
    static let missing = MethodDescriptor(service: name, method: "Missing", kind: .unary)

    var methods: [RPCMethod] {
        [
            .unary(Self.echo) { (request: Protobuf.StringValue, _) in request },
            .unary(Self.fail) { (request: Protobuf.StringValue, _) -> Protobuf.StringValue in
                throw RPCError(.dataLoss, request.value)
            },
            .bidirectionalStreaming(Self.chat) {
                (requests: RequestStream<Protobuf.StringValue>, responses: ResponseWriter<Protobuf.StringValue>, _) in
                for try await request in requests { try await responses.send(request) }
            },
        ]
    }
}

/// Waits until the condition holds; false when it does not within half a minute.
func eventually(_ condition: @Sendable () async -> Bool) async -> Bool {
    for _ in 0..<3000 {
        if await condition() { return true }
        try? await Task.sleep(for: .milliseconds(10))
    }
    return false
}
