import NIOCore

/// How a client's channel gets its driver: at once in clear text, after the handshake with TLS, when ALPN has decided.
struct ClientStart: Sendable {
    typealias AddDriver = @Sendable (any Channel, HTTPClientProtocol) throws -> any ClientDriver
    typealias Ready = (driver: any ClientDriver, httpProtocol: HTTPClientProtocol, session: TLSSession?)

    private let httpProtocol: HTTPClientProtocol
    private let addDriver: AddDriver
    private let tls: TLS?

    private struct TLS: Sendable {
        let context: TLSContext
        let host: String
        let sessionKey: String
        let protocols: [HTTPClientProtocol]
        let timeout: TimeAmount
    }

    /// Reads the files of the configuration's TLS when nobody has yet.
    ///
    /// - Parameters:
    ///   - authority: `HOST:PORT`; the certificate must be for that host, unless the configuration names another.
    ///   - addDriver: makes the driver of a protocol and adds it to the channel; on the event loop.
    /// - Throws: ``TLSError`` that names the file.
    static func prepare(
        _ authority: String, _ httpProtocol: HTTPClientProtocol, _ configuration: HTTPClientConfiguration,
        addDriver: @escaping AddDriver
    ) async throws -> ClientStart {
        guard let tls = configuration.tls else {
            return ClientStart(httpProtocol: httpProtocol, addDriver: addDriver, tls: nil)
        }
        let parts = TLS(
            context: try await tls.shared.context(tls), host: tls.serverName ?? host(of: authority),
            sessionKey: authority, protocols: tls.applicationProtocols ?? [httpProtocol],
            timeout: .nanoseconds(configuration.tlsHandshakeTimeout.nanoseconds))
        return ClientStart(httpProtocol: httpProtocol, addDriver: addDriver, tls: parts)
    }

    /// Without port, and without the brackets of an IPv6 address.
    static func host(of authority: String) -> String {
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            return String(authority[..<end].dropFirst())
        }
        guard let colon = authority.lastIndex(of: ":"), authority.firstIndex(of: ":") == colon else { return authority }
        return String(authority[..<colon])
    }

    /// The channel initializer. The inner future completes when exchanges can start; it fails with ``TLSError``.
    @Sendable func initialize(
        _ channel: any Channel
    ) -> EventLoopFuture<(any Channel, EventLoopFuture<Ready>)> {
        let promise = channel.eventLoop.makePromise(of: Ready.self)
        let result = channel.eventLoop.makeCompletedFuture {
            guard let tls else {
                promise.succeed((try addDriver(channel, httpProtocol), httpProtocol, nil))
                return (channel, promise.futureResult)
            }
            try start(tls, channel, promise)
            return (channel, promise.futureResult)
        }
        result.whenFailure { promise.fail($0) }
        return result
    }

    private func start(_ tls: TLS, _ channel: any Channel, _ promise: EventLoopPromise<Ready>) throws {
        let engine = try TLSEngine(
            client: tls.context, host: tls.host, sessionKey: tls.sessionKey, protocols: tls.protocols)
        let handler = TLSHandler(client: engine, timeout: tls.timeout) { result in
            promise.completeWith(
                Result<Ready, any Error> {
                    let session = try result.get()
                    let chosen = try Self.choose(session, tls.protocols)
                    return (try addDriver(channel, chosen), chosen, session)
                })
        }
        try channel.pipeline.syncOperations.addHandler(handler)
        promise.futureResult.whenFailure { _ in channel.close(promise: nil) }
    }

    /// Without an answer by ALPN the server speaks HTTP/1.1 (RFC 9113 section 3.2: HTTP/2 needs ALPN).
    private static func choose(
        _ session: TLSSession, _ offered: [HTTPClientProtocol]
    ) throws(TLSError) -> HTTPClientProtocol {
        if let chosen = session.applicationProtocol { return chosen }
        guard offered.contains(.http1) else {
            throw TLSError(.nothingInCommon, "the server does not offer HTTP/2 (h2 by ALPN)")
        }
        return .http1
    }
}
