import COpenSSL

/// HMAC with SHA-256 (RFC 2104) under one key, by OpenSSL's digest. The key itself cannot be read back.
///
/// What does not depend on the message, a block of hashing on each side, is done once for the key; a code copies those
/// two states. OpenSSL's own `EVP_MAC` does the same with a dozen allocations for each copy.
///
/// `@unchecked Sendable`: the prepared states never change; every code is computed on a copy of them.
final class HMACSHA256: @unchecked Sendable, CustomStringConvertible, CustomReflectable {
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

    /// The code of everything that `write` puts in.
    func code(_ write: (inout DigestInput) -> Void) -> Digest256 {
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        var isDone = EVP_MD_CTX_copy_ex(context, inner) == 1
        withUnsafeTemporaryAllocation(byteCount: Self.roomByteCount, alignment: 8) { room in
            var input = DigestInput(context, room: room)
            write(&input)
            input.flush()
            isDone = isDone && input.isComplete
        }
        var code = Digest256()
        code.withMutableBytes { memory in
            isDone =
                isDone && EVP_DigestFinal_ex(context, memory.baseAddress, nil) == 1
                && EVP_MD_CTX_copy_ex(context, outer) == 1
                && EVP_DigestUpdate(context, memory.baseAddress, memory.count) == 1
                && EVP_DigestFinal_ex(context, memory.baseAddress, nil) == 1
        }
        precondition(isDone, "OpenSSL cannot compute HMAC with SHA-256")
        return code
    }

    /// Room on the stack for what is put together: most signed requests fit.
    private static let roomByteCount = 512

    /// The code of these bytes.
    func code(_ message: [UInt8]) -> Digest256 { message.withUnsafeBytes { bytes in code { $0.append(bytes) } } }

    var description: String { "HMACSHA256(secret)" }
    var customMirror: Mirror { Mirror(self, children: []) }
}
