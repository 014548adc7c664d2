import NIOCore

@testable import HTTPTransport

/// Both ends of a TLS connection in memory, joined by hand.
final class TLSEnginePair {
    let client: TLSEngine
    let server: TLSEngine
    private(set) var clientReceived = ByteBuffer()
    private(set) var serverReceived = ByteBuffer()
    private(set) var clientError: TLSError?
    private(set) var serverError: TLSError?

    init(
        client: TLSContext, server: TLSContext, host: String = "localhost",
        protocols: [HTTPClientProtocol] = [.http2, .http1]
    ) throws {
        self.client = try TLSEngine(client: client, host: host, protocols: protocols)
        self.server = try TLSEngine(server: server)
    }

    /// The usual case: configurations that nobody else uses.
    convenience init(
        _ client: TLSClientConfiguration, _ server: TLSServerConfiguration, host: String = "localhost",
        protocols: [HTTPClientProtocol] = [.http2, .http1]
    ) throws {
        try self.init(
            client: TLSContext(client), server: TLSContext(server), host: client.serverName ?? host,
            protocols: protocols)
    }

    /// Moves records in both directions until nothing more comes. Each flight is cut by `cut`: the sizes of its pieces
    /// are at most the numbers given, the last one repeating.
    func run(cut: [Int] = [.max]) {
        if clientError == nil, client.phase == .handshaking {
            clientError = Self.catching { () throws(TLSError) in try client.start() }
        }
        while client.output.readableBytes + server.output.readableBytes > 0 {
            let upwards = Self.take(client)
            serverError = Self.feed(server, upwards, cut, &serverReceived) ?? serverError
            let downwards = Self.take(server)
            clientError = Self.feed(client, downwards, cut, &clientReceived) ?? clientError
        }
    }

    var isOpen: Bool { client.phase == .open && server.phase == .open }

    func takeServerReceived() -> [UInt8] {
        defer { serverReceived.clear() }
        return Array(serverReceived.readableBytesView)
    }

    func takeClientReceived() -> [UInt8] {
        defer { clientReceived.clear() }
        return Array(clientReceived.readableBytesView)
    }

    static func take(_ engine: TLSEngine) -> ByteBuffer {
        var output = ByteBuffer()
        swap(&output, &engine.output)
        return output
    }

    static func feed(
        _ engine: TLSEngine, _ bytes: ByteBuffer, _ cut: [Int] = [.max], _ received: inout ByteBuffer
    ) -> TLSError? {
        var rest = bytes
        var sizes = cut[...]
        while rest.readableBytes > 0 {
            let size = min(sizes.count > 1 ? sizes.removeFirst() : sizes.first ?? .max, rest.readableBytes)
            guard let piece = rest.readSlice(length: size) else { break }
            let error = catching { () throws(TLSError) in
                try piece.withUnsafeReadableBytes { bytes throws(TLSError) in
                    try engine.receive(bytes, into: &received)
                }
            }
            if let error { return error }
        }
        return nil
    }

    static func catching(_ body: () throws(TLSError) -> Void) -> TLSError? {
        do throws(TLSError) {
            try body()
            return nil
        } catch {
            return error
        }
    }
}

extension TLSEngine {
    func send(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try send($0) }
    }
}
