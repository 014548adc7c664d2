/// Why TLS cannot be used or cannot go on, and what to do about it.
public struct TLSError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: Sendable, Equatable {
        /// A file that cannot be read, no PEM, a key that does not fit, and the like; nothing was sent.
        case configuration
        /// This side does not accept the peer's certificate, or its absence.
        case certificateRejected
        /// The peer ended the handshake or the connection with this alert (RFC 8446 section 6.2).
        case alert(UInt8)
        /// No protocol in common: ALPN, version or cipher.
        case nothingInCommon
        /// The peer speaks something else.
        case notTLS
        /// The input ended without close_notify: the end may be missing.
        case truncated
        /// The handshake took too long.
        case timeout
        /// Records that cannot be right.
        case protocolViolation
    }

    public let kind: Kind
    public let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    static let truncated = TLSError(.truncated, "the peer ended the connection without close_notify")
    static let endedInHandshake = TLSError(
        .truncated, "the peer ended the connection during the TLS handshake; is TLS spoken on that port?")
}
