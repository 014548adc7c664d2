import Foundation
import HTTPTransport

/// Certificates made for one test run by the `openssl` program: an authority for servers, one for clients, and what
/// they have issued. Files `NAME.pem` and `NAME.key`.
struct TestCertificates: Sendable {
    let folder: String

    static let shared = Result { try TestCertificates() }

    static func make() throws -> TestCertificates { try shared.get() }

    init() throws {
        folder = NSTemporaryDirectory() + "tls-tests-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        atexit {
            if let made = try? TestCertificates.make() { try? FileManager.default.removeItem(atPath: made.folder) }
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-euc", Self.script]
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
    }

    private static let script = """
        key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $1.key; }
        authority() { key $1; openssl req -x509 -key $1.key -subj "/CN=$1" -days 2 -out $1.pem; }
        # issue NAME AUTHORITY DAYS EXTENSIONS
        issue() {
            key $1
            openssl req -new -key $1.key -subj "/O=Example/CN=$1" -out $1.csr
            printf 'basicConstraints=critical,CA:FALSE\\n%b\\n' "$4" > $1.ext
            openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -days $3 -extfile $1.ext -out $1.pem
        }
        names='subjectAltName=DNS:localhost,DNS:*.example.test,IP:127.0.0.1,IP:::1'
        authority servers
        authority clients
        authority strangers
        issue server servers 2 "$names\\nextendedKeyUsage=serverAuth"
        issue renewed servers 2 "$names\\nextendedKeyUsage=serverAuth"
        issue elsewhere servers 2 'subjectAltName=DNS:elsewhere.test'
        issue own servers 2 'subjectAltName=DNS:also.own.test,DNS:own.wild.test'
        issue exact servers 2 'subjectAltName=DNS:exact.example.test'
        issue wild servers 2 'subjectAltName=DNS:*.Wild.Test'
        issue between servers 2 ''
        printf 'basicConstraints=critical,CA:TRUE\\n' > between.ext
        openssl x509 -req -in between.csr -CA servers.pem -CAkey servers.key -days 2 -extfile between.ext \\
            -out between.pem
        issue chained between 2 'subjectAltName=DNS:chained.test'
        cat between.pem >> chained.pem
        issue nameless servers 2 'subjectAltName=IP:127.0.0.1'
        issue expired-server servers -1 "$names"
        issue client clients 2 'subjectAltName=DNS:billing.test,URI:spiffe://example.test/billing,IP:10.1.2.3\\n\\
        extendedKeyUsage=clientAuth'
        issue other-client clients 2 'extendedKeyUsage=clientAuth'
        issue expired-client clients -1 'extendedKeyUsage=clientAuth'
        issue wrong-usage clients 2 'extendedKeyUsage=serverAuth'
        issue stranger strangers 2 'extendedKeyUsage=clientAuth'
        issue partial servers 2 'subjectAltName=DNS:f*.partial.test'
        issue weak servers 2 "$names"
        openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out weak.key
        openssl req -new -key weak.key -subj "/O=Example/CN=weak" -out weak.csr
        openssl x509 -req -in weak.csr -CA servers.pem -CAkey servers.key -days 2 -extfile weak.ext -out weak.pem
        cat server.pem server.key > both.pem
        openssl pkey -in server.key -aes128 -passout pass:secret -out encrypted.key
        """

    func file(_ name: String) -> String { "\(folder)/\(name)" }

    func identity(_ name: String) -> TLSIdentity {
        TLSIdentity(certificateChain: .file(file("\(name).pem")), privateKey: .file(file("\(name).key")))
    }

    func server(
        _ name: String = "server", clients: TLSClientCertificates = .none
    ) -> TLSServerConfiguration {
        TLSServerConfiguration(identity: identity(name), clientCertificates: clients)
    }

    var required: TLSClientCertificates { .required(trustRoots: .file(file("clients.pem"))) }
    var optional: TLSClientCertificates { .optional(trustRoots: .file(file("clients.pem"))) }

    func client(
        _ identityName: String? = nil, roots: String = "servers", serverName: String? = nil
    ) -> TLSClientConfiguration {
        TLSClientConfiguration(
            trustRoots: .custom(.file(file("\(roots).pem"))), identity: identityName.map(identity),
            serverName: serverName)
    }
}
