import COpenSSL
import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPTransport

/// The engine without a socket.
@Suite(.timeLimit(.minutes(5))) struct TLSEngineTests {
    private let certificates: TestCertificates

    init() throws { certificates = try TestCertificates.make() }

    private func pair(
        _ version: TLSVersion, host: String = "localhost", protocols: [HTTPClientProtocol] = [.http2, .http1]
    ) throws -> TLSEnginePair {
        var client = certificates.client()
        client.versions = version...version
        return try TLSEnginePair(client, certificates.server(), host: host, protocols: protocols)
    }

    private func contexts(
        _ version: TLSVersion, clients: TLSClientCertificates = .none, identity: String? = nil
    ) throws -> (client: TLSContext, server: TLSContext) {
        var client = certificates.client(identity)
        client.versions = version...version
        return (try TLSContext(client), try TLSContext(certificates.server(clients: clients)))
    }

    // MARK: Pieces

    @Test(arguments: TLSVersion.allCases, [1, 5, 100, .max])
    func `handshake and data arrive whole however the records are cut`(version: TLSVersion, size: Int) async throws {
        let pair = try pair(version)
        pair.run(cut: [size])
        #expect(pair.isOpen, "\(String(describing: pair.clientError)) \(String(describing: pair.serverError))")
        #expect(pair.server.session?.version == version)
        #expect(pair.client.session?.applicationProtocol == .http2)
        #expect(pair.server.session?.serverName == "localhost")
        #expect(pair.client.session?.peerIdentity?.dnsNames == ["localhost", "*.example.test"])
        for count in [1, 16_384, 16_385, 50_000] {
            await Task.yield()
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            try pair.client.send(bytes)
            try pair.server.send(bytes)
            pair.run(cut: [size])
            #expect(pair.takeServerReceived() == bytes)
            #expect(pair.takeClientReceived() == bytes)
        }
        pair.client.end()
        pair.run(cut: [size])
        #expect(pair.server.hasPeerEnded)
        #expect(pair.serverError == nil)
        // The other direction goes on until it is ended too.
        try pair.server.send([1])
        pair.server.end()
        pair.run(cut: [size])
        #expect(pair.takeClientReceived() == [1])
        #expect(pair.client.hasPeerEnded)
    }

    @Test(arguments: TLSVersion.allCases)
    func `every flight of a handshake may be split anywhere`(version: TLSVersion) async throws {
        let contexts = try contexts(version, clients: certificates.required, identity: "client")
        for position in Array(1...400) + Array(stride(from: 401, to: 1_600, by: 13)) {
            // Long work, and other tests wait for this thread.
            await Task.yield()
            let pair = try TLSEnginePair(client: contexts.client, server: contexts.server)
            pair.run(cut: [position, .max])
            try #require(pair.isOpen, "split at \(position)")
        }
    }

    // MARK: Resumption

    @Test(arguments: TLSVersion.allCases)
    func `a second connection resumes, a new server context does not know the ticket`(version: TLSVersion) throws {
        let contexts = try contexts(version, clients: certificates.required, identity: "client")
        for round in 0..<4 {
            let pair = try TLSEnginePair(client: contexts.client, server: contexts.server)
            pair.run()
            try #require(pair.isOpen)
            #expect(pair.client.session?.isResumed == (round > 0))
            #expect(pair.server.session?.isResumed == (round > 0))
            #expect(pair.server.session?.peerIdentity?.subject == "CN=client,O=Example")
        }
        let other = try TLSContext(certificates.server(clients: certificates.required))
        let pair = try TLSEnginePair(client: contexts.client, server: other)
        pair.run()
        #expect(pair.isOpen)
        #expect(pair.server.session?.isResumed == false)
        #expect(pair.server.session?.peerIdentity?.subject == "CN=client,O=Example")
    }

    @Test func `sessions of another server name are not offered`() throws {
        let contexts = try contexts(.tls1_3)
        for host in ["localhost", "a.example.test", "b.example.test"] {
            let pair = try TLSEnginePair(client: contexts.client, server: contexts.server, host: host)
            pair.run()
            #expect(pair.isOpen)
            #expect(pair.client.session?.isResumed == false)
        }
    }

    // MARK: ALPN

    @Test(arguments: [
        ([HTTPClientProtocol.http2], HTTPClientProtocol?.some(.http2)), ([.http1], .some(.http1)),
        ([.http1, .http2], .some(.http2)), ([], nil),
    ])
    func `the server prefers h2, and takes what is offered`(
        offered: [HTTPClientProtocol], chosen: HTTPClientProtocol?
    ) throws {
        let pair = try pair(.tls1_3, protocols: offered)
        pair.run()
        #expect(pair.isOpen)
        #expect(pair.client.session?.applicationProtocol == chosen)
        #expect(pair.server.session?.applicationProtocol == chosen)
    }

    // MARK: The client checks the server

    @Test(arguments: ["localhost", "LOCALHOST", "localhost.", "a.example.test", "127.0.0.1", "::1"])
    func `names and addresses of the certificate are accepted`(host: String) throws {
        let pair = try pair(.tls1_3, host: host)
        pair.run()
        #expect(pair.isOpen, "\(String(describing: pair.clientError))")
        #expect((pair.server.session?.serverName == nil) == (host.contains("127") || host.contains("::")))
    }

    @Test(
        arguments: [
            ("elsewhere", "localhost", "it is for elsewhere.test, not for localhost"),
            ("server", "example.test", "not for example.test"),
            ("server", "a.b.example.test", "not for a.b.example.test"),
            ("server", "127.0.0.2", "not for 127.0.0.2"),
            // A star that stands for a part of a label.
            ("partial", "foo.partial.test", "not for foo.partial.test"),
            ("expired-server", "localhost", "has expired on 2"),
        ], TLSVersion.allCases)
    func `a certificate for another name or time is refused`(
        _ each: (server: String, host: String, text: String), version: TLSVersion
    ) throws {
        var client = certificates.client()
        client.versions = version...version
        let pair = try TLSEnginePair(client, certificates.server(each.server), host: each.host)
        pair.run()
        #expect(pair.clientError?.kind == .certificateRejected)
        #expect(pair.clientError?.description.contains(each.text) == true, "\(String(describing: pair.clientError))")
        guard case .alert = pair.serverError?.kind else {
            return #expect(Bool(false), "\(String(describing: pair.serverError))")
        }
    }

    @Test func `a key that is too weak serves nobody, and is shown to nobody`() throws {
        let error = #expect(throws: TLSError.self) { try TLSContext(certificates.server("weak")) }
        #expect(error?.description.contains("key too small") == true, "\(String(describing: error))")
    }

    @Test func `an unknown authority is refused, and the error says what to do`() throws {
        let pair = try TLSEnginePair(certificates.client(roots: "strangers"), certificates.server())
        pair.run()
        #expect(pair.clientError?.kind == .certificateRejected)
        #expect(pair.clientError?.description.contains("add its CA to the root certificates") == true)
        #expect(pair.serverError?.kind == .alert(48))
        let system = try TLSEnginePair(TLSClientConfiguration(), certificates.server())
        system.run()
        #expect(system.clientError?.kind == .certificateRejected)
    }

    @Test func `the switch without any check connects, and identifies nobody`() throws {
        var client = certificates.client(roots: "strangers")
        client.dangerouslyTrustsAnyServer = true
        let pair = try TLSEnginePair(client, certificates.server("elsewhere"))
        pair.run()
        #expect(pair.isOpen)
        #expect(pair.client.session?.peerIdentity == nil)
    }

    // MARK: The server checks the client

    @Test(arguments: TLSVersion.allCases)
    func `a client's identity is known`(version: TLSVersion) throws {
        let contexts = try contexts(version, clients: certificates.required, identity: "client")
        let pair = try TLSEnginePair(client: contexts.client, server: contexts.server)
        pair.run()
        let identity = try #require(pair.server.session?.peerIdentity)
        #expect(identity.subject == "CN=client,O=Example")
        #expect(identity.dnsNames == ["billing.test"])
        #expect(identity.uris == ["spiffe://example.test/billing"])
        #expect(identity.ipAddresses == ["10.1.2.3"])
        #expect(identity.sha256Fingerprint.count == 64)
        #expect(identity.notAfter > CertificateText.now)
    }

    @Test(
        arguments: [
            ("stranger", "no trusted root has issued"), ("expired-client", "has expired"),
            ("wrong-usage", "does not allow clientAuth"),
        ], TLSVersion.allCases)
    func `a client certificate that does not count ends the handshake`(
        _ each: (name: String, text: String), version: TLSVersion
    ) throws {
        for clients in [certificates.required, certificates.optional] {
            let contexts = try contexts(version, clients: clients, identity: each.name)
            let pair = try TLSEnginePair(client: contexts.client, server: contexts.server)
            pair.run()
            #expect(pair.serverError?.kind == .certificateRejected)
            #expect(
                pair.serverError?.description.contains(each.text) == true, "\(String(describing: pair.serverError))")
            // With TLS 1.3 the client hears of it after its own handshake.
            guard case .alert = pair.clientError?.kind else {
                return #expect(Bool(false), "\(String(describing: pair.clientError))")
            }
        }
    }

    @Test(arguments: TLSVersion.allCases)
    func `no client certificate: refused when required, fine when optional`(version: TLSVersion) throws {
        let required = try contexts(version, clients: certificates.required)
        let refused = try TLSEnginePair(client: required.client, server: required.server)
        refused.run()
        #expect(refused.serverError?.description == "the client presents no certificate, and one is required")
        if version == .tls1_3 {
            #expect(refused.clientError?.kind == .alert(116))
            #expect(refused.clientError?.description.contains("configure one with its key") == true)
        }
        let optional = try contexts(version, clients: certificates.optional)
        let anonymous = try TLSEnginePair(client: optional.client, server: optional.server)
        anonymous.run()
        #expect(anonymous.isOpen)
        #expect(anonymous.server.session?.peerIdentity == nil)
    }

    // MARK: What no peer should send

    @Test func `clear-text HTTP to TLS is told so in clear text`() throws {
        let engine = try TLSEngine(server: TLSContext(certificates.server()))
        var received = ByteBuffer()
        let error = TLSEnginePair.feed(engine, ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"), [.max], &received)
        #expect(error?.kind == .notTLS)
        let answer = String(buffer: TLSEnginePair.take(engine))
        #expect(answer.hasPrefix("HTTP/1.1 400 "))
        #expect(answer.hasSuffix("\r\n\r\nthis port speaks TLS only: use https://\n"))
        #expect(answer.contains("Content-Length: \("this port speaks TLS only: use https://\n".utf8.count)\r\n"))
    }

    @Test func `a clear-text server is told apart by the client`() throws {
        let engine = try TLSEngine(
            client: TLSContext(certificates.client()), host: "localhost", protocols: [.http2])
        try engine.start()
        var received = ByteBuffer()
        let error = TLSEnginePair.feed(engine, ByteBuffer(string: "HTTP/1.1 400 Bad Request\r\n"), [.max], &received)
        #expect(error?.description.contains("does not speak TLS on this port") == true)
    }

    @Test(arguments: TLSVersion.allCases)
    func `a changed byte anywhere ends the connection`(version: TLSVersion) async throws {
        for index in 0..<60 {
            await Task.yield()
            let pair = try pair(version)
            pair.run()
            try pair.client.send([UInt8](repeating: 1, count: 40))
            var records = TLSEnginePair.take(pair.client)
            let position = records.readerIndex + index
            guard let byte: UInt8 = records.getInteger(at: position) else { break }
            records.setInteger(byte ^ 0x40, at: position)
            var received = ByteBuffer()
            // A longer length field only makes the engine wait for bytes that never come.
            let error = TLSEnginePair.feed(pair.server, records, [.max], &received)
            #expect(received.readableBytes == 0)
            #expect(error != nil || index == 3 || index == 4, "byte \(index)")
        }
    }

    @Test func `garbage of any kind is an error, never more`() async throws {
        let context = try TLSContext(certificates.server())
        var generator = SystemRandomNumberGenerator()
        for round in 0..<500 {
            await Task.yield()
            let engine = try TLSEngine(server: context)
            var bytes = (0..<Int.random(in: 1...600, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            if round % 2 == 0 { bytes.replaceSubrange(0..<min(3, bytes.count), with: [22, 3, 1].prefix(bytes.count)) }
            var received = ByteBuffer()
            _ = TLSEnginePair.feed(engine, ByteBuffer(bytes: bytes), [.max], &received)
            #expect(received.readableBytes == 0)
            #expect(engine.phase != .open)
        }
    }

    @Test(arguments: [true, false])
    func `answers to key updates are bounded when the peer does not take them`(reads: Bool) async throws {
        let pair = try pair(.tls1_3)
        pair.run()
        let channel = EmbeddedChannel(handler: TLSHandler(server: pair.server))
        channel.isWritable = reads
        var error: (any Error)?
        for _ in 0..<2_000 where error == nil {
            try #require(SSL_key_update(pair.client.ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
            try #require(SSL_do_handshake(pair.client.ssl) == 1)
            do { try channel.writeInbound(TLSEnginePair.take(pair.client)) } catch let thrown { error = thrown }
        }
        var answered = 0
        while let record = try channel.readOutbound(as: ByteBuffer.self) { answered += record.readableBytes }
        if reads {
            #expect(error == nil)
            #expect(answered > 1_900 * 27, "one record for each")
        } else {
            #expect((error as? TLSError)?.kind == .protocolViolation)
            // One more answer, and an alert.
            #expect(answered <= TLSHandler.unreadAnswerByteCount + 100)
        }
    }

    @Test func `nothing is taken or given after a failure`() throws {
        let pair = try pair(.tls1_3)
        pair.run()
        var received = ByteBuffer()
        #expect(TLSEnginePair.feed(pair.server, ByteBuffer(bytes: [23, 3, 3, 0, 20] + [UInt8](repeating: 0, count: 20)),
            [.max], &received)?.kind == .protocolViolation)
        try pair.client.send([1])
        _ = TLSEnginePair.take(pair.server)
        #expect(TLSEnginePair.feed(pair.server, TLSEnginePair.take(pair.client), [.max], &received) == nil)
        #expect(received.readableBytes == 0)
        #expect(throws: TLSError.self) { try pair.server.send([1]) }
    }
}
