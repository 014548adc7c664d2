import HTTPTransport
import NIOCore
import RPC
import ServiceContextModule
import Synchronization

/// Calls to other silos over gRPC and HTTP/2, signed: one pool of connections for each destination, to the addresses of
/// the directory and to no others.
public final class SignedTransport: SiloTransport {
    public struct Configuration: Sendable {
        /// TLS of `https` addresses, with the client certificate that the other silos want. Default: verified by the
        /// system's roots, no certificate.
        public var tls = TLSClientConfiguration()
        /// Largest request and response, in bytes. Default 4 MiB.
        public var maximumMessageByteCount = 4 * 1024 * 1024
        /// Longest wait between attempts to connect to a silo that is down. Default 1 s.
        public var maximumReconnectDelay: Duration = .seconds(1)

        public init() {}
    }

    public var source: SiloAddress { keyring.address }
    private let keyring: SiloKeyring
    private let directory: any CellDirectorySource
    private let configuration: Configuration
    private let group: any EventLoopGroup
    private let channels = Mutex<[SiloAddress: Way]>([:])

    private struct Way {
        let address: String
        let channel: RPCChannel
    }

    public init(
        keyring: SiloKeyring, directory: any CellDirectorySource, configuration: Configuration = Configuration(),
        group: any EventLoopGroup = HTTPClientConnection.defaultGroup
    ) {
        self.keyring = keyring
        self.directory = directory
        self.configuration = configuration
        self.group = group
    }

    /// One attempt.
    ///
    /// - Throws: ``SiloError/configuration(_:)`` without an address, or without a key; ``SiloError/forbidden(_:)`` from
    ///   cell to cell; `RPCError` for everything that the network or the other side says.
    public func send(_ call: SiloCall) async throws -> ByteBuffer {
        let channel = try channel(call.destination)
        var options = CallOptions(metadata: metadata(call), deadline: call.deadline)
        options.forbidsCompression = true
        return try await channel.unary(call.method.descriptor, bytes: call.body, options: options)
    }

    /// Closes all connections.
    public func close() async {
        let all = channels.withLock { channels in
            defer { channels = [:] }
            return channels.values.map(\.channel)
        }
        for channel in all { await channel.close() }
    }

    private func metadata(_ call: SiloCall) -> Metadata {
        var metadata = call.metadata
        if let organization = call.organizationID {
            metadata.add(known: SiloFieldName.organization, String(organization))
        }
        if let key = call.idempotencyKey { metadata.add(SiloField.idempotencyKey, key) }
        // Each attempt is a span of its own.
        if let trace = ServiceContext.current?.traceContext?.child() {
            metadata.add("traceparent", trace.traceparent)
            if !trace.state.isEmpty { metadata.add("tracestate", trace.state) }
        }
        return metadata
    }

    private func channel(_ destination: SiloAddress) throws(SiloError) -> RPCChannel {
        let address = directory.address(of: destination) ?? ""
        if let way = channels.withLock({ $0[destination] }), way.address == address { return way.channel }
        guard keyring.address == .control || destination == .control else {
            throw .forbidden("cells do not call each other: \(keyring.address) called \(destination)")
        }
        guard !address.isEmpty else {
            throw .configuration("the configuration has no address of \(destination)")
        }
        guard keyring.signingKey(to: destination) != nil else {
            throw .configuration("keys: \(keyring.address) has none for calls to \(destination)")
        }
        let settings: RPCChannel.Configuration
        do throws(ConnectionTargetError) {
            settings = self.settings(try ConnectionTarget(address), destination)
        } catch {
            throw .configuration("the address of \(destination): \(error)")
        }
        let (channel, old) = channels.withLock { channels in
            let known = channels[destination]
            if let known, known.address == address { return (known.channel, RPCChannel?.none) }
            let channel = RPCChannel(settings, group: group)
            channels[destination] = Way(address: address, channel: channel)
            return (channel, known?.channel)
        }
        // The silo has another address now: calls that are on their way to the old one may end there.
        if let old { Task { await old.close(gracePeriod: .seconds(30)) } }
        return channel
    }

    private func settings(_ target: ConnectionTarget, _ destination: SiloAddress) -> RPCChannel.Configuration {
        var settings = RPCChannel.Configuration(target: target, wire: .grpc)
        if settings.tls != nil { settings.tls = configuration.tls }
        settings.signer = SiloSigner(keyring: keyring, destination: destination)
        settings.acceptedCompression = []
        // Every call brings its deadline.
        settings.defaultUnaryTimeout = nil
        settings.maximumRequestMessageByteCount = configuration.maximumMessageByteCount
        settings.maximumResponseMessageByteCount = configuration.maximumMessageByteCount
        settings.backoff.initial = min(.milliseconds(100), configuration.maximumReconnectDelay)
        settings.backoff.maximum = configuration.maximumReconnectDelay
        return settings
    }
}
