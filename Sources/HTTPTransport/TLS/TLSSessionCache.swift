import COpenSSL
import Synchronization

/// A client's sessions for resumption, by server.
///
/// A TLS 1.3 ticket is used once, so that two connections cannot be linked by it (RFC 8446 appendix C.4).
final class TLSSessionCache: Sendable {
    /// Servers that are remembered, and tickets of one server.
    static let serverCount = 256
    static let ticketCount = 4

    /// Owns one reference to an OpenSSL session, which never changes once the handshake is over.
    private final class Session: @unchecked Sendable {
        let pointer: OpaquePointer

        init(owning pointer: OpaquePointer) { self.pointer = pointer }
        deinit { SSL_SESSION_free(pointer) }
    }

    private struct State {
        var sessions: [String: [Session]] = [:]
        /// Oldest first.
        var servers: [String] = []
    }

    private let state = Mutex(State())

    /// Takes over the caller's reference.
    func add(_ pointer: OpaquePointer, server: String) {
        let session = Session(owning: pointer)
        state.withLock { state in
            if state.sessions[server] == nil {
                state.servers.append(server)
                if state.servers.count > Self.serverCount { state.sessions[state.servers.removeFirst()] = nil }
            }
            let older = state.sessions[server, default: []].suffix(Self.ticketCount - 1)
            state.sessions[server] = older + [session]
        }
    }

    /// Gives the newest session of a server to `ssl`.
    func resume(_ ssl: OpaquePointer, server: String) {
        let session = state.withLock { state -> Session? in
            guard let session = state.sessions[server]?.last else { return nil }
            if SSL_SESSION_get_protocol_version(session.pointer) == TLS1_3_VERSION {
                state.sessions[server]?.removeLast()
            }
            return session
        }
        // Takes a reference of its own. A session that does not fit is no error: the handshake is a whole one then.
        if let session, SSL_set_session(ssl, session.pointer) != 1 { ERR_clear_error() }
    }
}
