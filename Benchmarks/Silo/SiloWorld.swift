import Foundation
import FrameCodec
import HTTPTransport
import Logging
import NIOCore
import NIOPosix
import RPC
import SiloRPC

/// A service that does nothing, so that the way to it is what is measured.
struct FixedMapping: OrganizationMappingService {
    static let mapping = OrganizationMapping(
        organizationID: 7, slug: "acme", cellName: "us1", sequence: 12, createdAt: 1_700_000_000_000)

    func get(organizationID: Int64) async throws -> OrganizationMapping? { Self.mapping }
    func getBySlug(slug: String) async throws -> OrganizationMapping? { Self.mapping }
    func create(slug: String, cellName: String) async throws -> OrganizationMapping { Self.mapping }
    func listChanges(
        epoch: String, after: Int64, pageSize: Int32
    ) async throws -> OrganizationMappingServiceListChangesResponse { .init() }
}

/// Control and a cell that calls it, in this process: signed, plain, and as JSON.
struct SiloWorld: Sendable {
    private static let jsonPath = "/api/0/internal/rpc/organization_mapping/get/"
    private static let service = OrganizationMappingServiceMethod.get.descriptor.service

    private let servers: [HTTPServer]
    private let transport: SignedTransport
    private let delegate: OrganizationMappingServiceDelegate
    private let channel: RPCChannel
    private let client: HTTPClient
    private let rpc0: RPC0Verifier
    private let jsonURL: HTTPURL

    static func monolith(_ options: Silo.Options = Silo.Options()) throws -> Silo {
        try Silo(mode: .monolith, directory: CellDirectory(cells: [], fallbackCell: try CellName("us1")), options: options)
    }

    static func start() async throws -> SiloWorld {
        let us1 = SiloAddress.cell(try CellName("us1"))
        let secret = Array("a secret of more than thirty-two bytes".utf8)
        let keys = [
            try SiloKey(id: "us1-control", source: us1, audience: .control, secret: secret),
            try SiloKey(id: "control-us1", source: .control, audience: us1, secret: secret),
        ]
        let verifier = SiloVerifier(keyring: try SiloKeyring(address: .control, keys: keys))
        let rpc0 = try RPC0Verifier(secrets: [secret])
        let control = OrganizationMappingServiceDispatch(FixedMapping(), silo: try monolith())
        let guarded = try await serve(
            RPCServer(
                services: [control],
                interceptors: [
                    SiloSignatureInterceptor(verifier: verifier, services: [service]),
                    SiloErrorInterceptor(services: [service], logger: quiet),
                ], logger: quiet))
        let open = try await serve(
            RPCServer(services: [control], routes: [jsonRoute(rpc0)], logger: quiet))
        return try SiloWorld(us1, keys, rpc0, guarded, open)
    }

    private init(
        _ us1: SiloAddress, _ keys: [SiloKey], _ rpc0: RPC0Verifier, _ guarded: HTTPServer, _ open: HTTPServer
    ) throws {
        servers = [guarded, open]
        let cell = try CellName("us1")
        let directory = try CellDirectory(
            cells: [Cell(name: cell, address: "http://127.0.0.1:1")], fallbackCell: cell,
            controlAddress: "http://127.0.0.1:\(guarded.port)")
        transport = SignedTransport(keyring: try SiloKeyring(address: us1, keys: keys), directory: directory)
        delegate = try OrganizationMappingServiceDelegate(
            try Silo(
                mode: .cell, cell: cell, directory: directory, organizations: Nowhere(),
                caller: SiloCaller(transport: transport)))
        channel = try RPCChannel("http://127.0.0.1:\(open.port)")
        var settings = HTTPClient.Configuration()
        settings.maximumConnectionsPerAddress = 64
        client = HTTPClient(settings)
        self.rpc0 = rpc0
        jsonURL = try HTTPURL("http://127.0.0.1:\(open.port)\(Self.jsonPath)")
    }

    func stop() async {
        await transport.close()
        await channel.close()
        await client.shutdown()
        for server in servers { await server.shutdown(gracePeriod: .zero) }
    }

    // MARK: Calls

    func plain() async throws {
        let answer: OrganizationMappingServiceGetResponse = try await channel.unary(
            OrganizationMappingServiceMethod.get.descriptor, OrganizationMappingServiceGetRequest(organizationID: 7))
        precondition(answer.mapping?.slug == "acme")
    }

    func signed() async throws {
        let mapping = try await delegate.get(organizationID: 7)
        precondition(mapping?.slug == "acme")
    }

    func json() async throws {
        let arguments = try OrganizationMappingServiceGetRequest(organizationID: 7).jsonString()
        let body = Array(#"{"meta":{},"args":\#(arguments)}"#.utf8)
        var fields: HTTPFields = [.contentType: "application/json; charset=utf-8"]
        fields.append(.authorization, "Rpcsignature \(rpc0.sign(path: Self.jsonPath, body: body))")
        let response = try await client.execute(
            HTTPClientRequest(.post, jsonURL, fields: fields, body: .bytes(ByteBuffer(bytes: body))))
        let text = String(decoding: try await response.body.collect().readableBytesView, as: UTF8.self)
        guard let value = Self.part("value", of: text) else { preconditionFailure("status \(response.status)") }
        let answer = try OrganizationMappingServiceGetResponse(jsonString: value)
        precondition(answer.mapping?.slug == "acme")
    }

    // MARK: Served

    private static func jsonRoute(_ rpc0: RPC0Verifier) -> HTTPRoute {
        let service = FixedMapping()
        return HTTPRoute(.post, jsonPath) { exchange in
            var body = exchange.takeCompleteBody() ?? ByteBuffer()
            while let bytes = try? await exchange.readBody() { body.writeImmutableBuffer(bytes) }
            let token = exchange.fields.first(.authorization)?.split(separator: " ").last.map(String.init) ?? ""
            let isValid = body.withUnsafeReadableBytes { rpc0.isValid(token, path: exchange.head.path, body: $0) }
            let text = String(decoding: body.readableBytesView, as: UTF8.self)
            guard isValid, let arguments = part("args", of: text),
                let request = try? OrganizationMappingServiceGetRequest(jsonString: arguments),
                let mapping = try? await service.get(organizationID: request.organizationID),
                let value = try? OrganizationMappingServiceGetResponse(mapping: mapping).jsonString()
            else {
                exchange.sendHead(HTTPResponseHead(status: 401))
                return exchange.finish()
            }
            exchange.sendHead(HTTPResponseHead(status: 200, fields: [.contentType: "application/json"]))
            exchange.sendLast(ByteBuffer(string: #"{"meta":{},"value":\#(value)}"#))
        }
    }

    /// The last member of the envelope; cheaper than any parser, which only helps the JSON form.
    private static func part(_ name: String, of text: String) -> String? {
        guard let start = text.range(of: "\"\(name)\":") else { return nil }
        return String(text[start.upperBound...].dropLast())
    }

    private static func serve(_ rpc: RPCServer) async throws -> HTTPServer {
        var http = HTTPServerConfiguration()
        http.address = .tcp(host: "127.0.0.1", port: 0)
        return try await HTTPServer.start(
            http, group: MultiThreadedEventLoopGroup.singleton, logger: quiet, service: rpc)
    }

    private static var quiet: Logger {
        var logger = Logger(label: "benchmark")
        logger.logLevel = .critical
        return logger
    }
}

/// A cell without organizations.
private struct Nowhere: OrganizationCells {
    func cell(of organization: OrganizationReference) async throws -> String? { nil }
    func refreshedCell(of organization: OrganizationReference) async throws -> String? { nil }
    func someCells() async throws -> [String] { [] }
}
