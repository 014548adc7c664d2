import HTTPTransport
import RPC
import ServiceContextModule

/// One call that has arrived from another silo, before it is served.
public struct SiloInboundCall: Sendable {
    public let method: SiloMethod
    /// Who sent it, verified; nil when nothing was to be verified.
    public let source: SiloAddress?
    public let organizationID: Int64?
    public let idempotencyKey: String?
    /// ``SiloViewer/text``; nil when the caller did not say who acts.
    public let viewer: String?
    /// What else came with it.
    private let metadata: Metadata
    /// The encoded request message.
    public let body: @Sendable () -> [UInt8]

    /// Names the call in the logs of both sides; nil when the caller did not name it.
    public var requestID: String? { Self.text(SiloFieldName.requestID, metadata) }

    public init(
        method: SiloMethod, source: SiloAddress? = nil, organizationID: Int64? = nil, idempotencyKey: String? = nil,
        viewer: String? = nil, metadata: Metadata = Metadata(), body: @escaping @Sendable () -> [UInt8]
    ) {
        self.metadata = metadata
        self.method = method
        self.source = source
        self.organizationID = organizationID
        self.idempotencyKey = idempotencyKey
        self.viewer = viewer
        self.body = body
    }

    /// What the metadata of an RPC says.
    init(method: SiloMethod, context: CallContext, body: @escaping @Sendable () -> [UInt8]) {
        let key = context.caller as? SiloKey
        let metadata = context.metadata
        self.init(
            method: method, source: key?.source ?? context.serviceContext[SiloPeerKey.self]?.source,
            organizationID: Self.text(SiloFieldName.organization, metadata).flatMap { Int64($0) },
            idempotencyKey: Self.text(SiloFieldName.idempotencyKey, metadata),
            viewer: Self.text(SiloFieldName.viewer, metadata), metadata: metadata, body: body
        )
    }
}

extension SiloInboundCall {
    private static func text(_ name: HTTPFieldName, _ metadata: Metadata) -> String? {
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
    func answer(
        _ call: SiloInboundCall, _ produce: @Sendable () async throws -> [UInt8]
    ) async throws -> [UInt8]
}
