import NIOCore
import RPC

/// One call that leaves the process, its destination resolved.
public struct SiloCall: Sendable {
    public let method: SiloMethod
    public let destination: SiloAddress
    /// Whose data it is about; nil when the resolver does not say (control's methods, by cell's name).
    public let organizationID: Int64?
    /// The encoded request message.
    public let body: [UInt8]
    /// When the caller stops waiting; retries never outlive it.
    public var deadline: NIODeadline
    /// The same for every attempt of one call; nil for methods that are only read.
    public let idempotencyKey: String?
    public var metadata: Metadata

    public init(
        method: SiloMethod, destination: SiloAddress, organizationID: Int64? = nil, body: [UInt8],
        deadline: NIODeadline, idempotencyKey: String? = nil, metadata: Metadata = Metadata()
    ) {
        self.method = method
        self.destination = destination
        self.organizationID = organizationID
        self.body = body
        self.deadline = deadline
        self.idempotencyKey = idempotencyKey
        self.metadata = metadata
    }
}

/// One attempt at a call over some medium.
public protocol SiloTransport: Sendable {
    /// Who sends.
    var source: SiloAddress { get }
    /// - Returns: the encoded response message.
    /// - Throws: ``SiloError`` when the other side answered with one, `RPCError` for what the medium does.
    func send(_ call: SiloCall) async throws -> ByteBuffer
}
