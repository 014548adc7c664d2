import CNGHTTP2

/// The C side of ``HTTP2Engine``: every callback finds the engine and records; none sends or receives.
enum EngineCallbacks {
    static func install(_ callbacks: OpaquePointer) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, user in
            guard let frame, let user else { return 0 }
            owner(user)._withUnsafeGuaranteedRef { $0.didBeginHeaders(frame) }
            return 0
        }
        nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, frame, name, nameCount, value, count, _, user in
            guard let frame, let user else { return 0 }
            if let name, let value {
                let isRepeated = owner(user)._withUnsafeGuaranteedRef {
                    $0.state.pointee.assembler.repeats(name, nameCount, value, count)
                }
                if isRepeated { return 0 }
            }
            return EngineCallbacks.didReceiveField(
                user, frame.pointee.hd.stream_id, UnsafeRawBufferPointer(start: name, count: nameCount),
                UnsafeRawBufferPointer(start: value, count: count))
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, user in
            guard let frame, let user else { return 0 }
            owner(user)._withUnsafeGuaranteedRef { $0.didReceiveFrame(frame) }
            return 0
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) {
            _, _, streamID, data, count, user in
            guard let data, let user else { return 0 }
            owner(user)._withUnsafeGuaranteedRef { $0.didReceiveData(streamID, data, count) }
            return 0
        }
        // Never a fatal code from here: a queued request cancelled by GOAWAY would leak (CVE-2023-35945).
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, streamID, code, user in
            guard let user else { return 0 }
            owner(user)._withUnsafeGuaranteedRef { $0.didClose(streamID, HTTP2ErrorCode(rawValue: code)) }
            return 0
        }
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, user in
            guard let frame, let user else { return 0 }
            owner(user)._withUnsafeGuaranteedRef { $0.didSendFrame(frame) }
            return 0
        }
        nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) { _, frame, code, user in
            guard let frame, let user else { return 0 }
            owner(user)._withUnsafeGuaranteedRef { $0.didNotSendFrame(frame.pointee, code) }
            return 0
        }
    }

    /// Not a part of the callback, which stays short for fields that are repeated.
    @inline(never)
    private static func didReceiveField(
        _ user: UnsafeMutableRawPointer, _ streamID: Int32, _ name: UnsafeRawBufferPointer,
        _ value: UnsafeRawBufferPointer
    ) -> Int32 {
        let isAccepted = owner(user)._withUnsafeGuaranteedRef {
            $0.didReceiveField(streamID: streamID, name: name, value: value)
        }
        return isAccepted ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
    }

    /// Copies body bytes of a stream into nghttp2's frame buffer.
    static let readBody: nghttp2_data_source_read_callback = { _, _, memory, capacity, flags, source, user in
        guard let memory, let flags, let pointer = source?.pointee.ptr, let user else {
            return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
        }
        return owner(user)._withUnsafeGuaranteedRef { engine in
            Unmanaged<HTTP2Stream>.fromOpaque(pointer)._withUnsafeGuaranteedRef { stream in
                engine.provideBody(of: stream, to: memory, capacity: capacity, flags: flags)
            }
        }
    }
}

/// The engine behind nghttp2's user pointer. It owns the session, so it is alive whenever a callback runs.
private func owner(_ user: UnsafeMutableRawPointer) -> Unmanaged<HTTP2Engine> { Unmanaged.fromOpaque(user) }
