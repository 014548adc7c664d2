import COpenSSL
import NIOCore
import Synchronization

/// The keys that seal a server's session tickets (RFC 5077 section 4, RFC 8446 section 4.6.1).
///
/// A key seals for one lifetime and opens for one more, so a stolen key is worth two lifetimes at most. They are never
/// written anywhere; new certificates come with new keys, so that no ticket outlives a change of whom to trust.
final class TLSTicketKeys: Sendable {
    struct Key {
        let name = randomBytes(16)
        let encryption = randomBytes(32)
        let authentication = randomBytes(32)
        let made: NIODeadline
    }

    private let lifetime: TimeAmount
    private let keys = Mutex<[Key]>([])

    init(lifetime: Duration) { self.lifetime = .nanoseconds(max(lifetime.nanoseconds, 1_000_000_000)) }

    private static func randomBytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        precondition(RAND_bytes(&bytes, CInt(count)) == 1, "OpenSSL has no random bytes")
        return bytes
    }

    /// The newest key first; at most two.
    func current(_ now: NIODeadline = .now()) -> [Key] {
        keys.withLock { keys in
            keys.removeAll { $0.made + lifetime + lifetime <= now }
            if keys.first.map({ $0.made + lifetime <= now }) ?? true { keys.insert(Key(made: now), at: 0) }
            return keys
        }
    }

    /// OpenSSL's ticket callback: prepares the cipher and the MAC of one ticket.
    ///
    /// - Returns: as OpenSSL wants it: -1 failed, 0 unknown key, 1 fine, 2 fine but send a new ticket.
    func prepare(
        name: UnsafeMutablePointer<UInt8>, vector: UnsafeMutablePointer<UInt8>, cipher: OpaquePointer,
        mac: OpaquePointer, seals: Bool, isSingleUse: Bool
    ) -> CInt {
        let keys = current()
        guard let newest = keys.first else { return -1 }
        if seals {
            for (index, byte) in newest.name.enumerated() { name[index] = byte }
            guard RAND_bytes(vector, 16) == 1 else { return -1 }
            guard EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nil, newest.encryption, vector) == 1,
                shim_EVP_MAC_CTX_use_hmac_sha256(mac, newest.authentication, newest.authentication.count) == 1
            else { return -1 }
            return 1
        }
        let wanted = Array(UnsafeBufferPointer(start: name, count: 16))
        guard let key = keys.first(where: { $0.name == wanted }) else { return 0 }
        guard EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nil, key.encryption, vector) == 1,
            shim_EVP_MAC_CTX_use_hmac_sha256(mac, key.authentication, key.authentication.count) == 1
        else { return -1 }
        return isSingleUse || key.name != newest.name ? 2 : 1
    }
}
