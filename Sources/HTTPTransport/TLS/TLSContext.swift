import COpenSSL

/// What all connections of one configuration share: OpenSSL's `SSL_CTX`, ticket keys or sessions.
///
/// `@unchecked Sendable`: the `SSL_CTX` is changed by the initialisers only; afterwards connections are made from it,
/// for which OpenSSL does its own locking.
final class TLSContext: @unchecked Sendable {
    let pointer: OpaquePointer
    let isServer: Bool
    /// Whether the peer's certificate is checked, when it shows one.
    let checksPeer: Bool
    /// Only of servers.
    let ticketKeys: TLSTicketKeys?
    /// Only of servers with several certificates.
    let identities: TLSServerIdentities?
    /// Only of clients.
    let sessions: TLSSessionCache?
    /// What an operator should know although it is no error.
    private(set) var warnings: [String] = []

    deinit { SSL_CTX_free(pointer) }

    /// Reads the files. Blocks: not for event loops.
    init(_ configuration: TLSServerConfiguration) throws(TLSError) {
        let identity = try LoadedIdentity(configuration.identity, role: "certificate")
        identities = try TLSServerIdentities(identity, additional: configuration.additionalIdentities)
        pointer = try Self.make(TLS_server_method(), configuration.versions)
        isServer = true
        checksPeer = configuration.clientCertificates != .none
        ticketKeys = TLSTicketKeys(lifetime: configuration.ticketKeyLifetime)
        sessions = nil
        try use(identity)
        try use(configuration.clientCertificates)
        if let identities {
            warnings += identities.warnings
            SSL_CTX_set_cert_cb(pointer, { ssl, _ in TLSCallbacks.chooseCertificate(ssl) }, nil)
        }
        // A resumed session of TLS 1.2 is for the name of its first handshake, and must know it: see `isMisdirected`.
        shim_SSL_CTX_accept_server_names(pointer)
        // Tickets only: a session costs the server no memory.
        _ = shim_SSL_CTX_set_session_cache_mode(pointer, Int(SSL_SESS_CACHE_OFF))
        _ = SSL_CTX_set_timeout(pointer, Int(max(configuration.ticketKeyLifetime.components.seconds, 1)))
        let name = Array("HTTPTransport".utf8)
        SSL_CTX_set_session_id_context(pointer, name, CUnsignedInt(name.count))
        SSL_CTX_set_tlsext_ticket_key_evp_cb(pointer) { TLSCallbacks.ticketKey($0, $1, $2, $3, $4, $5) }
        SSL_CTX_set_alpn_select_cb(pointer, { TLSCallbacks.selectProtocol($0, $1, $2, $3, $4, $5) }, nil)
        // No early data: it can be replayed (RFC 8446 section 8).
        SSL_CTX_set_max_early_data(pointer, 0)
        SSL_CTX_set_recv_max_early_data(pointer, 0)
    }

    /// Reads the files. Blocks: not for event loops.
    init(_ configuration: TLSClientConfiguration) throws(TLSError) {
        pointer = try Self.make(TLS_client_method(), configuration.versions)
        isServer = false
        checksPeer = !configuration.dangerouslyTrustsAnyServer
        ticketKeys = nil
        identities = nil
        sessions = TLSSessionCache()
        if let identity = configuration.identity {
            try use(LoadedIdentity(identity, role: "client certificate"))
        }
        if checksPeer {
            switch configuration.trustRoots {
            case .system:
                guard SSL_CTX_set_default_verify_paths(pointer) == 1 else {
                    throw TLSError(.configuration, "the system's root certificates: \(OpenSSLErrors.take().text)")
                }
            case .custom(let source): _ = try trust(source, role: "root certificates")
            }
        }
        SSL_CTX_set_verify(pointer, checksPeer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE) { TLSCallbacks.verify($0, $1) }
        _ = shim_SSL_CTX_set_session_cache_mode(
            pointer, Int(SSL_SESS_CACHE_CLIENT) | Int(SSL_SESS_CACHE_NO_INTERNAL))
        SSL_CTX_sess_set_new_cb(pointer) { TLSCallbacks.newSession($0, $1) }
    }

    private static func make(
        _ method: OpaquePointer?, _ versions: ClosedRange<TLSVersion>
    ) throws(TLSError) -> OpaquePointer {
        ERR_clear_error()
        guard let pointer = SSL_CTX_new(method) else {
            throw TLSError(.configuration, "OpenSSL gives no context: \(OpenSSLErrors.take().text)")
        }
        let isSet =
            shim_SSL_CTX_set_min_proto_version(pointer, versions.lowerBound.number) == 1
            && shim_SSL_CTX_set_max_proto_version(pointer, versions.upperBound.number) == 1
            && SSL_CTX_set_cipher_list(pointer, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1
        guard isSet else {
            SSL_CTX_free(pointer)
            throw TLSError(.configuration, "OpenSSL refuses versions or ciphers: \(OpenSSLErrors.take().text)")
        }
        // 112 bits at least: no RSA under 2048, no SHA-1 signatures.
        SSL_CTX_set_security_level(pointer, 2)
        SSL_CTX_set_options(pointer, noRenegotiation | noCompression | serverPreference | prioritizeChaCha)
        _ = shim_SSL_CTX_set_mode(
            pointer,
            Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS))
        _ = shim_SSL_CTX_set_max_cert_list(pointer, 64 * 1024)
        SSL_CTX_set_verify_depth(pointer, 10)
        return pointer
    }

    // `SSL_OP_...`, which are macros that Swift does not see.
    private static let noCompression: UInt64 = 1 << 17
    private static let prioritizeChaCha: UInt64 = 1 << 21
    private static let serverPreference: UInt64 = 1 << 22
    private static let noRenegotiation: UInt64 = 1 << 30

    // MARK: Certificates

    private func use(_ identity: LoadedIdentity) throws(TLSError) {
        try identity.use(inContext: pointer)
        warnings += identity.warnings
    }

    private func use(_ policy: TLSClientCertificates) throws(TLSError) {
        guard let source = policy.trustRoots else { return }
        // The list of names tells clients which certificate fits.
        for root in try trust(source, role: "client CA") where SSL_CTX_add_client_CA(pointer, root.pointer) != 1 {
            throw TLSError(.configuration, "client CA: \(source): \(OpenSSLErrors.take().text)")
        }
        var mode = SSL_VERIFY_PEER
        if case .required = policy { mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT }
        SSL_CTX_set_verify(pointer, mode) { TLSCallbacks.verify($0, $1) }
    }

    private func trust(_ source: TLSPEM, role: String) throws(TLSError) -> [X509Certificate] {
        let roots = try PEMReader.certificates(source, role: role)
        let store = SSL_CTX_get_cert_store(pointer)
        for root in roots where X509_STORE_add_cert(store, root.pointer) != 1 {
            throw TLSError(.configuration, "\(role): \(source): \(OpenSSLErrors.take().text)")
        }
        return roots
    }
}

extension TLSVersion {
    var number: CInt { self == .tls1_2 ? TLS1_2_VERSION : TLS1_3_VERSION }
}
