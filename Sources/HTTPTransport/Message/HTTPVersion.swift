/// The HTTP version a request came with.
public enum HTTPVersion: Sendable, Hashable {
    case http1_0
    case http1_1
    case http2
}
