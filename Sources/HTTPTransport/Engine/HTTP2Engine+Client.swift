import CNGHTTP2

/// Orders and questions of clients.
extension HTTP2Engine {
    /// Asks the peer for a sign of life.
    func submitPing() {
        guard let session, failure == nil else { return }
        nghttp2_submit_ping(session, Flag.none, nil)
    }

    /// Streams the server lets this side open at once. nghttp2 assumes 100 until SETTINGS have come (rule H2e).
    var peerConcurrentStreams: Int {
        guard let session else { return 0 }
        let value = nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
        return Int(clamping: value)
    }
}
