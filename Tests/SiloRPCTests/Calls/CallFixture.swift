import FrameCodec
import HTTPTransport
import Logging
import NIOCore
import NIOPosix
import RPC
import Synchronization

@testable import SiloRPC

/// A method of a silo service, without a generator: bytes in, bytes out.
enum CallFixture {
    static let us1 = SiloAddress.cell(try! CellName("us1"))

    static func method(
        _ idempotency: SiloMethod.Idempotency = .readOnly, retries: Int = 2, lifecycle: SiloMethod.Lifecycle = .active
    ) -> SiloMethod {
        SiloMethod(
            MethodDescriptor(service: "silo.test.Things", method: "Do", kind: .unary), serviceKey: "things",
            home: .cell,
            resolver: .cellName(field: "cell"), idempotency: idempotency, timeout: .seconds(30), retries: retries,
            lifecycle: lifecycle)
    }

    static func call(
        _ method: SiloMethod = method(), body: [UInt8] = [8, 7], timeout: Duration = .seconds(30), key: String? = nil
    ) -> SiloCall {
        SiloCall(
            method: method, destination: us1, organizationID: 7, body: body, deadline: .now() + TimeAmount(timeout),
            idempotencyKey: key)
    }

    /// Waits that a test need not wait for.
    static var quick: SiloCallPolicy {
        var policy = SiloCallPolicy()
        policy.initialBackoff = .microseconds(1)
        policy.maximumBackoff = .microseconds(10)
        return policy
    }
}

/// Gives what a script says, one entry for each attempt, the last one for ever.
final class ScriptedTransport: SiloTransport {
    typealias Step = @Sendable (SiloCall) async throws -> [UInt8]

    let source = SiloAddress.control
    private let steps: Mutex<[Step]>
    private let seen = Mutex<[SiloCall]>([])

    init(_ steps: Step...) { self.steps = Mutex(steps) }

    var calls: [SiloCall] { seen.withLock { $0 } }

    func send(_ call: SiloCall) async throws -> ByteBuffer {
        seen.withLock { $0.append(call) }
        let step = steps.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
        return ByteBuffer(bytes: try await step(call))
    }

    static func fail(
        _ code: StatusCode, pushback: Duration? = nil, wasNotProcessed: Bool = false
    ) -> Step {
        { _ in
            var error = RPCError(code, "scripted")
            error.retryPushback = pushback
            error.wasNotProcessed = wasNotProcessed
            throw error
        }
    }
}

extension ByteBuffer {
    static func == (left: ByteBuffer, right: [UInt8]) -> Bool { left.readableBytesView.elementsEqual(right) }
}

/// A silo on a free port of this machine: raw handlers behind the interceptors that a real one has.
struct TestSilo: Sendable {
    let port: Int
    let verifier: SiloVerifier

    typealias Handler = @Sendable ([UInt8], CallContext) async throws -> [UInt8]

    static func run<R: Sendable>(
        _ address: SiloAddress, keys: [SiloKey], tls: TLSServerConfiguration? = nil, logger: Logger? = nil,
        configure: (inout SiloVerifier.Configuration) -> Void = { _ in }, handler: @escaping Handler,
        _ body: @Sendable (TestSilo) async throws -> R
    ) async throws -> R {
        var configuration = SiloVerifier.Configuration()
        configure(&configuration)
        let verifier = SiloVerifier(
            keyring: try SiloKeyring(address: address, keys: keys), configuration: configuration)
        let method = RPCMethod(CallFixture.method().descriptor) { call, context in
            guard let bytes = try await call.nextMessage() else { throw RPCError(.unimplemented, "no message") }
            let answer = try await handler(Array(bytes.readableBytesView), context)
            try await call.send(bytes: ByteBuffer(bytes: answer))
        }
        var quiet = Logger(label: "test")
        quiet.logLevel = .critical
        let services: Set<String> = ["silo.test.Things"]
        let rpc = RPCServer(
            services: [RawService(methods: [method])],
            interceptors: [
                SiloSignatureInterceptor(verifier: verifier, services: services),
                SiloErrorInterceptor(services: services, logger: logger ?? quiet),
            ],
            logger: quiet)
        var http = HTTPServerConfiguration()
        http.address = .tcp(host: "127.0.0.1", port: 0)
        http.tls = tls
        // A test whose tasks starve on a busy machine is no slow peer.
        http.timeouts.requestHead = .seconds(240)
        let server = try await HTTPServer.start(
            http, group: MultiThreadedEventLoopGroup.singleton, logger: quiet, service: rpc)
        do {
            let result = try await body(TestSilo(port: server.port, verifier: verifier))
            await server.shutdown(gracePeriod: .seconds(1))
            return result
        } catch {
            await server.shutdown(gracePeriod: .zero)
            throw error
        }
    }

    /// Control's transport to this silo as us1.
    func withTransport<R: Sendable>(
        keys: [SiloKey], from source: SiloAddress = .control, _ body: @Sendable (SignedTransport) async throws -> R
    ) async throws -> R {
        let transport = SignedTransport(
            keyring: try SiloKeyring(address: source, keys: keys), directory: try directory())
        do {
            let result = try await body(transport)
            await transport.close()
            return result
        } catch {
            await transport.close()
            throw error
        }
    }

    func directory() throws -> CellDirectory {
        let us1 = try CellName("us1")
        return try CellDirectory(cells: [Cell(name: us1, address: "http://127.0.0.1:\(port)")], fallbackCell: us1)
    }
}

struct RawService: RPCService {
    let methods: [RPCMethod]
}
