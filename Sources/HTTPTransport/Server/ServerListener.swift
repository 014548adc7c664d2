import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What the connections of one listening socket have in common.
final class ServerListener: Sendable {
    let address: HTTPListenAddress
    /// nil in clear text.
    let credentials: TLSServerCredentials?
    let schemes: SchemeRule
    /// Requests must be for the name that the handshake was for, because it decided what was asked of the client.
    let checksAuthority: Bool

    init(_ listener: HTTPListener, credentials: TLSServerCredentials?, acceptsForwardedHTTPSScheme: Bool) {
        address = listener.address
        self.credentials = credentials
        schemes = credentials != nil ? .https : acceptsForwardedHTTPSScheme ? .either : .http
        checksAuthority = listener.tls.map { $0.clientCertificates != .none } ?? false
    }

    /// - Throws: ``HTTPConnectionError`` that names the address.
    func bind(_ bootstrap: ServerBootstrap) async throws -> BoundSocket {
        do {
            switch address {
            case .tcp(let host, let port):
                let channel = try await bootstrap.bind(host: host, port: port).get()
                guard let local = channel.localAddress else { throw HTTPConnectionError("no local address") }
                return BoundSocket(channel: channel, address: local, file: nil)
            case .unix(let path, let permissions):
                return try await UnixSocketFile.bind(bootstrap, path: path, permissions: permissions)
            }
        } catch {
            throw HTTPConnectionError("cannot listen on \(address): \(ErrorText.describe(error))")
        }
    }
}

/// A listening socket.
struct BoundSocket: Sendable {
    let channel: any Channel
    let address: SocketAddress
    /// Of a Unix socket.
    let file: UnixSocketFile?
}

/// The file of a listening Unix socket.
///
/// It is made under another name, gets its permissions, and then its real name: nobody can connect before, and a file
/// that is left from a server that was killed is replaced in one step.
struct UnixSocketFile: Sendable {
    private let path: String
    private let inode: UInt64

    static func bind(_ bootstrap: ServerBootstrap, path: String, permissions: UInt16) async throws -> BoundSocket {
        let address = try SocketAddress(unixDomainSocketPath: path)
        try await checkUnused(path, address, bootstrap)
        let temporary = "\(path).\(getpid())"
        // Left by an earlier process with this number.
        unlink(temporary)
        let channel = try await bootstrap.bind(unixDomainSocketPath: temporary).get()
        let file = UnixSocketFile(path: path, inode: inode(temporary) ?? 0)
        guard chmod(temporary, mode_t(permissions)) == 0, rename(temporary, path) == 0 else {
            let reason = ErrorText.ofSystem(errno)
            unlink(temporary)
            try? await channel.close().get()
            throw HTTPConnectionError(reason)
        }
        return BoundSocket(channel: channel, address: address, file: file)
    }

    /// Removes the file, unless it is another server's by now.
    func remove() {
        if Self.inode(path) == inode { unlink(path) }
    }

    private static func checkUnused(_ path: String, _ address: SocketAddress, _ bootstrap: ServerBootstrap) async throws
    {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw HTTPConnectionError("a file that is no socket is there")
        }
        let group = MultiThreadedEventLoopGroup.singleton
        guard let peer = try? await ClientBootstrap(group: group).connect(to: address).get() else { return }
        try? await peer.close().get()
        throw HTTPConnectionError("another server listens there")
    }

    private static func inode(_ path: String) -> UInt64? {
        var status = stat()
        return lstat(path, &status) == 0 ? UInt64(truncatingIfNeeded: status.st_ino) : nil
    }
}
