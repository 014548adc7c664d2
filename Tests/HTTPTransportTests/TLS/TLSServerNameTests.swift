import Foundation
import Logging
import Testing

@testable import HTTPTransport

/// Which certificate a server shows (RFC 6066 section 3, RFC 9525 section 6.3).
@Suite(.timeLimit(.minutes(5))) struct TLSServerNameTests {
    private let certificates: TestCertificates

    init() throws { certificates = try TestCertificates.make() }

    /// `server` is for localhost and *.example.test.
    private func server(_ names: [String] = ["elsewhere", "own", "exact", "wild", "chained"]) -> TLSServerConfiguration
    {
        var tls = certificates.server()
        tls.additionalIdentities = names.map(certificates.identity)
        return tls
    }

    @Test(
        arguments: [
            ("localhost", "server", true), ("a.example.test", "server", true), ("exact.example.test", "exact", true),
            ("EXACT.Example.Test", "exact", true), ("elsewhere.test", "elsewhere", true), ("a.wild.test", "wild", true),
            ("A.WILD.TEST", "wild", true), ("own.wild.test", "own", true), ("chained.test", "chained", true),
            // One label exactly, and never the parent.
            ("a.b.wild.test", "server", false), ("wild.test", "server", false), ("x.own.wild.test", "server", false),
            ("unknown", "server", false),
        ], TLSVersion.allCases)
    func `the name that is asked for chooses`(
        _ each: (name: String, shown: String, isValid: Bool), version: TLSVersion
    ) throws {
        var client = certificates.client()
        client.versions = version...version
        let pair = try TLSEnginePair(client, server(), host: each.name)
        pair.run()
        if each.isValid {
            #expect(pair.client.session?.peerIdentity?.subject == "CN=\(each.shown),O=Example")
        } else {
            #expect(pair.clientError?.description.contains("it is for localhost") == true)
        }
    }

    @Test(arguments: TLSVersion.allCases)
    func `clients verify what they get, chain included`(version: TLSVersion) throws {
        for name in ["localhost", "elsewhere.test", "exact.example.test", "b.wild.test", "chained.test"] {
            var client = certificates.client(serverName: name)
            client.versions = version...version
            let pair = try TLSEnginePair(client, server())
            pair.run()
            #expect(pair.isOpen, "\(name): \(String(describing: pair.clientError))")
        }
    }

    @Test func `a client without a server name gets the default`() throws {
        let pair = try TLSEnginePair(certificates.client(serverName: "127.0.0.1"), server())
        pair.run()
        #expect(pair.isOpen)
        #expect(pair.client.session?.peerIdentity?.subject == "CN=server,O=Example")
    }

    @Test(arguments: TLSVersion.allCases)
    func `sessions resume, and mutual TLS holds, under every name`(version: TLSVersion) throws {
        var tls = server()
        tls.clientCertificates = certificates.required
        let serverContext = try TLSContext(tls)
        var client = certificates.client("client")
        client.versions = version...version
        let clientContext = try TLSContext(client)
        for round in 0..<2 {
            for name in ["localhost", "elsewhere.test", "c.wild.test"] {
                let pair = try TLSEnginePair(client: clientContext, server: serverContext, host: name)
                pair.run()
                try pair.server.send([1])
                pair.run()
                #expect(pair.isOpen)
                #expect(pair.client.session?.isResumed == (round > 0), "\(name)")
                #expect(pair.server.session?.serverName == name)
                #expect(pair.server.session?.peerIdentity?.subject == "CN=client,O=Example")
            }
        }
        let anonymous = try TLSEnginePair(
            client: TLSContext(certificates.client()), server: serverContext, host: "elsewhere.test")
        anonymous.run()
        #expect(anonymous.serverError?.kind == .certificateRejected)
    }

    @Test func `the first of two certificates for a name is shown, with a warning`() throws {
        let context = try TLSContext(server(["renewed", "elsewhere"]))
        #expect(context.warnings.count == 2)
        for name in ["localhost", "*.example.test"] {
            let text =
                "\(name) is in certificate \(certificates.file("server.pem")) and in additional certificate "
                + "\(certificates.file("renewed.pem")): the first is shown"
            #expect(context.warnings.contains(text), "\(context.warnings)")
        }
    }

    @Test(arguments: [
        ("nameless", "additional certificate FOLDER/nameless.pem has no DNS name (subjectAltName)"),
        ("missing", "additional certificate: cannot read FOLDER/missing.pem: No such file or directory"),
    ])
    func `a certificate that cannot serve is named`(name: String, text: String) throws {
        let error = #expect(throws: TLSError.self) { try TLSContext(server(["elsewhere", name])) }
        let expected = text.replacingOccurrences(of: "FOLDER", with: certificates.folder)
        #expect(error?.description.contains(expected) == true, "\(String(describing: error))")
    }

    @Test func `openssl s_client gets the certificate of its name, and all are replaced without restart`() async throws
    {
        let folder = certificates.folder + "/names-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        func install(_ name: String, as target: String) throws {
            for kind in ["pem", "key"] {
                let bytes = try Data(contentsOf: URL(fileURLWithPath: certificates.file("\(name).\(kind)")))
                try bytes.write(to: URL(fileURLWithPath: "\(folder)/\(target).\(kind)"), options: .atomic)
            }
        }
        try install("server", as: "default")
        try install("elsewhere", as: "other")
        var tls = TLSServerConfiguration(certificateFile: "\(folder)/default.pem", keyFile: "\(folder)/default.key")
        tls.additionalIdentities = [
            TLSIdentity(certificateChain: .file("\(folder)/other.pem"), privateKey: .file("\(folder)/other.key"))
        ]
        tls.reloadInterval = nil
        let server = try await HTTPServer.start(
            HTTPServerConfiguration(tls: tls, timeouts: .patient), group: testGroup, logger: LoggerFactory.quiet,
            handler: echo)
        func subject(_ name: String) async throws -> String {
            let command = """
                timeout 30 openssl s_client -connect 127.0.0.1:\(server.port) \
                -CAfile \(certificates.file("servers.pem")) \
                -verify_return_error -verify_hostname \(name) -servername \(name) -alpn h2 </dev/null 2>&1
                """
            let text = try await ForeignPeerTests.run("/bin/bash", ["-c", command])
            #expect(text.contains("Verify return code: 0 (ok)"), "\(text.suffix(400))")
            let line = text.split(separator: "\n").first { $0.hasPrefix("subject=") } ?? ""
            return String(line.split(separator: " ").last ?? "")
        }
        #expect(try await subject("localhost") == "server")
        #expect(try await subject("elsewhere.test") == "elsewhere")
        try install("renewed", as: "default")
        try install("wild", as: "other")
        try await server.reloadCertificates()
        #expect(try await subject("localhost") == "renewed")
        #expect(try await subject("a.wild.test") == "wild")
        // One that cannot be used leaves all as they are.
        try install("server", as: "default")
        try Data("nonsense".utf8).write(to: URL(fileURLWithPath: "\(folder)/other.pem"))
        let error = await #expect(throws: TLSError.self) { try await server.reloadCertificates() }
        #expect(error?.description.contains("\(folder)/other.pem") == true)
        #expect(try await subject("localhost") == "renewed")
        #expect(try await subject("a.wild.test") == "wild")
        await server.shutdown(gracePeriod: .zero)
    }
}
