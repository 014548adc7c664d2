import COpenSSL

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// PEM -> OpenSSL's objects. Blocks on files: not for event loops. A passphrase is refused: OpenSSL would ask for it on
/// the terminal.
enum PEMReader {
    /// Largest file that is read; a bundle of all public roots has about 220 KiB.
    static let fileByteCount = 4 * 1024 * 1024

    /// - Returns: at least one certificate, in the order of the file.
    static func certificates(_ source: TLSPEM, role: String) throws(TLSError) -> [X509Certificate] {
        let bytes = try bytes(source, role: role)
        var certificates: [X509Certificate] = []
        return try withBIO(bytes) { bio throws(TLSError) in
            while let pointer = PEM_read_bio_X509(bio, nil, { _, _, _, _ in -1 }, nil) {
                certificates.append(X509Certificate(owning: pointer))
            }
            let last = ERR_peek_last_error()
            let isAtEnd = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE
            let errors = OpenSSLErrors.take()
            if !isAtEnd {
                throw TLSError(
                    .configuration,
                    "\(role): certificate \(certificates.count + 1) in \(source) is damaged: \(errors.text)")
            }
            if certificates.isEmpty {
                throw TLSError(
                    .configuration, "\(role): \(source) holds no \"-----BEGIN CERTIFICATE-----\" (PEM is needed)")
            }
            return certificates
        }
    }

    static func privateKey(_ source: TLSPEM) throws(TLSError) -> PrivateKey {
        let bytes = try bytes(source, role: "private key")
        return try withBIO(bytes) { bio throws(TLSError) in
            if let pointer = PEM_read_bio_PrivateKey(bio, nil, { _, _, _, _ in -1 }, nil) {
                ERR_clear_error()
                return PrivateKey(owning: pointer)
            }
            let errors = OpenSSLErrors.take()
            if String(decoding: bytes, as: UTF8.self).contains("ENCRYPTED") {
                throw TLSError(
                    .configuration,
                    "private key: \(source) is encrypted; write it without a passphrase: openssl pkey -in OLD -out NEW")
            }
            throw TLSError(
                .configuration, "private key: \(source) holds no private key in PEM form: \(errors.text)")
        }
    }

    private static func withBIO<Result>(
        _ bytes: [UInt8], _ body: (OpaquePointer) throws(TLSError) -> Result
    ) throws(TLSError) -> Result {
        ERR_clear_error()
        guard let bio = BIO_new(BIO_s_mem()) else { throw TLSError(.configuration, "out of memory") }
        defer { BIO_free(bio) }
        let count = CInt(clamping: bytes.count)
        guard count == 0 || BIO_write(bio, bytes, count) == count else {
            throw TLSError(.configuration, "out of memory")
        }
        return try body(bio)
    }

    private static func bytes(_ source: TLSPEM, role: String) throws(TLSError) -> [UInt8] {
        switch source {
        case .text(let text): return Array(text.utf8)
        case .file(let path):
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                throw TLSError(.configuration, "\(role): cannot read \(path): \(ErrorText.ofSystem(errno))")
            }
            defer { close(descriptor) }
            return try read(descriptor, path, role)
        }
    }

    private static func read(_ descriptor: CInt, _ path: String, _ role: String) throws(TLSError) -> [UInt8] {
        var all: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        while all.count <= fileByteCount {
            let count = systemRead(descriptor, &piece, piece.count)
            if count == 0 { return all }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw TLSError(.configuration, "\(role): cannot read \(path): \(ErrorText.ofSystem(errno))")
            }
            all += piece[..<count]
        }
        throw TLSError(.configuration, "\(role): \(path) is larger than \(fileByteCount) bytes")
    }
}

/// The system's `read`, which the method above hides.
private func systemRead(_ descriptor: CInt, _ bytes: UnsafeMutableRawPointer, _ count: Int) -> Int {
    read(descriptor, bytes, count)
}

/// Owns one certificate.
final class X509Certificate {
    let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) { self.pointer = pointer }
    deinit { X509_free(pointer) }
}

/// Owns one private key.
final class PrivateKey {
    let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) { self.pointer = pointer }
    deinit { EVP_PKEY_free(pointer) }
}
