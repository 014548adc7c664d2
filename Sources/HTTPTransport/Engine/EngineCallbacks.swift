import CNGHTTP2

/// The C side of ``HTTP2Engine``: every callback finds the engine and records; none sends or receives.
enum EngineCallbacks {
    static func install(_ callbacks: OpaquePointer) {
        nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks) { _, header, user in
            if let header, let engine = owner(user) { engine.didBeginFrame(header.pointee) }
            return 0
        }
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, user in
            if let frame, let engine = owner(user) { engine.didBeginHeaders(frame.pointee) }
            return 0
        }
        nghttp2_session_callbacks_set_on_header_callback(callbacks) { _, frame, name, nameCount, value, count, _, user in
            guard let frame, let engine = owner(user) else { return 0 }
            let accepted = engine.didReceiveField(
                streamID: frame.pointee.hd.stream_id,
                name: UnsafeRawBufferPointer(start: name, count: nameCount),
                value: UnsafeRawBufferPointer(start: value, count: count))
            return accepted ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, user in
            if let frame, let engine = owner(user) { engine.didReceiveFrame(frame) }
            return 0
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, streamID, data, count, user in
            if let data, let engine = owner(user) { engine.didReceiveData(streamID, data, count) }
            return 0
        }
        // Never a fatal code from here: a queued request cancelled by GOAWAY would leak (CVE-2023-35945).
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, streamID, code, user in
            owner(user)?.didClose(streamID, HTTP2ErrorCode(rawValue: code))
            return 0
        }
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, user in
            if let frame, let engine = owner(user) { engine.didSendFrame(frame.pointee) }
            return 0
        }
        nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) { _, frame, code, user in
            if let frame, let engine = owner(user) { engine.didNotSendFrame(frame.pointee, code) }
            return 0
        }
    }

    /// Copies body bytes of a stream into nghttp2's frame buffer.
    static let readBody: nghttp2_data_source_read_callback = { _, _, memory, capacity, flags, source, user in
        guard let memory, let flags, let pointer = source?.pointee.ptr, let engine = owner(user) else {
            return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
        }
        let stream = Unmanaged<HTTP2Stream>.fromOpaque(pointer).takeUnretainedValue()
        return engine.provideBody(of: stream, to: memory, capacity: capacity, flags: flags)
    }
}

/// The engine behind nghttp2's user pointer. It owns the session, so it is alive whenever a callback runs.
private func owner(_ user: UnsafeMutableRawPointer?) -> HTTP2Engine? {
    user.map { Unmanaged<HTTP2Engine>.fromOpaque($0).takeUnretainedValue() }
}
