import HTTPTransport
import RPC
import ServiceContextModule

/// What one call brings that has arrived from another silo, but for its request.
public struct SiloInboundCall: Sendable {
    public let method: SiloMethod
    /// Who sent it, verified; nil when nothing was to be verified.
    public let source: SiloAddress?
    /// What came with it. Looked at when it is asked for: most calls have little of it.
    private let metadata: Metadata

    public var organizationID: Int64? { text(SiloFieldName.organization).flatMap { Int64($0) } }
    public var idempotencyKey: String? { text(SiloFieldName.idempotencyKey) }
    /// ``SiloViewer/text``; nil when the caller did not say who acts.
    public var viewer: String? { text(SiloFieldName.viewer) }
    /// Names the call in the logs of both sides; nil when the caller did not name it.
    public var requestID: String? { text(SiloFieldName.requestID) }

    /// - Parameter metadata: for the rest of what came with it; what it says of the others counts before them.
    public init(
        method: SiloMethod, source: SiloAddress? = nil, organizationID: Int64? = nil, idempotencyKey: String? = nil,
        viewer: String? = nil, metadata: Metadata = Metadata()
    ) {
        self.method = method
        self.source = source
        var metadata = metadata
        if let organizationID { metadata.add(known: SiloFieldName.organization, String(organizationID)) }
        if let idempotencyKey { metadata.add(known: SiloFieldName.idempotencyKey, idempotencyKey) }
        if let viewer { metadata.add(known: SiloFieldName.viewer, viewer) }
        self.metadata = metadata
    }

    /// A call of the RPC server.
    init(method: SiloMethod, context: CallContext) {
        self.method = method
        let key = context.caller as? SiloKey
        source = key?.source ?? context.serviceContext[SiloPeerKey.self]?.source
        metadata = context.metadata
    }

    private func text(_ name: HTTPFieldName) -> String? {
        metadata.withFirst(name) { String(decoding: $0, as: UTF8.self) }
    }
}

/// What stands between an arrived call and the service: switches, stored answers.
public protocol SiloInboundPolicy: Sendable {
    /// - Throws: ``SiloError/disabled(method:reason:)`` and whatever else refuses the call.
    func admit(_ call: SiloInboundCall) throws

    /// How long the service may take, by the operator; nil leaves it to the caller's deadline.
    func timeLimit(_ method: SiloMethod) -> Duration?

    /// Only for calls with an idempotency key: runs `produce` for the first call of the key, and gives its answer to
    /// the others.
    ///
    /// - Parameter request: the encoded request message.
    func answer(
        _ call: SiloInboundCall, request: [UInt8], _ produce: @Sendable () async throws -> [UInt8]
    ) async throws -> [UInt8]
}
