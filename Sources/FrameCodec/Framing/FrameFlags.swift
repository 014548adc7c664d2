/// The first byte of a gRPC or gRPC-Web frame.
///
/// Source: gRPC "gRPC over HTTP2" (Length-Prefixed-Message) and "gRPC Web" (trailer bit). Connect gives bit
/// 0x02 a meaning of its own; that is another set of flags and does not belong here (rule P2).
public struct FrameFlags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// The payload is compressed with the call's `grpc-encoding`.
    public static let compressed = FrameFlags(rawValue: 0x01)
    /// gRPC-Web only: the payload is a trailer block (``TrailerBlock``), not a message.
    public static let trailers = FrameFlags(rawValue: 0x80)
}
