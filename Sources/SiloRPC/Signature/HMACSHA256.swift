import COpenSSL

/// HMAC with SHA-256 (RFC 2104) under one key, by OpenSSL's digest. The key itself cannot be read back.
///
/// What does not depend on the message, a block of hashing on each side, is done once for the key; a code copies those
/// two states. OpenSSL's own `EVP_MAC` does the same with a dozen allocations for each copy.
///
/// `@unchecked Sendable`: the prepared states never change; every code is computed on a copy of them.
final class HMACSHA256: @unchecked Sendable, CustomStringConvertible, CustomReflectable {
    static let byteCount = 32
    private static let blockByteCount = 64

    private let inner: OpaquePointer
    private let outer: OpaquePointer

    init(key: [UInt8]) {
        let short = key.count > Self.blockByteCount ? SHA256.digest(key) : key
        var block = short + [UInt8](repeating: 0, count: Self.blockByteCount - short.count)
        defer { OPENSSL_cleanse(&block, block.count) }
        inner = Self.begun(block, with: 0x36)
        outer = Self.begun(block, with: 0x5C)
    }

    deinit {
        EVP_MD_CTX_free(inner)
        EVP_MD_CTX_free(outer)
    }

    private static func begun(_ key: [UInt8], with pad: UInt8) -> OpaquePointer {
        var block = key.map { $0 ^ pad }
        defer { OPENSSL_cleanse(&block, block.count) }
        // Fails only without memory or without the algorithm; a code that is not computed must never be accepted.
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, SHA256.algorithm, nil) == 1,
            EVP_DigestUpdate(context, block, block.count) == 1
        else { preconditionFailure("OpenSSL cannot compute SHA-256") }
        return context
    }

    /// 32 bytes.
    func code(_ message: [UInt8]) -> [UInt8] { message.withUnsafeBytes { code($0) } }

    /// 32 bytes, of both parts together.
    func code(
        _ message: UnsafeRawBufferPointer, _ rest: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) -> [UInt8] {
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        return [UInt8](unsafeUninitializedCapacity: Self.byteCount) { memory, count in
            let isDone =
                EVP_MD_CTX_copy_ex(context, inner) == 1
                && EVP_DigestUpdate(context, message.baseAddress, message.count) == 1
                && EVP_DigestUpdate(context, rest.baseAddress, rest.count) == 1
                && EVP_DigestFinal_ex(context, memory.baseAddress, nil) == 1
                && EVP_MD_CTX_copy_ex(context, outer) == 1
                && EVP_DigestUpdate(context, memory.baseAddress, Self.byteCount) == 1
                && EVP_DigestFinal_ex(context, memory.baseAddress, nil) == 1
            precondition(isDone, "OpenSSL cannot compute HMAC with SHA-256")
            count = Self.byteCount
        }
    }

    /// Compares in a time that does not depend on where the difference is.
    static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
    }

    var description: String { "HMACSHA256(secret)" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
