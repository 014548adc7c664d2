import Foundation
import HTTPTransport
import Logging
import NIOPosix
import RPC
import SiloRPC

/// Control and a cell that calls it, in this process.
struct SiloWorld: Sendable {
    /// A call in one form.
    struct Form: Sendable {
        let name: String
        let call: @Sendable () async throws -> Void
    }

    /// The same call in all forms: plain, signed, as JSON.
    struct Question: Sendable {
        let name: String
        let forms: [Form]
    }

    private static let services: Set = [
        OrganizationMappingServiceMethod.get.descriptor.service, InstallationServiceMethod.list.descriptor.service,
    ]
    private typealias Mapping = JSONMethod<CodableForm.GetMapping, CodableForm.Mapping?>
    private typealias OwnMapping = JSONMethod<
        OrganizationMappingServiceGetRequest, OrganizationMappingServiceGetResponse
    >
    private typealias Installations = JSONMethod<CodableForm.ListInstallations, [CodableForm.Installation]>
    private typealias OwnInstallations = JSONMethod<InstallationServiceListRequest, InstallationServiceListResponse>

    private let servers: [HTTPServer]
    private let transport: SignedTransport
    private let mappings: OrganizationMappingServiceDelegate
    private let installations: InstallationServiceDelegate
    private let channel: RPCChannel
    private let client: HTTPClient
    private let foundation: SiloCaller
    private let own: SiloCaller

    static func monolith(_ options: Silo.Options = Silo.Options()) throws -> Silo {
        try Silo(
            mode: .monolith, directory: CellDirectory(cells: [], fallbackCell: try CellName("us1")), options: options)
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
        let control: [any RPCService] = [
            OrganizationMappingServiceDispatch(FixedMapping(), silo: try monolith()),
            InstallationServiceDispatch(FixedInstallations(), silo: try monolith()),
        ]
        let guarded = try await serve(
            RPCServer(
                services: control,
                interceptors: [
                    SiloSignatureInterceptor(verifier: verifier, services: services),
                    SiloErrorInterceptor(services: services, logger: quiet),
                ], logger: quiet))
        let open = try await serve(RPCServer(services: control, routes: jsonRoutes(rpc0), logger: quiet))
        return try SiloWorld(us1, keys, rpc0, guarded, open)
    }

    private static func jsonRoutes(_ rpc0: RPC0Verifier) -> [HTTPRoute] {
        let (mapping, installations) = (FixedMapping(), FixedInstallations())
        return [
            Mapping.foundation(OrganizationMappingServiceMethod.get).route(rpc0) { _ in CodableForm.mapping },
            OwnMapping.own(OrganizationMappingServiceMethod.get).route(rpc0) {
                OrganizationMappingServiceGetResponse(mapping: try await mapping.get(organizationID: $0.organizationID))
            },
            Installations.foundation(InstallationServiceMethod.list).route(rpc0) { _ in CodableForm.installations },
            OwnInstallations.own(InstallationServiceMethod.list).route(rpc0) {
                InstallationServiceListResponse(
                    installations: try await installations.list(
                        organizationID: $0.organizationID, provider: $0.provider))
            },
        ]
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
        let silo = try Silo(
            mode: .cell, cell: cell, directory: directory, organizations: Nowhere(),
            caller: SiloCaller(transport: transport))
        mappings = try OrganizationMappingServiceDelegate(silo)
        installations = try InstallationServiceDelegate(silo)
        let base = "http://127.0.0.1:\(open.port)"
        channel = try RPCChannel(base)
        var settings = HTTPClient.Configuration()
        settings.maximumConnectionsPerAddress = 64
        let client = HTTPClient(settings)
        self.client = client
        let json: (String) -> SiloCaller = { prefix in
            SiloCaller(transport: JSONTransport(client: client, base: base, prefix: prefix, rpc0: rpc0, source: us1))
        }
        foundation = json("/api/0/internal/rpc")
        own = json("/own")
    }

    func stop() async {
        await transport.close()
        await channel.close()
        await client.shutdown()
        for server in servers { await server.shutdown(gracePeriod: .zero) }
    }

    // MARK: Calls

    var questions: [Question] {
        [Question(name: "where an organization lives", forms: mappingForms),
         Question(name: "10 installations of an organization", forms: installationForms)]
    }

    private var mappingForms: [Form] {
        let method = OrganizationMappingServiceMethod.get
        return [
            Form(name: "plain echo") {
                let answer: OrganizationMappingServiceGetResponse = try await channel.unary(
                    method.descriptor, OrganizationMappingServiceGetRequest(organizationID: 7))
                precondition(answer.mapping?.slug == "acme")
            },
            Form(name: "signed remote") {
                let mapping = try await mappings.get(organizationID: 7)
                precondition(mapping?.slug == "acme")
            },
            Form(name: "JSON, HTTP/1.1") {
                let mapping = try await Mapping.foundation(method).call(foundation, .init(organizationID: 7))
                precondition(mapping?.slug == "acme")
            },
            Form(name: "JSON, own codec") {
                let answer = try await OwnMapping.own(method).call(own, .init(organizationID: 7))
                precondition(answer.mapping?.slug == "acme")
            },
        ]
    }

    private var installationForms: [Form] {
        let method = InstallationServiceMethod.list
        return [
            Form(name: "plain echo") {
                let answer: InstallationServiceListResponse = try await channel.unary(
                    method.descriptor, InstallationServiceListRequest(organizationID: 7, provider: ""))
                precondition(answer.installations.count == 10)
            },
            Form(name: "signed remote") {
                let list = try await installations.list(organizationID: 7, provider: "")
                precondition(list.count == 10)
            },
            Form(name: "JSON, HTTP/1.1") {
                let list = try await Installations.foundation(method).call(
                    foundation, .init(organizationID: 7, provider: ""))
                precondition(list.count == 10)
            },
            Form(name: "JSON, own codec") {
                let answer = try await OwnInstallations.own(method).call(own, .init(organizationID: 7, provider: ""))
                precondition(answer.installations.count == 10)
            },
        ]
    }

    // MARK: Served

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
