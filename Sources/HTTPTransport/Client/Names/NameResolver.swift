import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Finds the addresses of a target. Asked before the first connection and again after a connection failed or ended.
public protocol NameResolver: Sendable {
    /// At least one address, in the order to try them.
    ///
    /// - Throws: any error; its text ends up in the message of the calls that fail.
    func resolve() async throws -> [SocketAddress]
}

/// A list that never changes.
struct StaticResolver: NameResolver {
    let addresses: [SocketAddress]
    func resolve() async throws -> [SocketAddress] { addresses }
}

/// The system's look-up (`getaddrinfo`: hosts file, DNS), on threads of its own: it blocks.
public struct SystemResolver: NameResolver {
    let host: String
    let port: Int
    private static let threads: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 4)
        pool.start()
        return pool
    }()

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    public func resolve() async throws -> [SocketAddress] {
        if let address = try? SocketAddress(ipAddress: host, port: port) { return [address] }
        return try await Self.threads.runIfActive { [host, port] in try Self.lookUp(host, port) }
    }

    private static func lookUp(_ host: String, _ port: Int) throws -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        #if canImport(Glibc)
            hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        #else
            hints.ai_socktype = SOCK_STREAM
        #endif
        hints.ai_flags = AI_ADDRCONFIG
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, "\(port)", &hints, &found)
        guard code == 0, let first = found else {
            throw HTTPConnectionError("cannot look up \(host): \(String(cString: gai_strerror(code)))")
        }
        defer { freeaddrinfo(first) }
        var addresses: [SocketAddress] = []
        var next: UnsafeMutablePointer<addrinfo>? = first
        while let info = next?.pointee {
            if let address = address(info), !addresses.contains(address) { addresses.append(address) }
            next = info.ai_next
        }
        guard !addresses.isEmpty else { throw HTTPConnectionError("\(host) has no IP address") }
        return addresses
    }

    private static func address(_ info: addrinfo) -> SocketAddress? {
        guard let bytes = info.ai_addr else { return nil }
        switch info.ai_family {
        case AF_INET:
            return bytes.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee, host: "") }
        case AF_INET6:
            return bytes.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { SocketAddress($0.pointee, host: "") }
        default: return nil
        }
    }
}

extension ConnectionTarget {
    var resolver: any NameResolver {
        switch place {
        case .name(let host, let port): SystemResolver(host: host, port: port)
        case .addresses(let addresses): StaticResolver(addresses: addresses)
        }
    }
}
