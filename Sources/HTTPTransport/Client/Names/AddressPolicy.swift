import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A block of IP addresses, such as `10.0.0.0/8` or `fd00::/8`.
public struct AddressRange: Sendable, Hashable, CustomStringConvertible {
    let bytes: [UInt8]
    let prefixBitCount: Int
    public let description: String

    /// - Returns: nil when the text is not an IP address with an optional prefix length.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2,
            let address = try? SocketAddress(ipAddress: String(first), port: 0), let bytes = Self.bytes(of: address)
        else { return nil }
        var length = bytes.count * 8
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy(ASCII.isDigit), let given = Int(parts[1]), given <= length else {
                return nil
            }
            length = given
        }
        self.bytes = bytes
        prefixBitCount = length
        description = text
    }

    func contains(_ address: [UInt8]) -> Bool {
        guard address.count == bytes.count else { return false }
        for index in 0..<prefixBitCount {
            let mask = UInt8(0x80) >> UInt8(index % 8)
            if (address[index / 8] ^ bytes[index / 8]) & mask != 0 { return false }
        }
        return true
    }

    /// 4 or 16 bytes in network order; nil for a Unix socket.
    static func bytes(of address: SocketAddress) -> [UInt8]? {
        switch address {
        case .v4(let address): withUnsafeBytes(of: address.address.sin_addr) { Array($0) }
        case .v6(let address): withUnsafeBytes(of: address.address.sin6_addr) { Array($0) }
        case .unixDomainSocket: nil
        }
    }
}

/// Keeps requests for addresses that somebody else chose away from one's own network (server-side request forgery).
///
/// Refused unless allow-listed: everything that is not a public unicast address, that is loopback, private, link-local
/// (cloud metadata too), shared (CGNAT), multicast, documentation and benchmark blocks, unique local IPv6, and every
/// IPv6 form that carries an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo). Unix sockets are refused always.
/// Sources: the IANA special-purpose address registries.
public struct AddressPolicy: Sendable {
    /// Blocks that are fine although they are not public.
    public var allowed: [AddressRange]

    public init(allowing allowed: [AddressRange] = []) { self.allowed = allowed }

    /// - Throws: ``AddressRefused`` that names the address.
    public func check(_ address: SocketAddress) throws(AddressRefused) {
        guard let bytes = AddressRange.bytes(of: address) else { throw AddressRefused(AddressText.describe(address)) }
        if allowed.contains(where: { $0.contains(bytes) }) { return }
        let isPublic = bytes.count == 4 || Self.globalUnicast.contains { $0.contains(bytes) }
        guard isPublic, !Self.special.contains(where: { $0.contains(bytes) }) else {
            throw AddressRefused(AddressText.describe(address))
        }
    }

    /// The only part of IPv6 that is in use for public hosts.
    private static let globalUnicast = ["2000::/3"].compactMap(AddressRange.init)

    private static let special = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    ].compactMap(AddressRange.init)
}

/// An address that ``AddressPolicy`` does not allow.
public struct AddressRefused: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    init(_ address: String) {
        description = "\(address) is not a public address and not in AddressPolicy.allowed"
    }
}
