import COpenSSL

/// What OpenSSL asks during a handshake. Each finds its engine in the connection's application data.
enum TLSCallbacks {
    /// `h2` before `http/1.1`; nothing in common ends the handshake (RFC 7301 section 3.2), so that another protocol's
    /// client cannot be made to speak to this server (ALPACA).
    static func selectProtocol(
        _: OpaquePointer?, _ selected: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
        _ selectedCount: UnsafeMutablePointer<UInt8>?, _ offered: UnsafePointer<UInt8>?,
        _ offeredCount: CUnsignedInt, _: UnsafeMutableRawPointer?
    ) -> CInt {
        guard let offered, let selected, let selectedCount else { return SSL_TLSEXT_ERR_ALERT_FATAL }
        let list = UnsafeRawBufferPointer(start: offered, count: Int(offeredCount))
        for name in ["h2", "http/1.1"] {
            guard let range = range(of: name, in: list) else { continue }
            selected.pointee = offered + range.lowerBound
            selectedCount.pointee = UInt8(range.count)
            return SSL_TLSEXT_ERR_OK
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }

    /// A list of names, each behind one byte of length.
    private static func range(of name: String, in list: UnsafeRawBufferPointer) -> Range<Int>? {
        var index = 0
        while index < list.count {
            let start = index + 1
            let end = start + Int(list[index])
            guard end <= list.count else { return nil }
            if list[start..<end].elementsEqual(name.utf8) { return start..<end }
            index = end
        }
        return nil
    }

    /// The certificate for the name that a client asks for. 1 goes on.
    static func chooseCertificate(_ ssl: OpaquePointer?) -> CInt {
        guard let ssl, let identities = engine(ssl)?.context.identities,
            let name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name),
            let identity = identities.identity(for: String(cString: name))
        else { return 1 }
        return identity.use(inConnection: ssl) ? 1 : 0
    }

    static func ticketKey(
        _ ssl: OpaquePointer?, _ name: UnsafeMutablePointer<UInt8>?, _ vector: UnsafeMutablePointer<UInt8>?,
        _ cipher: OpaquePointer?, _ mac: OpaquePointer?, _ seals: CInt
    ) -> CInt {
        guard let ssl, let name, let vector, let cipher, let mac, let keys = engine(ssl)?.context.ticketKeys
        else { return -1 }
        return keys.prepare(
            name: name, vector: vector, cipher: cipher, mac: mac, seals: seals != 0,
            isSingleUse: SSL_version(ssl) == TLS1_3_VERSION)
    }

    /// Keeps OpenSSL's verdict, and remembers why it is what it is.
    static func verify(_ verdict: CInt, _ store: OpaquePointer?) -> CInt {
        guard verdict != 1, let store,
            let data = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx())
        else { return verdict }
        engine(OpaquePointer(data))?.didReject(
            X509_STORE_CTX_get_error(store), certificate: X509_STORE_CTX_get_current_cert(store))
        return verdict
    }

    /// A client's session is ready for resumption. 1 keeps the reference.
    static func newSession(_ ssl: OpaquePointer?, _ session: OpaquePointer?) -> CInt {
        guard let ssl, let session, let engine = engine(ssl), let sessions = engine.context.sessions else { return 0 }
        sessions.add(session, server: engine.sessionKey)
        return 1
    }

    private static func engine(_ ssl: OpaquePointer) -> TLSEngine? {
        shim_SSL_get_app_data(ssl).map { Unmanaged<TLSEngine>.fromOpaque($0).takeUnretainedValue() }
    }
}
