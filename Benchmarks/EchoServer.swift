import ArgumentParser
import Foundation
import FrameCodec
import HTTPTransport
import Logging
import NIOPosix
import RPC
import SiloRPC
import Storage

/// The server that is measured: one event loop; methods that echo, list and stream.
struct EchoServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "echo-server",
        abstract: "Serves /benchmark.Echo/Unary, UnaryAsync, List and Stream until it is killed."
    )

    @Option(help: "TCP port; 0 takes a free one.")
    var port = 0

    @Option(help: "Event loop threads.")
    var threads = 1

    @Option(help: "PEM file with a certificate: TLS.")
    var tlsCertificate: String?

    @Option(help: "PEM file with its key.")
    var tlsKey: String?

    @Flag(help: "Check API keys and count calls, as the gateway does.")
    var secured = false

    /// The only key of a secured server.
    static let key = "benchmark-key-0123456789"

    func run() async throws {
        let logger = Logger(label: "echo-server")
        // As the gateway's.
        let interceptors: [any ServerInterceptor] =
            secured
            ? [TraceContextInterceptor(), try await keyCheck(), OrganizationShareInterceptor(maximumRunningCalls: 2048)]
            : []
        let server = RPCServer(services: [EchoService()], interceptors: interceptors, logger: logger)
        var configuration = HTTPServerConfiguration()
        configuration.address = .tcp(host: "127.0.0.1", port: port)
        // The load has only one address.
        configuration.limits.connectionsPerAddress = nil
        if let tlsCertificate, let tlsKey {
            configuration.tls = TLSServerConfiguration(certificateFile: tlsCertificate, keyFile: tlsKey)
        }
        let http = try await HTTPServer.start(
            configuration, group: MultiThreadedEventLoopGroup(numberOfThreads: threads), logger: logger, service: server
        )
        // Not `print`: it would stay in a buffer, since standard output is a pipe.
        FileHandle.standardOutput.write(Data("ready \(http.port)\n".utf8))
        try await Task.sleep(for: .seconds(3600))
    }
}

extension EchoServerCommand {
    /// Makes a certificate with the `openssl` program, for ``certificateArguments(folder:)``.
    static func makeCertificate(folder: String) throws {
        _ = try ChildProcess.output(
            "openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                "/CN=localhost",
                "-days", "2", "-keyout", "\(folder)/key", "-out", "\(folder)/certificate",
            ])
    }

    static func certificateArguments(folder: String) -> [String] {
        ["--tls-certificate", "\(folder)/certificate", "--tls-key", "\(folder)/key"]
    }

    private func keyCheck() async throws -> APIKeyInterceptor {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("benchmarks-\(UUID().uuidString)")
        let database = try Database.open(
            path: folder.appendingPathComponent("keys.sqlite").path, migrations: SiloSchema.migrations
        )
        let organization = try await OrganizationStore(database).create(slug: "benchmark")
        let keys = APIKeyStore(database)
        _ = try await keys.create(organizationID: organization.id, text: Self.key)
        return APIKeyInterceptor(keys: keys)
    }
}

private struct EchoService: RPCService {
    private static func descriptor(_ method: String, _ kind: MethodDescriptor.Kind = .unary) -> MethodDescriptor {
        MethodDescriptor(service: "benchmark.Echo", method: method, kind: kind)
    }

    private static let repositories = SampleData.repositories(100)
    private static let kilobyte = Protobuf.BytesValue(value: [UInt8](repeating: 0x78, count: 1021))

    var methods: [RPCMethod] {
        [
            .unary(Self.descriptor("Unary")) { (request: Protobuf.BytesValue, _) in request },
            .unary(Self.descriptor("UnaryAsync")) { (request: Protobuf.BytesValue, _) in await Self.echo(request) },
            .unary(Self.descriptor("List")) { (_: Protobuf.BytesValue, _) in Self.repositories },
            .serverStreaming(Self.descriptor("Stream", .serverStreaming)) {
                (_: Protobuf.BytesValue, writer: ResponseWriter<Protobuf.BytesValue>, _) in
                for _ in 0..<1000 { try await writer.send(Self.kilobyte) }
            },
        ]
    }

    private static func echo(_ request: Protobuf.BytesValue) async -> Protobuf.BytesValue { request }
}
