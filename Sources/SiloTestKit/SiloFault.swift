import SiloRPC

/// What goes wrong on the way of a call.
public enum SiloFault: Sendable, Hashable {
    /// The call never arrives.
    case dropRequest
    /// The call is served, its answer is lost.
    case dropAnswer
    /// The call arrives late.
    case delay(Duration)
    /// The call arrives twice; the second answer comes back.
    case duplicate
    /// The answer's last byte is missing.
    case truncate
    /// The other side is overloaded: 503, nothing is served.
    case unavailable
}

/// One call as it left.
public struct SentCall: Sendable, Hashable {
    public let source: SiloAddress
    public let destination: SiloAddress
    public let method: SiloMethod
    public let organizationID: Int64?
    public let idempotencyKey: String?
    public let body: [UInt8]
}
