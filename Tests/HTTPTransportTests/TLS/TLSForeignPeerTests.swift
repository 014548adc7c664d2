import Foundation
import HTTPTransport
import Testing

/// `openssl s_client` and `curl` over TLS.
@Suite(.timeLimit(.minutes(5))) struct TLSForeignPeerTests {
    private let certificates: TestCertificates

    init() throws { certificates = try TestCertificates.make() }

    /// What `openssl s_client` says, errors included. `letter`, a command of its own, is typed after the handshake.
    ///
    /// - Parameter awaited: what it says before its input ends.
    private func openssl(
        _ server: HTTPServer, _ arguments: String, letter: String? = nil, until awaited: String? = nil
    ) async throws -> String {
        let typing = letter.map {
            "for n in {1..200}; do grep -q 'Verify return code' $out && break; sleep 0.05; done; echo \($0);"
                + " for n in {1..200}; do grep -q 'error:' $out && break; sleep 0.05; done"
        }
        let waiting = awaited.map { "for n in {1..400}; do grep -q '\($0)' $out && break; sleep 0.05; done" }
        let command = """
            out=$(mktemp); { \(typing ?? waiting ?? "sleep 0.2"); } | timeout 30 openssl s_client \
            -connect 127.0.0.1:\(server.port) -CAfile \(certificates.file("servers.pem")) -verify_return_error \
            \(arguments) > $out 2>&1; cat $out; rm $out
            """
        return try await ForeignPeerTests.run("/bin/bash", ["-c", command])
    }

    private func withTLSServer<Result>(_ body: (HTTPServer) async throws -> Result) async throws -> Result {
        try await withServer(.tls, handler: echo, body: body)
    }

    @Test(arguments: [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
    func `both versions, with ALPN and a verified chain`(flag: String, version: String) async throws {
        try await withTLSServer { server in
            // The tickets of TLS 1.3 come after the handshake.
            let text = try await openssl(
                server, "\(flag) -alpn http/1.1,h2 -servername localhost",
                until: flag == "-tls1_3" ? "Max Early Data" : "Verify return code")
            #expect(text.contains("New, \(version), Cipher is "))
            #expect(text.contains("ALPN protocol: h2"))
            #expect(text.contains("Verify return code: 0 (ok)"))
            #expect(text.contains("Max Early Data: 0\n") == (flag == "-tls1_3"))
            #expect(!text.contains(#/Max Early Data: [^0]/#))
        }
    }

    @Test(arguments: [
        ("-alpn imap", "no application protocol"),
        ("-tls1_1 -cipher ALL:@SECLEVEL=0", "protocol version"),
        ("-tls1_2 -cipher AES128-SHA256", "handshake failure"),
        ("-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256", "handshake failure"),
    ])
    func `what is not spoken is refused with its alert`(arguments: String, alert: String) async throws {
        try await withTLSServer { server in
            let text = try await openssl(server, arguments)
            #expect(text.contains("alert \(alert)"), "\(text.suffix(400))")
        }
    }

    @Test func `clients are told whose certificates are taken`() async throws {
        let server = try await HTTPServer.start(
            HTTPServerConfiguration(tls: certificates.server(clients: certificates.optional), timeouts: .patient),
            group: testGroup, logger: LoggerFactory.quiet, handler: echo)
        let text = try await openssl(server, "-tls1_3 -alpn h2", until: "Verify return code")
        #expect(text.contains("Acceptable client certificate CA names\nCN = clients\n"), "\(text.suffix(2_000))")
        await server.shutdown(gracePeriod: .zero)
    }

    @Test func `renegotiation is refused`() async throws {
        try await withTLSServer { server in
            let text = try await openssl(server, "-tls1_2 -alpn http/1.1", letter: "R")
            #expect(text.contains("RENEGOTIATING"))
            #expect(text.contains("no renegotiation"), "\(text.suffix(400))")
        }
    }

    @Test(.enabled(if: ForeignPeerTests.path("curl") != nil), arguments: ["--http1.1", "--http2"])
    func `curl with the authority, and without`(version: String) async throws {
        let curl = try #require(ForeignPeerTests.path("curl"))
        try await withTLSServer { server in
            let url = "https://localhost:\(server.port)/"
            let file = certificates.file("curl-\(version)")
            let body = String(repeating: "0123456789", count: 50_000)
            try body.write(toFile: file, atomically: true, encoding: .utf8)
            let common = ["-s", version, "--ipv4", "-o", "-", "--data-binary", "@\(file)"]
            let answer = try await ForeignPeerTests.run(
                curl, common + ["--cacert", certificates.file("servers.pem"), "-w", " %{http_version}", url])
            #expect(answer == body + (version == "--http2" ? " 2" : " 1.1"))
            let refused = try await ForeignPeerTests.run(curl, common + ["-w", "%{exitcode}", url])
            #expect(refused == "60")
        }
    }
}
