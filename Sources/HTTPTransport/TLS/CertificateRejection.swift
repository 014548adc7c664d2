import COpenSSL

/// Why a peer's certificate was refused, in words that say what to do.
enum CertificateRejection {
    /// - Parameter host: what a server's certificate had to be for; nil for a client's certificate.
    static func text(_ code: CInt, _ certificate: OpaquePointer?, host: String?) -> String {
        let subject = certificate.map(CertificateText.subject) ?? "?"
        let peer = host.map { "the certificate of \($0)" } ?? "the client's certificate"
        switch code {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            let end = certificate.flatMap { CertificateText.seconds(X509_get0_notAfter($0)) }
            return "\(peer) is refused: \(subject) has expired" + (end.map { " on \(CertificateText.day($0))" } ?? "")
                + "; renew it, or check this machine's clock"
        case X509_V_ERR_CERT_NOT_YET_VALID:
            let start = certificate.flatMap { CertificateText.seconds(X509_get0_notBefore($0)) }
            return "\(peer) is refused: \(subject) is not valid"
                + (start.map { " before \(CertificateText.day($0))" } ?? " yet") + "; check this machine's clock"
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            return "\(peer) is refused: it is for \(names(certificate)), not for \(host ?? "?"); "
                + "connect by one of these names, or set the server name"
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_CERT_UNTRUSTED:
            return "\(peer) is refused: no trusted root has issued \(subject) (\(reason(code))); "
                + (host == nil
                    ? "add its CA to the client CA file"
                    : "add its CA to the root certificates, or let the server send its intermediates")
        case X509_V_ERR_INVALID_PURPOSE:
            return "\(peer) is refused: its extended key usage does not allow "
                + (host == nil ? "clientAuth" : "serverAuth") + " (\(subject))"
        default: return "\(peer) is refused: \(subject): \(reason(code))"
        }
    }

    private static func reason(_ code: CInt) -> String {
        X509_verify_cert_error_string(Int(code)).map { String(cString: $0) } ?? "error \(code)"
    }

    private static func names(_ certificate: OpaquePointer?) -> String {
        guard let certificate else { return "another name" }
        let identity = TLSPeerIdentity(certificate)
        let names = (identity.dnsNames + identity.ipAddresses).prefix(10)
        return names.isEmpty ? "no name" : names.joined(separator: ", ")
    }
}
