/// Certificates or a key in PEM form (RFC 7468), by file or in memory.
///
/// Describes itself without the text, so that a key never reaches a log.
public enum TLSPEM: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible {
    /// Read when the configuration is put to use, and again by every reload.
    case file(String)
    case text(String)

    public var description: String {
        switch self {
        case .file(let path): path
        case .text(let text): "PEM text of \(text.utf8.count) bytes"
        }
    }

    public var debugDescription: String { description }
}

/// The protocol versions that are spoken; older ones never are.
public enum TLSVersion: Int, Sendable, Hashable, Comparable, CaseIterable {
    /// RFC 5246, with forward secrecy and authenticated encryption only (ECDHE with AES-GCM or ChaCha20-Poly1305).
    case tls1_2
    /// RFC 8446, without early data.
    case tls1_3

    public static func < (left: TLSVersion, right: TLSVersion) -> Bool { left.rawValue < right.rawValue }
}

/// A certificate with its key.
public struct TLSIdentity: Sendable, Hashable {
    /// The certificate, then its intermediates.
    public var certificateChain: TLSPEM
    /// Not encrypted.
    public var privateKey: TLSPEM

    public init(certificateChain: TLSPEM, privateKey: TLSPEM) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
    }
}

/// What a server asks of its clients (mutual TLS).
public enum TLSClientCertificates: Sendable, Hashable {
    /// Nothing.
    case none
    /// A client may present a certificate; one that these roots did not issue ends the handshake.
    case optional(trustRoots: TLSPEM)
    /// No handshake without a certificate that these roots issued.
    case required(trustRoots: TLSPEM)

    var trustRoots: TLSPEM? {
        switch self {
        case .none: nil
        case .optional(let roots), .required(let roots): roots
        }
    }
}

/// TLS of a listener.
///
/// The client certificate's chain, time and extended key usage (`clientAuth`, when there is any) are checked; what it
/// may do is for the handler to decide, by ``HTTPExchange/peerIdentity``.
public struct TLSServerConfiguration: Sendable, Hashable {
    /// Shown to clients that ask for no name, or for one that no certificate has.
    public var identity: TLSIdentity
    /// Certificates for other names (SNI, RFC 6066 section 3): each is shown to the clients that ask for one of the DNS
    /// names of its subject alternative name, wildcards as in RFC 9525. A name in full goes before a wildcard, an
    /// earlier certificate before a later one, `identity` first. All are read again together. Default none.
    public var additionalIdentities: [TLSIdentity] = []
    /// Default `.none`.
    public var clientCertificates: TLSClientCertificates
    /// Default TLS 1.2 to 1.3.
    public var versions: ClosedRange<TLSVersion> = .tls1_2 ... .tls1_3
    /// How long a key seals session tickets; tickets of the key before are still taken. Default one hour.
    public var ticketKeyLifetime: Duration = .seconds(3600)
    /// How often the files are looked at for a change; `nil` for never. Default 10 s. Only connections that come later
    /// get what is new. Files that cannot be used are logged and change nothing.
    public var reloadInterval: Duration? = .seconds(10)

    public init(identity: TLSIdentity, clientCertificates: TLSClientCertificates = .none) {
        self.identity = identity
        self.clientCertificates = clientCertificates
    }

    /// The usual case: two files.
    public init(certificateFile: String, keyFile: String, clientCertificates: TLSClientCertificates = .none) {
        self.init(
            identity: TLSIdentity(certificateChain: .file(certificateFile), privateKey: .file(keyFile)),
            clientCertificates: clientCertificates)
    }

    /// Every source, for watching its file.
    var sources: [TLSPEM] {
        ([identity] + additionalIdentities).flatMap { [$0.certificateChain, $0.privateKey] }
            + (clientCertificates.trustRoots.map { [$0] } ?? [])
    }
}

/// TLS of client connections: by default the server's chain must end at a root of the system, and its certificate must
/// be for the name (or IP address) that was asked for.
///
/// Copies share what is read from files and the sessions for resumption; a change of a property starts anew. So keep
/// one value for all connections that should resume.
public struct TLSClientConfiguration: Sendable {
    public enum TrustRoots: Sendable, Hashable {
        /// What the operating system trusts (OpenSSL's default folder, `SSL_CERT_FILE`, `SSL_CERT_DIR`).
        case system
        /// These and no others.
        case custom(TLSPEM)
    }

    /// Default `.system`.
    public var trustRoots: TrustRoots { didSet { shared = TLSClientShared() } }
    /// Presented when the server asks for a certificate. Default `nil`.
    public var identity: TLSIdentity? { didSet { shared = TLSClientShared() } }
    /// The name to ask for (SNI) and to find in the certificate; `nil` for the host that is connected to. Needed with
    /// Unix sockets and addresses that were looked up before.
    public var serverName: String?
    /// Default TLS 1.2 to 1.3.
    public var versions: ClosedRange<TLSVersion> = .tls1_2 ... .tls1_3 { didSet { shared = TLSClientShared() } }
    /// What is offered by ALPN, best first; `nil` for the protocol that `connect` is told. The server's choice decides.
    public var applicationProtocols: [HTTPClientProtocol]?
    /// No check of the server at all: whoever sits on the way reads and changes everything, keys included. For trying
    /// things on one machine. Default false.
    public var dangerouslyTrustsAnyServer = false { didSet { shared = TLSClientShared() } }
    var shared = TLSClientShared()

    /// Reads certificates and keys from their files again, here and in all copies of this value: connections that come
    /// later use what is there now, open ones stay as they are.
    ///
    /// - Throws: ``TLSError`` that names the file; then everything stays as it was.
    public func readFilesAgain() async throws { try await shared.renew(self) }


    public init(trustRoots: TrustRoots = .system, identity: TLSIdentity? = nil, serverName: String? = nil) {
        self.trustRoots = trustRoots
        self.identity = identity
        self.serverName = serverName
    }
}

extension HTTPClientProtocol {
    /// The protocol's name in ALPN (RFC 7301 section 6).
    var alpnName: String {
        switch self {
        case .http1: "http/1.1"
        case .http2: "h2"
        }
    }
}
