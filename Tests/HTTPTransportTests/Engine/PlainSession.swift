import CNGHTTP2

/// A server session of nghttp2 as it comes, which checks messages itself: what ``HTTP2Engine`` must refuse too.
final class PlainSession {
    private var session: OpaquePointer?

    init() {
        var options: OpaquePointer?
        nghttp2_option_new(&options)
        // As the engine's.
        nghttp2_option_set_no_auto_window_update(options, 1)
        nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(options, 1)
        var callbacks: OpaquePointer?
        nghttp2_session_callbacks_new(&callbacks)
        nghttp2_session_server_new2(&session, callbacks, nil, options)
        nghttp2_session_callbacks_del(callbacks)
        nghttp2_option_del(options)
        nghttp2_submit_settings(session, 0, nil, 0)
    }

    deinit { nghttp2_session_del(session) }

    /// What it answers.
    func feed(_ bytes: [UInt8]) -> [UInt8] {
        _ = bytes.withUnsafeBufferPointer { nghttp2_session_mem_recv(session, $0.baseAddress, $0.count) }
        var output: [UInt8] = []
        while true {
            var data: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(session, &data)
            guard count > 0 else { return output }
            output += UnsafeBufferPointer(start: data, count: count)
        }
    }
}
