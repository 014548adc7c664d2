import COpenSSL
import NIOCore

/// One TLS connection without I/O: records in, plaintext out; plaintext in, records out.
///
///     handshaking --> open --(close_notify came)--> open, hasPeerEnded
///          |           |
///          +-----------+--(any error)--> failed: takes and gives nothing more
///
/// Everything to be sent, alerts of a failure included, is collected in ``output``. Not Sendable: one thread at a time.
final class TLSEngine {
    enum Phase { case handshaking, open, failed }

    let context: TLSContext
    /// Where a client's sessions are remembered.
    let sessionKey: String
    let ssl: OpaquePointer
    private let host: String
    private(set) var phase = Phase.handshaking
    private(set) var session: TLSSession?
    /// The peer's close_notify came: the end of its data is the real one.
    private(set) var hasPeerEnded = false
    private var hasEnded = false
    private var hasInput = false
    /// Records to be sent. The owner takes them after every call.
    var output = ByteBuffer()
    private var input = UnsafeRawBufferPointer(start: nil, count: 0)
    private var rejection: TLSError?

    /// The server's side of a connection.
    convenience init(server context: TLSContext) throws(TLSError) {
        try self.init(context, host: "", sessionKey: "")
        SSL_set_accept_state(ssl)
    }

    /// The client's side.
    ///
    /// - Parameters:
    ///   - host: name or IP address that the server's certificate must be for. A name is sent (SNI), an address is not
    ///     (RFC 6066 section 3).
    ///   - sessionKey: the server, for sessions; they belong to one `host` there.
    convenience init(
        client context: TLSContext, host: String, sessionKey: String = "", protocols: [HTTPClientProtocol]
    ) throws(TLSError) {
        try self.init(context, host: host, sessionKey: "\(host) \(sessionKey)")
        SSL_set_connect_state(ssl)
        try expect(host)
        let list = protocols.flatMap { [UInt8($0.alpnName.utf8.count)] + Array($0.alpnName.utf8) }
        // 0 is success here.
        guard list.isEmpty || SSL_set_alpn_protos(ssl, list, CUnsignedInt(list.count)) == 0 else {
            throw TLSError(.configuration, "out of memory")
        }
        context.sessions?.resume(ssl, server: self.sessionKey)
    }

    private init(_ context: TLSContext, host: String, sessionKey: String) throws(TLSError) {
        ERR_clear_error()
        guard let ssl = SSL_new(context.pointer) else {
            throw TLSError(.configuration, "OpenSSL gives no connection: \(OpenSSLErrors.take().text)")
        }
        self.context = context
        self.host = host
        self.sessionKey = sessionKey
        self.ssl = ssl
        guard let bio = EngineBIO.make(for: self) else { throw TLSError(.configuration, "out of memory") }
        SSL_set_bio(ssl, bio, bio)
        _ = shim_SSL_set_app_data(ssl, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        // Else OpenSSL takes a session for broken whose connection ended without close_notify, and forgets it.
        if phase == .open { SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN) }
        SSL_free(ssl)
    }

    private func expect(_ host: String) throws(TLSError) {
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        guard isAddress || (!host.isEmpty && host.utf8.count <= 255 && host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
        else {
            throw TLSError(
                .configuration, "\"\(host)\" is no host name to check a certificate for; set serverName")
        }
        // A trailing dot makes a name absolute in DNS; certificates and SNI have none.
        let name = host.hasSuffix(".") && !isAddress ? String(host.dropLast()) : host
        var isSet = isAddress || shim_SSL_set_tlsext_host_name(ssl, name) == 1
        if context.checksPeer {
            let parameters = SSL_get0_param(ssl)
            X509_VERIFY_PARAM_set_hostflags(parameters, CUnsignedInt(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            let isExpected =
                isAddress
                ? X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1
                : X509_VERIFY_PARAM_set1_host(parameters, name, name.utf8.count) == 1
            isSet = isSet && isExpected
        }
        guard isSet else {
            throw TLSError(.configuration, "\"\(host)\" cannot be checked for: \(OpenSSLErrors.take().text)")
        }
    }

    // MARK: Bytes

    /// A client's first step. A server waits for it.
    func start() throws(TLSError) {
        guard phase == .handshaking else { return }
        try shakeHands()
    }

    /// Takes records, whole or in parts, and appends what they say to `plaintext`, which is never more than came in, up
    /// to one record that was incomplete before.
    func receive(_ bytes: UnsafeRawBufferPointer, into plaintext: inout ByteBuffer) throws(TLSError) {
        guard phase != .failed, !hasPeerEnded, !bytes.isEmpty else { return }
        if !hasInput {
            hasInput = true
            try checkFirstByte(bytes[0])
        }
        input = bytes
        defer { input = UnsafeRawBufferPointer(start: nil, count: 0) }
        if phase == .handshaking { try shakeHands() }
        guard phase == .open else { return }
        try decrypt(into: &plaintext)
    }

    /// Encrypts into ``output``.
    func send(_ bytes: UnsafeRawBufferPointer) throws(TLSError) {
        guard phase == .open, !hasEnded else { throw TLSError(.protocolViolation, "sent before or after TLS") }
        let records = bytes.count / Self.recordByteCount + 1
        output.reserveCapacity(minimumWritableBytes: bytes.count + records * 64)
        var rest = bytes
        while !rest.isEmpty {
            ERR_clear_error()
            var count = 0
            guard SSL_write_ex(ssl, rest.baseAddress, rest.count, &count) == 1, count > 0 else { throw fail() }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Says that no more data follows (close_notify).
    func end() {
        guard phase == .open, !hasEnded else { return }
        hasEnded = true
        ERR_clear_error()
        if SSL_shutdown(ssl) < 0 { ERR_clear_error() }
    }

    private static let recordByteCount = 16 * 1024

    func takeInput(into target: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(target.count, input.count)
        guard count > 0 else { return 0 }
        target.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[..<count]))
        input = UnsafeRawBufferPointer(rebasing: input[count...])
        return count
    }

    private func shakeHands() throws(TLSError) {
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        if result == 1 { return try didFinishHandshake() }
        guard SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ else { throw fail() }
    }

    private func decrypt(into plaintext: inout ByteBuffer) throws(TLSError) {
        while true {
            ERR_clear_error()
            var result: CInt = 0
            plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: min(max(input.count, 1024), 16 * 1024)) {
                target in
                var count = 0
                result = SSL_read_ex(ssl, target.baseAddress, target.count, &count)
                return result == 1 ? count : 0
            }
            if result == 1 { continue }
            switch SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ: return
            case SSL_ERROR_ZERO_RETURN:
                hasPeerEnded = true
                return
            default: throw fail()
            }
        }
    }

    /// The commonest mistake gets an answer that both sides understand.
    private func checkFirstByte(_ byte: UInt8) throws(TLSError) {
        // Records of handshakes and alerts (RFC 8446 section 5.1).
        if byte == 22 || byte == 21 { return }
        phase = .failed
        guard context.isServer, (0x41...0x5A).contains(byte) else {
            throw TLSError(
                .notTLS,
                context.isServer
                    ? "the client does not speak TLS on a port with TLS"
                    : "the server does not speak TLS on this port; use http, or the port with TLS")
        }
        output.writeStaticString(Self.answerToClearText)
        throw TLSError(.notTLS, "the client speaks clear-text HTTP on a port with TLS; it must use https")
    }

    private static let answerToClearText: StaticString = """
        HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 40\r\n\
        Connection: close\r\n\r\nthis port speaks TLS only: use https://\n
        """

    // MARK: Outcome

    private func didFinishHandshake() throws(TLSError) {
        let session = makeSession()
        // A resumed session skips the check of the certificate, also of its time.
        if session.isResumed, let identity = session.peerIdentity, identity.notAfter < CertificateText.now {
            phase = .failed
            throw TLSError(
                .certificateRejected,
                "the peer's certificate \(identity.subject) has expired on \(CertificateText.day(identity.notAfter))")
        }
        self.session = session
        phase = .open
    }

    private func makeSession() -> TLSSession {
        var name: UnsafePointer<UInt8>?
        var count: CUnsignedInt = 0
        SSL_get0_alpn_selected(ssl, &name, &count)
        let selected = name.map { String(decoding: UnsafeBufferPointer(start: $0, count: Int(count)), as: UTF8.self) }
        let cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { String(cString: $0) } ?? ""
        let serverName = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
        return TLSSession(
            version: SSL_version(ssl) == TLS1_3_VERSION ? .tls1_3 : .tls1_2, cipherSuite: cipher,
            applicationProtocol: [HTTPClientProtocol.http2, .http1].first { $0.alpnName == selected },
            serverName: serverName, isResumed: SSL_session_reused(ssl) == 1,
            peerIdentity: context.checksPeer ? SSL_get0_peer_certificate(ssl).map { TLSPeerIdentity($0) } : nil)
    }

    private func fail() -> TLSError {
        phase = .failed
        let error = TLSError.ofConnection(isServer: context.isServer)
        return rejection ?? error
    }

    /// Called back by OpenSSL while it checks the peer's certificate.
    func didReject(_ code: CInt, certificate: OpaquePointer?) {
        guard context.checksPeer else { return }
        rejection = TLSError(
            .certificateRejected, CertificateRejection.text(code, certificate, host: context.isServer ? nil : host))
    }
}
