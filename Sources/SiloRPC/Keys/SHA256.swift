import COpenSSL

/// The SHA-256 digest (FIPS 180-4), by OpenSSL.
public enum SHA256 {
    /// 32 bytes.
    public static func digest(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        let done = bytes.withUnsafeBytes { input in
            EVP_Digest(input.baseAddress, input.count, &digest, nil, EVP_sha256(), nil)
        }
        // Fails only without memory or without the algorithm; a digest of zeros must never be taken for one.
        precondition(done == 1, "OpenSSL cannot compute SHA-256")
        return digest
    }
}

/// Bytes that nobody can guess, by OpenSSL's generator.
enum SecureRandom {
    static func bytes(_ count: Int32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(count))
        precondition(RAND_bytes(&bytes, count) == 1, "OpenSSL has no random bytes")
        return bytes
    }
}
