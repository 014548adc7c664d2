import COpenSSL

/// A certificate with its intermediates and its key, read and checked to fit.
///
/// `@unchecked Sendable`: nothing is changed after the initialiser, and OpenSSL counts references atomically.
struct LoadedIdentity: @unchecked Sendable {
    private let source: TLSIdentity
    private let role: String
    private let leaf: X509Certificate
    private let intermediates: ArraySlice<X509Certificate>
    private let key: PrivateKey

    /// Reads the files. Blocks: not for event loops.
    ///
    /// - Throws: ``TLSError`` that names `role` and the file.
    init(_ identity: TLSIdentity, role: String) throws(TLSError) {
        let chain = try PEMReader.certificates(identity.certificateChain, role: role)
        key = try PEMReader.privateKey(identity.privateKey)
        guard let leaf = chain.first else {
            throw TLSError(.configuration, "\(role): \(identity.certificateChain) holds no certificate")
        }
        guard X509_check_private_key(leaf.pointer, key.pointer) == 1 else {
            ERR_clear_error()
            throw TLSError(
                .configuration,
                "\(role): the key in \(identity.privateKey) does not fit the first certificate in "
                    + "\(identity.certificateChain) (\(CertificateText.subject(leaf.pointer)))")
        }
        self.leaf = leaf
        self.role = role
        intermediates = chain.dropFirst()
        source = identity
    }

    /// Such as "certificate server.pem", for messages.
    var description: String { "\(role) \(source.certificateChain)" }

    /// The DNS names of its subject alternative name, in lower case.
    var names: [String] {
        CertificateText.alternativeNames(leaf.pointer).compactMap { kind, bytes in
            kind == GEN_DNS ? CertificateText.printable(bytes)?.lowercased() : nil
        }
    }

    /// For all connections of a context.
    func use(inContext context: OpaquePointer) throws(TLSError) {
        guard SSL_CTX_use_certificate(context, leaf.pointer) == 1, SSL_CTX_use_PrivateKey(context, key.pointer) == 1
        else { throw unusable("cannot be used") }
        for intermediate in intermediates where shim_SSL_CTX_add1_chain_cert(context, intermediate.pointer) != 1 {
            throw unusable("has an intermediate that cannot be used")
        }
    }

    /// For one connection, in place of its context's.
    ///
    /// - Returns: false when OpenSSL does not take it; its errors are left in the queue.
    func use(inConnection ssl: OpaquePointer) -> Bool {
        SSL_certs_clear(ssl)
        return SSL_use_certificate(ssl, leaf.pointer) == 1 && SSL_use_PrivateKey(ssl, key.pointer) == 1
            && intermediates.allSatisfy { shim_SSL_add1_chain_cert(ssl, $0.pointer) == 1 }
    }

    private func unusable(_ what: String) -> TLSError {
        TLSError(.configuration, "\(role): \(source.certificateChain) \(what): \(OpenSSLErrors.take().text)")
    }

    /// What an operator should know although it is no error.
    var warnings: [String] {
        var warnings: [String] = []
        let now = CertificateText.now
        if let end = CertificateText.seconds(X509_get0_notAfter(leaf.pointer)), end < now {
            warnings.append("\(description) has expired on \(CertificateText.day(end)): peers will refuse it; renew it")
        }
        if let start = CertificateText.seconds(X509_get0_notBefore(leaf.pointer)), start > now {
            warnings.append("\(description) is not valid before \(CertificateText.day(start)): peers will refuse it")
        }
        return warnings
    }
}
