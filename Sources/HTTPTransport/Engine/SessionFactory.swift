import CNGHTTP2

/// Makes nghttp2 sessions with the options that the attack table of the protocol rules asks for.
enum SessionFactory {
    /// nil only when memory is exhausted. The session keeps unowned pointers to `engine`, which owns it, and to
    /// `memory`.
    static func make(for engine: HTTP2Engine, _ memory: SessionMemory) -> OpaquePointer? {
        var options: OpaquePointer?
        guard nghttp2_option_new(&options) == 0, let options else { return nil }
        defer { nghttp2_option_del(options) }
        configure(options, engine.limits)

        var callbacks: OpaquePointer?
        guard nghttp2_session_callbacks_new(&callbacks) == 0, let callbacks else { return nil }
        defer { nghttp2_session_callbacks_del(callbacks) }
        EngineCallbacks.install(callbacks)

        var session: OpaquePointer?
        let owner = Unmanaged.passUnretained(engine).toOpaque()
        var allocator = memory.callbacks
        let result =
            engine.role == .server
            ? nghttp2_session_server_new3(&session, callbacks, owner, options, &allocator)
            : nghttp2_session_client_new3(&session, callbacks, owner, options, &allocator)
        memory.didMakeSession()
        return result == 0 ? session : nil
    }

    private static func configure(_ options: OpaquePointer, _ limits: HTTPLimits) {
        // We return credit when the application takes bytes, not when they arrive (rule H2g).
        nghttp2_option_set_no_auto_window_update(options, 1)
        // ``HeadAssembler`` checks messages in its place.
        nghttp2_option_set_no_http_messaging(options, 1)
        nghttp2_option_set_stream_reset_rate_limit(
            options, unsigned(limits.receivedResetBurst), unsigned(limits.receivedResetsPerSecond))
        nghttp2_option_set_max_continuations(options, Int(unsigned(limits.continuationFrames)))
        nghttp2_option_set_max_settings(options, Int(unsigned(limits.settingsEntries)))
        nghttp2_option_set_no_closed_streams(options, 1)
    }

    private static func unsigned(_ value: Int) -> UInt64 { UInt64(max(value, 0)) }
}

/// nghttp2's library errors as the error code that GOAWAY should carry, and the limit that was passed, where one was.
enum ErrorTranslation {
    static func connectionError(_ code: Int32) -> (HTTP2ErrorCode, limit: String?) {
        switch code {
        case NGHTTP2_ERR_FLOODED.rawValue: (.enhanceYourCalm, "queuedFrames")
        case NGHTTP2_ERR_TOO_MANY_SETTINGS.rawValue: (.enhanceYourCalm, "settingsEntries")
        case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS.rawValue: (.enhanceYourCalm, "continuationFrames")
        case NGHTTP2_ERR_NOMEM.rawValue, NGHTTP2_ERR_CALLBACK_FAILURE.rawValue: (.internalError, nil)
        default: (.protocolError, nil)
        }
    }
}
