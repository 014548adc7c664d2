import COpenSSL

/// HMAC with SHA-256 (RFC 2104) under one key, by OpenSSL. The key itself cannot be read back.
///
/// `@unchecked Sendable`: the prepared state never changes; every code is computed on a copy of it.
final class HMACSHA256: @unchecked Sendable, CustomStringConvertible, CustomReflectable {
    static let byteCount = 32

    private static nonisolated(unsafe) let algorithm = EVP_MAC_fetch(nil, "HMAC", nil)
    private let prepared: OpaquePointer

    init(key: [UInt8]) {
        // Fails only without memory or without the algorithm; a code that is not computed must never be accepted.
        guard let context = EVP_MAC_CTX_new(Self.algorithm),
            shim_EVP_MAC_CTX_use_hmac_sha256(context, key, key.count) == 1, EVP_MAC_init(context, nil, 0, nil) == 1
        else { preconditionFailure("OpenSSL cannot compute HMAC with SHA-256") }
        prepared = context
    }

    deinit { EVP_MAC_CTX_free(prepared) }

    /// 32 bytes.
    func code(_ message: [UInt8]) -> [UInt8] { message.withUnsafeBytes { code($0) } }

    /// 32 bytes.
    func code(_ message: UnsafeRawBufferPointer...) -> [UInt8] {
        guard let context = EVP_MAC_CTX_dup(prepared) else { preconditionFailure("OpenSSL cannot copy an HMAC") }
        defer { EVP_MAC_CTX_free(context) }
        var isDone = true
        for part in message {
            isDone = EVP_MAC_update(context, part.baseAddress?.assumingMemoryBound(to: UInt8.self), part.count) == 1 && isDone
        }
        var count = 0
        let code = [UInt8](unsafeUninitializedCapacity: Self.byteCount) { memory, used in
            isDone = EVP_MAC_final(context, memory.baseAddress, &count, Self.byteCount) == 1 && isDone
            used = Self.byteCount
        }
        precondition(isDone && count == Self.byteCount, "OpenSSL cannot compute HMAC with SHA-256")
        return code
    }

    /// Compares in a time that does not depend on where the difference is.
    static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
    }

    var description: String { "HMACSHA256(secret)" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
