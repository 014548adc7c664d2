import NIOCore
import NIOPosix
import Synchronization

/// A TCP server on a free port of 127.0.0.1 that says exactly what a script wants. For tests of clients.
public final class ScriptedPeer: Sendable {
    /// What to do with a connection; `number` counts from 1. Returning closes it.
    public typealias Script = @Sendable (_ connection: PeerConnection, _ number: Int) async throws -> Void

    public let port: Int
    private let connections: Connections

    /// Connections accepted so far.
    public var connectionCount: Int { connections.count }

    private init(port: Int, _ connections: Connections) {
        self.port = port
        self.connections = connections
    }

    /// Runs `body` while the peer serves, on a free TCP port or on a Unix socket.
    public static func with<Result>(
        _ script: @escaping Script, unixPath: String? = nil, _ body: (ScriptedPeer) async throws -> Result
    ) async throws -> Result {
        let address =
            try unixPath.map { try SocketAddress(unixDomainSocketPath: $0) }
            ?? SocketAddress(ipAddress: "127.0.0.1", port: 0)
        let connections = Connections(script)
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    connections.serve(try NIOAsyncChannel(wrappingChannelSynchronously: channel))
                }
            }
            .bind(to: address).get()
        let peer = ScriptedPeer(port: server.localAddress?.port ?? 0, connections)
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await body(peer))
        } catch {
            result = .failure(error)
        }
        connections.end()
        // Waited for: afterwards nobody listens on the port.
        try? await server.close().get()
        return try result.get()
    }
}

/// What a peer has accepted. Each connection gets its task where it is made: a `NIOAsyncChannel` that nobody uses, such
/// as one that comes while the peer ends, would trap.
private final class Connections: Sendable {
    private struct State {
        var tasks: [Task<Void, Never>] = []
        var isOver = false
    }

    private let script: ScriptedPeer.Script
    private let state = Mutex(State())

    var count: Int { state.withLock { $0.tasks.count } }

    init(_ script: @escaping ScriptedPeer.Script) { self.script = script }

    func serve(_ channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>) {
        state.withLock { state in
            let number = state.tasks.count + 1
            let isOver = state.isOver
            state.tasks.append(
                Task { [script] in
                    // What a script does not expect ends its connection only.
                    try? await channel.executeThenClose { inbound, outbound in
                        guard !isOver else { return }
                        try await script(PeerConnection(inbound.makeAsyncIterator(), outbound), number)
                    }
                })
        }
    }

    func end() {
        let tasks = state.withLock { state in
            state.isOver = true
            return state.tasks
        }
        for task in tasks { task.cancel() }
    }
}

/// One connection of a ``ScriptedPeer``, used by one task.
public final class PeerConnection {
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var unread: [UInt8] = []

    init(
        _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.inbound = inbound
        self.outbound = outbound
    }

    public func send(_ bytes: [UInt8]) async throws { try await outbound.write(ByteBuffer(bytes: bytes)) }
    public func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    /// Exactly that many bytes; nil when the client ended first.
    public func read(_ count: Int) async throws -> [UInt8]? {
        while unread.count < count {
            guard let more = try await inbound.next() else { return nil }
            unread += more.readableBytesView
        }
        defer { unread.removeFirst(count) }
        return Array(unread.prefix(count))
    }

    /// Everything up to and including `text`; nil when the client ended first.
    public func read(until text: String) async throws -> String? {
        while true {
            let seen = String(decoding: unread, as: UTF8.self)
            if let range = seen.firstRange(of: text) {
                let taken = String(seen[..<range.upperBound])
                unread.removeFirst(taken.utf8.count)
                return taken
            }
            guard let more = try await inbound.next() else { return nil }
            unread += more.readableBytesView
        }
    }

    /// A whole HTTP/1.1 request with a Content-Length, or without a body.
    public func readHTTP1Request() async throws -> (head: String, body: [UInt8])? {
        guard let head = try await read(until: "\r\n\r\n") else { return nil }
        let length = head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst(15).trimmingPrefix(" ")) }
        guard let body = try await read(length ?? 0) else { return nil }
        return (head, body)
    }

    /// Waits for the client to go.
    public func readToEnd() async throws {
        while try await inbound.next() != nil {}
    }
}
