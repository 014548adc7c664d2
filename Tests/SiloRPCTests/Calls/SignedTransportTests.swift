import FrameCodec
import HTTPTransport
import Logging
import NIOCore
import NIOPosix
import RPC
import Synchronization
import Testing

@testable import SiloRPC

/// Real sockets: control calls us1.
@Suite(.timeLimit(.minutes(5))) struct SignedTransportTests {
    typealias Fixture = CallFixture

    static let echo: TestSilo.Handler = { bytes, _ in bytes }

    @Test func `a signed call arrives, with organization, key, request id and deadline, and says who calls`()
        async throws
    {
        let keys = try SignatureFixture.keys()
        try await TestSilo.run(
            Fixture.us1, keys: keys,
            handler: { (bytes: [UInt8], context: CallContext) async throws -> [UInt8] in
                #expect(context.serviceContext[SiloPeerKey.self] == SiloPeer(source: .control, keyID: "c-us1"))
                #expect(context.metadata[SiloField.organization] == "7")
                #expect(context.metadata[SiloField.idempotencyKey] == "k")
                #expect(context.metadata[SiloField.requestID]?.count == 15)
                let remaining = try #require(context.timeRemaining)
                #expect(remaining <= .seconds(20))
                return bytes
            }
        ) { silo in
            try await silo.withTransport(keys: keys) { transport in
                let caller = SiloCaller(transport: transport)
                let answer = try await caller.call(Fixture.call(timeout: .seconds(20), key: "k"))
                #expect(answer == [8, 7])
            }
        }
    }

    @Test(arguments: [0, 1, 20_000, 1_000_000])
    func `bodies of any size, whole or in pieces, are verified before they are served`(count: Int) async throws {
        let keys = try SignatureFixture.keys()
        try await TestSilo.run(Fixture.us1, keys: keys, handler: Self.echo) { silo in
            try await silo.withTransport(keys: keys) { transport in
                let body = [UInt8](repeating: 5, count: count)
                let answer = try await transport.send(Fixture.call(body: body))
                #expect(answer == body)
            }
            #expect(silo.verifier.refusalCounts.isEmpty)
        }
    }

    @Test func `a call without signature, or with another silo's, is refused and not served`() async throws {
        let keys = try SignatureFixture.keys()
        let served = StoredAnswersTests.Counter()
        try await TestSilo.run(
            Fixture.us1, keys: keys,
            handler: { bytes, _ in
                _ = served.next()
                return bytes
            }
        ) { silo in
            let channel = try RPCChannel("http://127.0.0.1:\(silo.port)", group: MultiThreadedEventLoopGroup.singleton)
            let unsigned = await #expect(throws: RPCError.self) {
                try await channel.unary(Fixture.method().descriptor, bytes: ByteBuffer(bytes: [1]))
            }
            #expect(unsigned?.code == .unauthenticated)
            #expect(unsigned?.detail(GoogleRPC.ErrorInfo.self)?.reason == "SIGNATURE_MISSING")
            await channel.close()
            let forged = [
                try SiloKey(id: "c-us1", source: .control, audience: Fixture.us1, secret: SignatureFixture.secret("z")),
                try SiloKey(id: "us1-c", source: Fixture.us1, audience: .control, secret: SignatureFixture.secret("z")),
            ]
            try await silo.withTransport(keys: forged) { transport in
                let error = await #expect(throws: SiloError.self) {
                    try await SiloCaller(transport: transport).call(Fixture.call())
                }
                guard case .refused = error else { return #expect(Bool(false), "\(String(describing: error))") }
            }
            #expect(served.count == 0)
            #expect(silo.verifier.refusalCounts == [.missing: 1, .wrong: 1])
        }
    }

    @Test func `a captured request sent again is refused, byte for byte the same`() async throws {
        let keys = try SignatureFixture.keys()
        try await TestSilo.run(Fixture.us1, keys: keys, handler: Self.echo) { silo in
            var fields: HTTPFields = [.contentType: "application/grpc+proto", .te: "trailers"]
            fields.append(.grpcTimeout, "5S")
            let body = ByteBuffer(bytes: [0, 0, 0, 0, 2, 8, 7])
            var head = HTTPRequestHead(
                path: Fixture.method().path, scheme: "http", authority: "127.0.0.1:\(silo.port)", fields: fields)
            try SiloSigner(keyring: try SiloKeyring(address: .control, keys: keys), destination: Fixture.us1)
                .sign(&head, body: body)
            let connection = try await HTTPClientConnection.connect(
                host: "127.0.0.1", port: silo.port, group: MultiThreadedEventLoopGroup.singleton)
            var statuses: [String?] = []
            for _ in 0..<2 {
                let exchange = try await connection.start(head)
                try await exchange.send(body)
                exchange.finish()
                let answer = try await exchange.responseHead()
                while try await exchange.readBody() != nil {}
                let trailers = await exchange.trailers
                statuses.append(answer.fields.first(.grpcStatus) ?? trailers?.first(.grpcStatus))
            }
            await connection.close()
            #expect(statuses == ["0", "16"])
            #expect(silo.verifier.refusalCounts == [.replayed: 1])
        }
    }

    @Test func `calls to nowhere configured, and from cell to cell, send nothing`() async throws {
        let keys = try SignatureFixture.keys()
        let us1 = try CellName("us1")
        let directory = try CellDirectory(
                cells: [Cell(name: us1, address: "")], fallbackCell: us1)
        let transport = SignedTransport(keyring: try SiloKeyring(address: .control, keys: keys), directory: directory)
        await #expect(throws: SiloError.self) { try await transport.send(Fixture.call()) }
        let cell = SignedTransport(
            keyring: try SiloKeyring(address: SignatureFixture.eu1, keys: keys), directory: directory)
        let error = await #expect(throws: SiloError.self) { try await cell.send(Fixture.call()) }
        guard case .forbidden = error else { return #expect(Bool(false), "\(String(describing: error))") }
    }

    @Test func `without a key for a silo nothing is sent to it, and the setting is named`() async throws {
        let keys = try SignatureFixture.keys()
        try await TestSilo.run(Fixture.us1, keys: keys, handler: Self.echo) { silo in
            let others = keys.filter { $0.audience != Fixture.us1 }
            let error = await #expect(throws: SiloError.self) {
                try await silo.withTransport(keys: others) { transport in
                    try await SiloCaller(transport: transport).call(Fixture.call())
                }
            }
            #expect(error == .configuration("keys: control has none for calls to cell:us1"))
            #expect(silo.verifier.refusalCounts.isEmpty)
        }
    }

    @Test(arguments: [(503, "7", 7), (429, "120", 120), (503, "Sun, 22 Nov 2026 02:00:00 GMT", nil), (502, "7", nil)]
        as [(Int, String, Int?)])
    func `a machine on the way that asks to wait is heard`(status: Int, text: String, seconds: Int?) async throws {
        let count = StoredAnswersTests.Counter()
        try await ProxyTests.serve({ exchange in
            _ = count.next()
            exchange.sendHead(HTTPResponseHead(status: status, fields: [.retryAfter: text]))
            exchange.finish()
        }) { port in
            let keys = try SignatureFixture.keys()
            let us1 = try CellName("us1")
            let directory = try CellDirectory(
                cells: [Cell(name: us1, address: "http://127.0.0.1:\(port)")], fallbackCell: us1)
            let transport = SignedTransport(
                keyring: try SiloKeyring(address: .control, keys: keys), directory: directory)
            // Whoever has less time than it is asked to wait does not try again.
            let error = await #expect(throws: SiloError.self) {
                try await SiloCaller(transport: transport, policy: Fixture.quick)
                    .call(Fixture.call(timeout: .seconds(5)))
            }
            guard case .unavailable(_, _, let retryAfter) = error else {
                return #expect(Bool(false), "\(String(describing: error))")
            }
            #expect(retryAfter == seconds.map { .seconds($0) })
            #expect(count.count == (seconds == nil ? 3 : 1))
            await transport.close()
        }
    }

    @Test func `a silo that is down is told at once, and the breaker then sends nothing until it is up`() async throws {
        let keys = try SignatureFixture.keys()
        var policy = Fixture.quick
        policy.breakerFailures = 2
        policy.breakerPause = .milliseconds(50)
        let us1 = try CellName("us1")
        // A port that nobody listens on any more.
        let port = try await TestSilo.run(Fixture.us1, keys: keys, handler: Self.echo) { $0.port }
        let directory = try CellDirectory(
                cells: [Cell(name: us1, address: "http://127.0.0.1:\(port)")], fallbackCell: us1)
        let transport = SignedTransport(keyring: try SiloKeyring(address: .control, keys: keys), directory: directory)
        let caller = SiloCaller(transport: transport, policy: policy)
        for _ in 0..<3 {
            let error = await #expect(throws: SiloError.self) { try await caller.call(Fixture.call()) }
            guard case .unavailable = error else { return #expect(Bool(false), "\(String(describing: error))") }
        }
        #expect(!caller.isOpen(Fixture.us1))
        await transport.close()
    }

    @Test func `what a service throws by accident stays in its log`() async throws {
        struct Secret: Error {}
        let keys = try SignatureFixture.keys()
        let log = LogLines()
        try await TestSilo.run(
            Fixture.us1, keys: keys, logger: log.logger, handler: { _, _ in throw Secret() }
        ) { silo in
            try await silo.withTransport(keys: keys) { transport in
                let error = await #expect(throws: SiloError.self) {
                    try await SiloCaller(transport: transport).call(Fixture.call())
                }
                guard case .remote(_, let message, let requestID) = error else {
                    return #expect(Bool(false), "\(String(describing: error))")
                }
                #expect(!message.contains("Secret"))
                #expect(
                    log.all.contains { $0.contains("Secret()") && $0.contains(requestID) && $0.contains("control") })
            }
        }
    }
}

/// Keeps what is logged.
final class LogLines: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }
    var logger: Logger { Logger(label: "test", factory: { _ in Handler(lines: self) }) }

    private struct Handler: LogHandler {
        let lines: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.lines.withLock { $0.append("\(event.message) \(event.metadata ?? [:])") }
        }
    }
}
