/// What a finished handshake has agreed on.
public struct TLSSession: Sendable, Hashable {
    public let version: TLSVersion
    /// OpenSSL's name, such as `TLS_AES_256_GCM_SHA384`.
    public let cipherSuite: String
    /// By ALPN; nil when the peer does not use it.
    public let applicationProtocol: HTTPClientProtocol?
    /// The name that the client asked for (SNI); nil without one.
    public let serverName: String?
    /// The handshake took the short way, with a ticket of an earlier connection.
    public let isResumed: Bool
    /// nil when the peer has shown no certificate that was checked.
    public let peerIdentity: TLSPeerIdentity?
}
