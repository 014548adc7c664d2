import COpenSSL
import NIOCore
import Synchronization

/// The SHA-256 digest (FIPS 180-4), by OpenSSL.
public enum SHA256 {
    /// Fetched once: `EVP_sha256()` is looked up again for every digest.
    ///
    /// `nonisolated(unsafe)`: set once, never freed, and OpenSSL lets any number of threads read an algorithm.
    static nonisolated(unsafe) let algorithm = EVP_MD_fetch(nil, "SHA256", nil)

    /// 32 bytes.
    public static func digest(_ bytes: [UInt8]) -> [UInt8] { bytes.withUnsafeBytes { digest($0) } }

    /// 32 bytes.
    public static func digest(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        let done = EVP_Digest(bytes.baseAddress, bytes.count, &digest, nil, algorithm, nil)
        // Fails only without memory or without the algorithm; a digest of zeros must never be taken for one.
        precondition(done == 1, "OpenSSL cannot compute SHA-256")
        return digest
    }
}

extension SHA256 {
    /// As ``digest(_:)-(UnsafeRawBufferPointer)``, without memory of its own.
    static func sum(_ bytes: UnsafeRawBufferPointer) -> Digest256 {
        var digest = Digest256()
        let done = digest.withMutableBytes {
            EVP_Digest(bytes.baseAddress, bytes.count, $0.baseAddress, nil, algorithm, nil)
        }
        precondition(done == 1, "OpenSSL cannot compute SHA-256")
        return digest
    }
}

/// A SHA-256 digest over bytes that come in pieces.
final class SHA256Digest: Sendable {
    /// An `EVP_MD_CTX`, touched by one thread at a time.
    private struct Context: ~Copyable {
        let pointer: OpaquePointer

        init() {
            let pointer = EVP_MD_CTX_new()
            precondition(EVP_DigestInit_ex(pointer, EVP_sha256(), nil) == 1, "OpenSSL cannot compute SHA-256")
            // Without memory the line above has ended the process.
            self.pointer = pointer.unsafelyUnwrapped
        }

        func update(_ bytes: ByteBuffer) {
            bytes.withUnsafeReadableBytes { input in
                let done = EVP_DigestUpdate(pointer, input.baseAddress, input.count)
                precondition(done == 1, "OpenSSL cannot compute SHA-256")
            }
        }

        func finish() -> [UInt8] {
            var digest = [UInt8](repeating: 0, count: 32)
            precondition(EVP_DigestFinal_ex(pointer, &digest, nil) == 1, "OpenSSL cannot compute SHA-256")
            return digest
        }

        deinit { EVP_MD_CTX_free(pointer) }
    }

    private let context = Mutex(Context())

    func update(_ bytes: ByteBuffer) {
        context.withLock { $0.update(bytes) }
    }

    /// 32 bytes; called once.
    func finish() -> [UInt8] {
        context.withLock { $0.finish() }
    }
}

/// HMAC (RFC 2104) by OpenSSL.
enum HMAC {
    /// 32 bytes.
    static func sha256(key: [UInt8], _ message: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        var count = 0
        let result = EVP_Q_mac(
            nil, "HMAC", nil, "SHA256", nil, key, key.count, message, message.count, &digest, digest.count, &count
        )
        precondition(result != nil && count == 32, "OpenSSL cannot compute HMAC-SHA-256")
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

    /// Bytes that were made earlier, four kilobytes at a time: a few bytes cost OpenSSL as much as many. For what a
    /// call needs, not for keys.
    private struct Reserve {
        var bytes: [UInt8] = []
        var used = 0
    }

    private static let reserve = Mutex(Reserve())
    private static let reserveByteCount = 4096

    /// For values that are made with every call.
    static func words() -> (UInt64, UInt64) {
        reserve.withLock { reserve in
            let size = MemoryLayout<(UInt64, UInt64)>.size
            if reserve.used + size > reserve.bytes.count {
                reserve.bytes = bytes(Int32(reserveByteCount))
                reserve.used = 0
            }
            defer { reserve.used += size }
            return reserve.bytes.withUnsafeBytes {
                $0.loadUnaligned(fromByteOffset: reserve.used, as: (UInt64, UInt64).self)
            }
        }
    }
}
