import CNGHTTP2

/// Orders and questions of clients.
extension HTTP2Engine {
    /// Streams the server lets this side open at once. nghttp2 assumes 100 until SETTINGS have come (rule H2e).
    var peerConcurrentStreams: Int {
        guard let session else { return 0 }
        let value = nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
        return Int(clamping: value)
    }

    /// After GOAWAY: the requests that wait for a place under MAX_CONCURRENT_STREAMS will never leave, so their callers
    /// are told at once and can go to another connection.
    ///
    /// nghttp2 keeps each in its queue, and points to the stream and its fields, until a running stream or the session
    /// has ended: so they stay in ``openStreams`` until ``didClose(_:_:)``, which reports them no more.
    func refuseUnsent() {
        for stream in openStreams where !stream.isHeadSent && !stream.isClosed {
            stream.isClosed = true
            stream.wasNeverSent = true
            dropOutbound(of: stream)
            state.pointee.events.append(.closed(.passUnretained(stream), .refusedStream))
        }
    }
}
