/// Why an exchange cannot go on.
public enum HTTPStreamError: Error, Sendable, Equatable {
    /// The peer reset this stream (RST_STREAM) with that code.
    case reset(HTTP2ErrorCode)
    /// The peer promises that it did not process the request: REFUSED_STREAM, or a GOAWAY whose last stream
    /// id is lower. Always safe to retry (rule H2c).
    case refused
    /// The connection ended before anything of the request was sent; `reason` says how. Always safe to retry.
    case notSent(reason: String)
    /// The connection ended first; `reason` says how, in words for a log.
    case connectionClosed(reason: String)
    /// The input ended inside a body (rule O3): what was read so far must not be taken for the whole.
    case truncatedBody
    /// The body is longer than ``HTTPLimits/bodyByteCount``.
    case bodyTooLarge(limit: Int)
    /// The peer broke the protocol; the text says which rule.
    case protocolViolation(String)
    /// This side gave up: the task was cancelled, or ``HTTPClientExchange/cancel()`` /
    /// ``HTTPExchange/reset(_:)`` ran.
    case cancelled

    /// True when the request was certainly not processed by the peer.
    public var isSafeToRetry: Bool {
        switch self {
        case .refused, .notSent: true
        default: false
        }
    }
}

extension HTTPStreamError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .reset(let code): "the peer reset the stream: \(code)"
        case .refused: "the peer refused the stream without processing it"
        case .notSent(let reason): "the connection closed before the request was sent: \(reason)"
        case .connectionClosed(let reason): "the connection closed: \(reason)"
        case .truncatedBody: "the connection ended inside the body"
        case .bodyTooLarge(let limit): "the body is larger than HTTPLimits.bodyByteCount = \(limit)"
        case .protocolViolation(let rule): "the peer broke the protocol: \(rule)"
        case .cancelled: "cancelled on this side"
        }
    }
}

/// Why a connection or listener could not be set up. Names host and port.
public struct HTTPConnectionError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
