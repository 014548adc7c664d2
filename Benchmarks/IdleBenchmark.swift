import ArgumentParser
import Foundation
import FrameCodec
import HTTPTransport
import NIOCore
import NIOPosix

/// What connections that do nothing cost the server in memory.
struct IdleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "idle",
        abstract: "Resident memory of the server for each connection that has made one call and is idle.",
        discussion: """
            Opens connections from this process to a server of its own, makes one call on each, waits, and divides how \
            much the server has grown by the number of connections: HTTP/2 and HTTP/1.1, in clear text and over TLS \
            (which needs the openssl program). Two file descriptors for each connection are needed: see `ulimit -n`.
            """
    )

    @Option(help: "Connections of each form.")
    var connections = 9_900

    @Option(help: "KiB of the message that each connection sends, and gets back, before it does nothing.")
    var burst = 0

    @Option(help: "Run only forms whose name contains this text: HTTP/2, HTTP/1.1, TLS.")
    var filter: String?

    private struct Form {
        let name: String
        let httpProtocol: HTTPClientProtocol
        var isTLS = false
    }

    private static let forms = [
        Form(name: "HTTP/2", httpProtocol: .http2), Form(name: "HTTP/1.1", httpProtocol: .http1),
        Form(name: "HTTP/2, TLS", httpProtocol: .http2, isTLS: true),
        Form(name: "HTTP/1.1, TLS", httpProtocol: .http1, isTLS: true),
    ]

    func run() async throws {
        try BenchmarksCommand.refuseDebugBuild()
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("benchmarks-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        print("form            connections   KiB each   mappings")
        for form in Self.forms where filter.map({ form.name.contains($0) }) ?? true {
            if form.isTLS { try EchoServerCommand.makeCertificate(folder: folder.path) }
            let server = try MeasuredServer.echo(
                form.isTLS ? EchoServerCommand.certificateArguments(folder: folder.path) : [])
            defer { server.stop() }
            try await measure(form, server)
        }
    }

    private func measure(_ form: Form, _ server: MeasuredServer) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        // What the first connections cost once is not what the others cost.
        var open = try await connect(100, form, server.port, group)
        try await Task.sleep(for: .seconds(2))
        let before = server.residentBytes
        open += try await connect(connections, form, server.port, group)
        // The server's timers give back what an idle connection does not need.
        try await Task.sleep(for: .seconds(4))
        let grown = Double(server.residentBytes - before) / 1024 / Double(connections)
        let cells = ["\(connections)", BenchmarkTable.rounded(grown), "\(server.mappingCount)"]
        print(
            form.name + String(repeating: " ", count: 16 - form.name.count)
                + cells.map { String(repeating: " ", count: max(0, 11 - $0.count)) + $0 }.joined())
        withExtendedLifetime(open) {}
        try await group.shutdownGracefully()
    }

    private func connect(
        _ count: Int, _ form: Form, _ port: Int, _ group: any EventLoopGroup
    ) async throws -> [HTTPClientConnection] {
        var settings = HTTPClientConfiguration(connectTimeout: .seconds(60))
        if form.isTLS {
            settings.tls = TLSClientConfiguration()
            settings.tls?.dangerouslyTrustsAnyServer = true
        }
        let configuration = settings
        let request = Self.request(byteCount: max(16, burst * 1024))
        return try await withThrowingTaskGroup(of: HTTPClientConnection.self) { tasks in
            var open: [HTTPClientConnection] = []
            for index in 0..<count {
                if index >= 32, let connection = try await tasks.next() { open.append(connection) }
                tasks.addTask {
                    let connection = try await HTTPClientConnection.connect(
                        host: "127.0.0.1", port: port, protocol: form.httpProtocol, configuration: configuration,
                        group: group)
                    try await Self.call(on: connection, request)
                    return connection
                }
            }
            while let connection = try await tasks.next() { open.append(connection) }
            return open
        }
    }

    /// A framed `StringValue`.
    private static func request(byteCount: Int) -> ByteBuffer {
        let message = Protobuf.StringValue(value: String(repeating: "x", count: byteCount)).serializedBytes()
        return ByteBuffer(bytes: FrameHeader(flags: [], payloadByteCount: UInt32(message.count)).bytes + message)
    }

    private static func call(on connection: HTTPClientConnection, _ request: ByteBuffer) async throws {
        let isHTTP2 = connection.httpProtocol == .http2
        let exchange = try await connection.start(
            HTTPRequestHead(
                method: .post, path: "/benchmark.Echo/Unary",
                fields: [
                    .contentType: isHTTP2 ? "application/grpc" : "application/grpc-web", .te: "trailers",
                    .userAgent: "benchmark/1.0", .grpcTimeout: "10S",
                ]))
        async let sent: Void = {
            try await exchange.send(request)
            exchange.finish()
        }()
        guard try await exchange.responseHead().status == 200 else { throw ValidationError("the call failed") }
        while try await exchange.readBody() != nil {}
        try await sent
    }
}
