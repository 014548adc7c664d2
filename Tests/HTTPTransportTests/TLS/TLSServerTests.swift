import Foundation
import HTTPTransport
import Logging
import NIOCore
import NIOPosix
import Testing

/// TLS on real sockets.
@Suite(.timeLimit(.minutes(5))) struct TLSServerTests {
    private let certificates: TestCertificates

    init() throws { certificates = try TestCertificates.make() }

    /// Runs `body` against a server with this TLS.
    private func withTLSServer<Result>(
        _ tls: TLSServerConfiguration, timeouts: HTTPTimeouts = .patient, handler: @escaping HTTPHandler = echo,
        body: (HTTPServer) async throws -> Result
    ) async throws -> Result {
        let server = try await HTTPServer.start(
            HTTPServerConfiguration(tls: tls, timeouts: timeouts), group: testGroup, logger: LoggerFactory.quiet,
            handler: handler)
        do {
            let result = try await body(server)
            await server.shutdown(gracePeriod: .milliseconds(200))
            return result
        } catch {
            await server.shutdown(gracePeriod: .zero)
            throw error
        }
    }

    private func connect(
        _ server: HTTPServer, _ version: HTTPClientProtocol = .http2, _ tls: TLSClientConfiguration,
        host: String = "localhost"
    ) async throws -> HTTPClientConnection {
        try await HTTPClientConnection.connect(
            host: host, port: server.port, protocol: version, tls: tls, group: testGroup)
    }

    // MARK: Who it is

    @Test(arguments: [HTTPClientProtocol.http1, .http2])
    func `the handler sees scheme, version and the client's identity`(version: HTTPClientProtocol) async throws {
        let handler: HTTPHandler = { exchange in
            let seen = [
                exchange.head.scheme ?? "-", exchange.tls?.serverName ?? "-", exchange.peerIdentity?.subject ?? "-",
                exchange.peerIdentity?.uris.first ?? "-",
            ]
            exchange.sendLast(ByteBuffer(string: seen.joined(separator: " ")))
        }
        try await withTLSServer(certificates.server(clients: certificates.optional), handler: handler) { server in
            for (identity, text) in [
                (nil, "https localhost - -"),
                ("client", "https localhost CN=client,O=Example spiffe://example.test/billing"),
            ] {
                let client = try await connect(server, version, certificates.client(identity))
                #expect(client.tls?.peerIdentity?.dnsNames.first == "localhost")
                #expect(String(decoding: try await client.call().body, as: UTF8.self) == text)
                await client.close()
            }
        }
    }

    @Test(arguments: [HTTPClientProtocol.http1, .http2])
    func `a request for another host than the handshake's is 421 where client certificates are asked for`(
        version: HTTPClientProtocol
    ) async throws {
        for (clients, status) in [(TLSClientCertificates.none, 200), (certificates.optional, 421)] {
            try await withTLSServer(certificates.server(clients: clients)) { server in
                for (authority, expected) in [
                    ("localhost:\(server.port)", 200), ("LOCALHOST", 200), ("a.example.test", status),
                    ("localhost.example.test", status), ("xlocalhost", status),
                ] {
                    let client = try await connect(server, version, certificates.client())
                    let exchange = try await client.start(
                        HTTPRequestHead(method: .get, path: "/", authority: authority))
                    exchange.finish()
                    #expect(try await exchange.responseHead().status == expected, "\(authority)")
                    await client.close()
                }
            }
        }
    }

    @Test func `an anonymous client is refused where a certificate is required, others go on`() async throws {
        try await withTLSServer(certificates.server(clients: certificates.required)) { server in
            let good = try await connect(server, certificates.client("client"))
            #expect(try await good.call(body: [1, 2]).body == [1, 2])
            for identity in [nil, "stranger", "expired-client", "wrong-usage"] {
                // With TLS 1.3 the handshake is over for the client when the server's alert comes.
                let error = await #expect(throws: (any Error).self) {
                    let client = try await connect(server, certificates.client(identity))
                    _ = try await client.call()
                }
                let text = "\(error.map { "\($0)" } ?? "")"
                #expect(text.contains("alert") || text.contains("refused"), "\(text)")
            }
            #expect(try await good.call(body: [3]).body == [3])
            await good.close()
        }
    }

    private func connect(_ server: HTTPServer, _ tls: TLSClientConfiguration) async throws -> HTTPClientConnection {
        try await connect(server, .http2, tls)
    }

    // MARK: What is agreed on

    @Test func `ALPN decides the protocol of a client that speaks both`() async throws {
        try await withTLSServer(certificates.server()) { server in
            var tls = certificates.client()
            for (offered, chosen) in [
                ([HTTPClientProtocol.http1], HTTPClientProtocol.http1), ([.http1, .http2], .http2),
            ] {
                tls.applicationProtocols = offered
                let client = try await connect(server, tls)
                #expect(client.tls?.applicationProtocol == chosen)
                #expect(try await client.call(body: [7]).body == [7])
                await client.close()
            }
        }
    }

    @Test(arguments: [HTTPClientProtocol.http1, .http2])
    func `connections of one configuration resume`(version: HTTPClientProtocol) async throws {
        try await withTLSServer(certificates.server()) { server in
            let tls = certificates.client()
            for round in 0..<3 {
                let client = try await connect(server, version, tls)
                #expect(try await client.call(body: [1]).body == [1])
                #expect(client.tls?.isResumed == (round > 0))
                await client.close()
            }
        }
    }

    // MARK: Mistakes

    @Test func `clear text to a port with TLS gets an answer in clear text`() async throws {
        try await withTLSServer(certificates.server()) { server in
            let answer = try await RawPeer.with(port: server.port) { peer in
                try await peer.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                return try await peer.receiveAll()
            }
            #expect(answer.hasPrefix("HTTP/1.1 400 "))
            #expect(answer.hasSuffix("use https://\n"))
        }
    }

    @Test func `TLS to a clear-text port is an error that says so`() async throws {
        try await withServer(handler: echo) { server in
            let error = await #expect(throws: HTTPConnectionError.self) {
                _ = try await connect(server, certificates.client())
            }
            #expect(
                error?.description == "cannot connect to localhost:\(server.port): TLS: the server does not speak TLS "
                    + "on this port; use http, or the port with TLS")
        }
    }

    @Test func `a wrong host is an error of the connection, with the names that are right`() async throws {
        try await withTLSServer(certificates.server("elsewhere")) { server in
            let error = await #expect(throws: HTTPConnectionError.self) {
                _ = try await connect(server, certificates.client())
            }
            #expect(error?.description.contains("it is for elsewhere.test, not for localhost") == true)
            let named = certificates.client(serverName: "elsewhere.test")
            let client = try await connect(server, named)
            #expect(try await client.call(body: [5]).body == [5])
            await client.close()
        }
    }

    @Test func `a peer that never finishes its handshake is closed, the others are served`() async throws {
        var timeouts = HTTPTimeouts()
        timeouts.tlsHandshake = .seconds(2)
        try await withTLSServer(certificates.server(), timeouts: timeouts) { server in
            let client = try await connect(server, certificates.client())
            for begin in [[], [22, 3, 1, 2, 0, 1]] as [[UInt8]] {
                let rest = try await RawPeer.with(port: server.port) { peer in
                    if !begin.isEmpty { try await peer.send(begin) }
                    return try await peer.receiveAll()
                }
                #expect(rest.isEmpty)
            }
            #expect(try await client.call(body: [1]).body == [1])
            await client.close()
            #expect(await eventually { server.connectionCount == 0 })
        }
    }

    @Test(arguments: [
        ("missing.pem", "server.key", "cannot read FOLDER/missing.pem: No such file or directory"),
        ("server.key", "server.key", "FOLDER/server.key holds no \"-----BEGIN CERTIFICATE-----\""),
        ("server.pem", "renewed.key", "the key in FOLDER/renewed.key does not fit the first certificate"),
        ("server.pem", "encrypted.key", "FOLDER/encrypted.key is encrypted; write it without a passphrase"),
        ("server.pem", "server.pem", "FOLDER/server.pem holds no private key"),
    ])
    func `files that cannot be used are named`(certificate: String, key: String, text: String) async throws {
        let tls = TLSServerConfiguration(
            certificateFile: certificates.file(certificate), keyFile: certificates.file(key))
        let error = await #expect(throws: TLSError.self) { try await withTLSServer(tls) { _ in } }
        let expected = text.replacingOccurrences(of: "FOLDER", with: certificates.folder)
        #expect(error?.description.contains(expected) == true, "\(String(describing: error))")
    }

    // MARK: Reload

    @Test func `a client's new files are used by new connections, broken ones by none`() async throws {
        let path = certificates.folder + "/client-\(UUID().uuidString).pem"
        func install(_ bytes: Data) throws { try bytes.write(to: URL(fileURLWithPath: path), options: .atomic) }
        func read(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: certificates.file(name))) }
        // Certificate and key in one file, so that they change together.
        func pair(_ name: String) throws -> Data { try read("\(name).pem") + (try read("\(name).key")) }
        let handler: HTTPHandler = { exchange in
            exchange.sendLast(ByteBuffer(string: exchange.peerIdentity?.subject ?? "-"))
        }
        try install(try pair("client"))
        var tls = certificates.client()
        tls.identity = TLSIdentity(certificateChain: .file(path), privateKey: .file(path))
        let configuration = tls
        try await withTLSServer(certificates.server(clients: certificates.optional), handler: handler) { server in
            func subject() async throws -> String {
                let client = try await connect(server, configuration)
                let body = try await client.call().body
                await client.close()
                return String(decoding: body, as: UTF8.self)
            }
            #expect(try await subject() == "CN=client,O=Example")
            let other = try pair("other-client")
            try install(other)
            #expect(try await subject() == "CN=client,O=Example", "nobody has asked for the new files")
            try await configuration.readFilesAgain()
            #expect(try await subject() == "CN=other-client,O=Example")
            try install(Data("nonsense".utf8))
            await #expect(throws: TLSError.self) { try await configuration.readFilesAgain() }
            #expect(try await subject() == "CN=other-client,O=Example")
        }
    }

    @Test(arguments: TLSVersion.allCases)
    func `who is trusted changes with the file, for tickets of before too`(version: TLSVersion) async throws {
        let path = certificates.folder + "/authorities-\(UUID().uuidString).pem"
        func install(_ name: String) throws {
            try Data(contentsOf: URL(fileURLWithPath: certificates.file(name)))
                .write(to: URL(fileURLWithPath: path), options: .atomic)
        }
        try install("clients.pem")
        var tls = certificates.server(clients: .required(trustRoots: .file(path)))
        tls.reloadInterval = nil
        try await withTLSServer(tls) { server in
            var (trusted, stranger) = (certificates.client("client"), certificates.client("stranger"))
            trusted.versions = version...version
            stranger.versions = version...version
            let open = try await connect(server, trusted)
            #expect(try await open.call(body: [1]).body == [1])
            for tls in [trusted, stranger] {
                let isGood = tls.identity == trusted.identity
                let isResumed = try? await callOnce(server, tls)
                #expect(isResumed == (isGood ? true : nil), "resumed, or refused")
            }
            try install("strangers.pem")
            try await server.reloadCertificates()
            await #expect(throws: (any Error).self, "its ticket is worth nothing now") {
                try await callOnce(server, trusted)
            }
            #expect(try await callOnce(server, stranger) == false)
            // Connections of before go on.
            #expect(try await open.call(body: [2]).body == [2])
            await open.close()
        }
    }

    /// Connects and calls; whether the session was resumed.
    private func callOnce(_ server: HTTPServer, _ tls: TLSClientConfiguration) async throws -> Bool? {
        let client = try await connect(server, tls)
        let answer = try await client.call(body: [1])
        #expect(answer.body == [1])
        let isResumed = client.tls?.isResumed
        await client.close()
        return isResumed
    }

    @Test(arguments: [true, false])
    func `new files are used by new connections, broken ones by none`(watches: Bool) async throws {
        let folder = certificates.folder + "/reload-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        func install(_ name: String) throws {
            for kind in ["pem", "key"] {
                let bytes = try Data(contentsOf: URL(fileURLWithPath: certificates.file("\(name).\(kind)")))
                try bytes.write(to: URL(fileURLWithPath: "\(folder)/current.\(kind)"), options: .atomic)
            }
        }
        try install("server")
        var tls = TLSServerConfiguration(certificateFile: "\(folder)/current.pem", keyFile: "\(folder)/current.key")
        tls.reloadInterval = watches ? .milliseconds(20) : nil
        try await withTLSServer(tls) { server in
            func subject() async throws -> String? {
                let client = try await connect(server, certificates.client())
                defer { Task { await client.close() } }
                return client.tls?.peerIdentity?.subject
            }
            let old = try await connect(server, certificates.client())
            #expect(try await subject() == "CN=server,O=Example")
            try install("renewed")
            if !watches { try await server.reloadCertificates() }
            var seen = try await subject()
            for _ in 0..<1_000 where seen != "CN=renewed,O=Example" {
                try await Task.sleep(for: .milliseconds(10))
                seen = try await subject()
            }
            #expect(seen == "CN=renewed,O=Example")
            #expect(try await old.call(body: [9]).body == [9])
            try Data("nonsense".utf8).write(to: URL(fileURLWithPath: "\(folder)/current.pem"))
            let error = await #expect(throws: TLSError.self) { try await server.reloadCertificates() }
            #expect(error?.description.contains("\(folder)/current.pem") == true)
            #expect(try await subject() == "CN=renewed,O=Example")
            await old.close()
        }
    }

    @Test func `clear text, TLS and a Unix socket lead to one handler`() async throws {
        let path = "/tmp/http-\(UUID().uuidString.prefix(8)).sock"
        var configuration = HTTPServerConfiguration(timeouts: .patient)
        configuration.additionalListeners = [
            HTTPListener(.tcp(host: "127.0.0.1", port: 0), tls: certificates.server()), HTTPListener(.unix(path: path)),
        ]
        let server = try await HTTPServer.start(
            configuration, group: testGroup, logger: LoggerFactory.quiet, handler: echo)
        let ports = server.localAddresses.map(\.port)
        #expect(ports.count == 3)
        #expect(server.localAddresses.last?.pathname == path)
        let clear = try await HTTPClientConnection.connect(
            host: "127.0.0.1", port: try #require(ports[0]), group: testGroup)
        #expect(try await clear.call(body: [1]).body == [1])
        let secure = try await HTTPClientConnection.connect(
            host: "127.0.0.1", port: try #require(ports[1]), tls: certificates.client(), group: testGroup)
        #expect(try await secure.call(body: [2]).body == [2])
        await clear.close()
        await secure.close()
        await server.shutdown(gracePeriod: .seconds(1))
        #expect(!FileManager.default.fileExists(atPath: path))
    }
}
