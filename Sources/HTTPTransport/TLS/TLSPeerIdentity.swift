import COpenSSL
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Who the peer is, by the certificate it has proved to own; its chain, time and key usage were checked.
///
/// Being known is not being allowed: what the identity may do is for interceptors to decide.
public struct TLSPeerIdentity: Sendable, Hashable, CustomStringConvertible {
    /// Distinguished name (RFC 2253), such as `CN=billing,O=Example`.
    public var subject: String
    /// Subject alternative names by kind (RFC 5280 section 4.2.1.6).
    public var dnsNames: [String]
    /// Such as the SPIFFE ID `spiffe://example.org/billing`.
    public var uris: [String]
    public var ipAddresses: [String]
    /// SHA-256 of the certificate's DER form: 64 lower-case hexadecimal digits.
    public var sha256Fingerprint: String
    /// Last second of validity, since 1970 UTC.
    public var notAfter: Int64

    /// For tests of interceptors.
    public init(
        subject: String, dnsNames: [String] = [], uris: [String] = [], ipAddresses: [String] = [],
        sha256Fingerprint: String, notAfter: Int64
    ) {
        self.subject = subject
        self.dnsNames = dnsNames
        self.uris = uris
        self.ipAddresses = ipAddresses
        self.sha256Fingerprint = sha256Fingerprint
        self.notAfter = notAfter
    }

    public var description: String { "\(subject) (sha256 \(sha256Fingerprint))" }

    init(_ certificate: OpaquePointer) {
        self.init(
            subject: CertificateText.subject(certificate),
            sha256Fingerprint: CertificateText.fingerprint(certificate),
            notAfter: CertificateText.seconds(X509_get0_notAfter(certificate)) ?? .min)
        for (kind, bytes) in CertificateText.alternativeNames(certificate) {
            switch kind {
            case GEN_DNS: if let text = CertificateText.printable(bytes) { dnsNames.append(text) }
            case GEN_URI: if let text = CertificateText.printable(bytes) { uris.append(text) }
            case GEN_IPADD:
                if let address = try? SocketAddress(packedIPAddress: ByteBuffer(bytes: bytes), port: 0).ipAddress {
                    ipAddresses.append(address)
                }
            default: break
            }
        }
    }
}

/// Fields of a certificate in words.
enum CertificateText {
    static func subject(_ certificate: OpaquePointer) -> String {
        guard let name = X509_get_subject_name(certificate), let bio = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(bio) }
        guard shim_X509_NAME_print(bio, name) >= 0 else {
            ERR_clear_error()
            return ""
        }
        var text = [UInt8](repeating: 0, count: 1024)
        let count = BIO_read(bio, &text, CInt(text.count))
        return String(decoding: text[..<Int(max(count, 0))], as: UTF8.self)
    }

    static func fingerprint(_ certificate: OpaquePointer) -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        guard X509_digest(certificate, EVP_sha256(), &digest, nil) == 1 else {
            ERR_clear_error()
            return ""
        }
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// Kind (`GEN_DNS` ...) and bytes of the names that are simple strings.
    static func alternativeNames(_ certificate: OpaquePointer) -> [(kind: NameKind, bytes: [UInt8])] {
        guard let raw = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else {
            ERR_clear_error()
            return []
        }
        let names = OpaquePointer(raw)
        defer { GENERAL_NAMES_free(names) }
        return (0..<shim_GENERAL_NAME_count(names)).compactMap { index in
            var kind: CInt = 0
            guard let name = shim_GENERAL_NAME_at(names, index),
                let value = GENERAL_NAME_get0_value(name, &kind), [GEN_DNS, GEN_URI, GEN_IPADD].contains(kind)
            else { return nil }
            let string = UnsafePointer(value.assumingMemoryBound(to: ASN1_STRING.self))
            guard let bytes = ASN1_STRING_get0_data(string) else { return nil }
            let count = Int(ASN1_STRING_length(string))
            return (kind, Array(UnsafeBufferPointer(start: bytes, count: count)))
        }
    }

    typealias NameKind = CInt

    /// Printable ASCII or nothing: a name with a NUL or a line break inside is a trap for whoever compares or logs it.
    static func printable(_ bytes: [UInt8]) -> String? {
        bytes.allSatisfy { $0 > 0x20 && $0 < 0x7F } ? String(decoding: bytes, as: UTF8.self) : nil
    }

    static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
        var parts = tm()
        guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else {
            ERR_clear_error()
            return nil
        }
        return Int64(timegm(&parts))
    }

    /// `2026-11-21 13:00 UTC`
    static func day(_ seconds: Int64) -> String {
        var time = time_t(seconds)
        var parts = tm()
        guard gmtime_r(&time, &parts) != nil else { return "\(seconds)" }
        func two(_ number: CInt) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) "
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)) UTC"
    }

    static var now: Int64 { Int64(time(nil)) }
}
