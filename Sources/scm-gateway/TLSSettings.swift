import ArgumentParser
import Configuration
import HTTPTransport

/// TLS of the server, as flags; environment and file as in ``SettingsOptions``.
struct TLSOptions: ParsableArguments {
    @Option(
        help: """
            PEM file with the certificate and its intermediates: TLS on every TCP port. \
            [env: SCM_GATEWAY_TLS_CERTIFICATE]
            """
    )
    var tlsCertificate: String?

    @Option(help: "PEM file with the certificate's key. [env: SCM_GATEWAY_TLS_KEY]")
    var tlsKey: String?

    @Option(
        help: """
            CERTIFICATE:KEY, the PEM files of a certificate for other names: shown to clients that ask for one of them \
            (SNI). May be repeated. [env: SCM_GATEWAY_TLS_ADDITIONAL_CERTIFICATES, separated by commas]
            """
    )
    var tlsAdditionalCertificate: [String] = []

    @Option(help: "PEM file with the authorities of client certificates. [env: SCM_GATEWAY_TLS_CLIENT_CA]")
    var tlsClientCa: String?

    @Option(
        help: """
            none, optional or required. [env: SCM_GATEWAY_TLS_CLIENT_CERTIFICATES, default: required with \
            --tls-client-ca]
            """
    )
    var tlsClientCertificates: String?

    @Option(
        help: "Octal permissions of a Unix socket's file. [env: SCM_GATEWAY_SOCKET_PERMISSIONS, default: 600]"
    )
    var socketPermissions: String?
}

/// The same, effective.
struct TLSSettings: Sendable {
    var certificate: String?
    var key: String?
    var additionalCertificates: [String] = []
    var clientCA: String?
    var clientCertificates: String?
    var socketPermissions: String?

    mutating func read(_ reader: ConfigReader) async throws {
        certificate = try await Settings.value("tlsCertificate") { try await reader.fetchString(forKey: $0) }
        key = try await Settings.value("tlsKey") { try await reader.fetchString(forKey: $0) }
        additionalCertificates =
            try await Settings.value("tlsAdditionalCertificates") { try await reader.fetchStringArray(forKey: $0) }
            ?? additionalCertificates
        clientCA = try await Settings.value("tlsClientCa") { try await reader.fetchString(forKey: $0) }
        clientCertificates = try await Settings.value("tlsClientCertificates") {
            try await reader.fetchString(forKey: $0)
        }
        socketPermissions = try await Settings.value("socketPermissions") { try await reader.fetchString(forKey: $0) }
    }

    mutating func apply(_ flags: TLSOptions) {
        certificate = flags.tlsCertificate ?? certificate
        key = flags.tlsKey ?? key
        if !flags.tlsAdditionalCertificate.isEmpty { additionalCertificates = flags.tlsAdditionalCertificate }
        clientCA = flags.tlsClientCa ?? clientCA
        clientCertificates = flags.tlsClientCertificates ?? clientCertificates
        socketPermissions = flags.socketPermissions ?? socketPermissions
    }

    /// TLS to other silos: the same authorities that clients' certificates are checked with, this server's own
    /// certificate; nil when neither is set.
    func clientConfiguration() -> TLSClientConfiguration? {
        guard clientCA != nil || certificate != nil else { return nil }
        var configuration = TLSClientConfiguration()
        if let clientCA { configuration.trustRoots = .custom(.file(clientCA)) }
        if let certificate, let key {
            configuration.identity = TLSIdentity(certificateChain: .file(certificate), privateKey: .file(key))
        }
        return configuration
    }

    /// nil for clear text.
    func configuration() throws -> TLSServerConfiguration? {
        guard let certificate else {
            if key != nil { throw ValidationError("--tls-key needs --tls-certificate, the certificate of that key") }
            if !additionalCertificates.isEmpty {
                throw ValidationError(
                    "--tls-additional-certificate needs --tls-certificate and --tls-key, for clients without a name"
                )
            }
            if clientCA != nil || clientCertificates != nil {
                throw ValidationError("client certificates need TLS: give --tls-certificate and --tls-key")
            }
            return nil
        }
        guard let key else {
            throw ValidationError("--tls-certificate needs --tls-key, the file with the certificate's key")
        }
        var configuration = TLSServerConfiguration(
            certificateFile: certificate, keyFile: key, clientCertificates: try policy())
        configuration.additionalIdentities = try additionalCertificates.map(Self.identity)
        return configuration
    }

    private static func identity(_ files: String) throws -> TLSIdentity {
        let parts = files.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts.contains("") else {
            throw ValidationError("--tls-additional-certificate is CERTIFICATE:KEY, two PEM files, not \"\(files)\"")
        }
        return TLSIdentity(certificateChain: .file(parts[0]), privateKey: .file(parts[1]))
    }

    private func policy() throws -> TLSClientCertificates {
        let mode = clientCertificates ?? (clientCA == nil ? "none" : "required")
        guard ["none", "optional", "required"].contains(mode) else {
            throw ValidationError("--tls-client-certificates is none, optional or required, not \"\(mode)\"")
        }
        if mode == "none" { return .none }
        guard let clientCA else {
            throw ValidationError("--tls-client-certificates \(mode) needs --tls-client-ca, the authorities to trust")
        }
        return mode == "optional" ? .optional(trustRoots: .file(clientCA)) : .required(trustRoots: .file(clientCA))
    }

    func permissions() throws -> UInt16 {
        let text = socketPermissions ?? "600"
        guard let mode = UInt16(text, radix: 8), mode <= 0o777 else {
            throw ValidationError("--socket-permissions must be octal like 660, not \"\(text)\"")
        }
        return mode
    }
}

extension Settings {
    /// Where to listen, in the order of the setting. Unix sockets are clear text: their files' permissions guard them.
    func listeners() throws -> [HTTPListener] {
        let tls = try tls.configuration()
        let permissions = try self.tls.permissions()
        let places = listen.split(separator: ",").map { String($0.trimmingPrefix(while: \.isWhitespace)) }
        guard !places.isEmpty else { throw ValidationError("--listen needs an address") }
        return try places.map { place in
            guard place.hasPrefix("unix:") else { return HTTPListener(.tcp(host: place, port: port), tls: tls) }
            let path = String(place.dropFirst(5))
            guard !path.isEmpty else { throw ValidationError("--listen unix: needs a path") }
            return HTTPListener(.unix(path: path, permissions: permissions))
        }
    }
}
