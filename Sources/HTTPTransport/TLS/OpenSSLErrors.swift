import COpenSSL

/// What one call into OpenSSL has left in this thread's error queue.
struct OpenSSLErrors {
    /// Reasons of libssl, such as `SSL_R_NO_SHARED_CIPHER`.
    private(set) var reasons: [Int32] = []
    private(set) var text = ""

    /// Empties the queue, so that no error is ever taken for one of another connection.
    static func take() -> OpenSSLErrors {
        var errors = OpenSSLErrors()
        while true {
            var data: UnsafePointer<CChar>?
            var flags: CInt = 0
            let code = ERR_get_error_all(nil, nil, nil, &data, &flags)
            guard code != 0 else { return errors }
            if ERR_GET_LIB(code) == ERR_LIB_SSL { errors.reasons.append(ERR_GET_REASON(code)) }
            guard errors.text.utf8.count < 300 else { continue }
            let reason = ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)"
            errors.text += errors.text.isEmpty ? reason : "; \(reason)"
            if flags & ERR_TXT_STRING != 0, let data, data.pointee != 0 { errors.text += " (\(String(cString: data)))" }
        }
    }

    func contains(_ reason: Int32) -> Bool { reasons.contains(reason) }

    /// The fatal alert that came from the peer.
    var alert: UInt8? {
        // libssl counts alerts that were received from 1000 (SSL_AD_REASON_OFFSET).
        reasons.lazy.compactMap { (1000...1255).contains($0) ? UInt8(exactly: $0 - 1000) : nil }.first
    }
}

extension TLSError {
    /// A failed call during the handshake or later. Takes the error queue.
    static func ofConnection(isServer: Bool) -> TLSError {
        let errors = OpenSSLErrors.take()
        if let alert = errors.alert { return ofAlert(alert, isServer: isServer) }
        for (reason, kind, text) in known where errors.contains(reason) { return TLSError(kind, text) }
        return TLSError(.protocolViolation, errors.text.isEmpty ? "TLS failed without a reason" : errors.text)
    }

    private static let known: [(Int32, Kind, String)] = [
        (SSL_R_HTTP_REQUEST, .notTLS, "the peer speaks clear-text HTTP on a port with TLS; use https"),
        (SSL_R_WRONG_VERSION_NUMBER, .notTLS, "the peer does not speak TLS on this port"),
        (
            SSL_R_NO_APPLICATION_PROTOCOL, .nothingInCommon,
            "the client offers neither h2 nor http/1.1 (ALPN)"
        ),
        (
            SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, .certificateRejected,
            "the client presents no certificate, and one is required"
        ),
        (SSL_R_NO_SHARED_CIPHER, .nothingInCommon, "no cipher in common; ECDHE with AES-GCM or ChaCha20 is needed"),
        (SSL_R_UNSUPPORTED_PROTOCOL, .nothingInCommon, "no version in common; TLS 1.2 or 1.3 is needed"),
        (SSL_R_VERSION_TOO_LOW, .nothingInCommon, "no version in common; TLS 1.2 or 1.3 is needed"),
    ]

    private static func ofAlert(_ alert: UInt8, isServer: Bool) -> TLSError {
        let name = SSL_alert_desc_string_long(CInt(alert)).map { String(cString: $0) } ?? "\(alert)"
        let peer = isServer ? "client" : "server"
        let own = isServer ? "the server's certificate" : "this side's certificate"
        let advice =
            switch alert {
            case 116: "it wants a client certificate; configure one with its key"
            case 48: "it does not trust the issuer of \(own)"
            case 45: "\(own) has expired, or a clock is wrong"
            case 44: "\(own) was revoked"
            case 42, 43, 46: "it does not accept \(own)"
            case 40: isServer ? "it accepts no parameters" : "no parameters in common, or it wants a client certificate"
            case 70: "no version in common; TLS 1.2 or 1.3 is needed"
            case 112: "it does not know the server name"
            case 120: "it speaks none of the offered protocols (ALPN)"
            default: ""
            }
        return TLSError(.alert(alert), "the \(peer) sent the alert \"\(name)\"" + (advice.isEmpty ? "" : ": \(advice)"))
    }
}
