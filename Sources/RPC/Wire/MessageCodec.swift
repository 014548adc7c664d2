/// How the messages of a call are written: the subtype of its content type.
public enum MessageCodec: String, Sendable, Hashable {
    /// protobuf's binary format.
    case proto
    /// Canonical proto-JSON in UTF-8.
    case json
}
