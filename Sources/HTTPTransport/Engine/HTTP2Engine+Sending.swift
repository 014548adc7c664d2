import CNGHTTP2
import NIOCore

/// Orders: what the owner wants to be sent.
extension HTTP2Engine {
    func submitSettings() {
        guard let session else { return }
        var entries = [
            entry(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.streamWindowByteCount),
            entry(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits.headerListByteCount),
            entry(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1),
        ]
        entries.append(
            role == .server
                ? entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.concurrentStreams)
                : entry(NGHTTP2_SETTINGS_ENABLE_PUSH, 0))
        nghttp2_submit_settings(session, Flag.none, entries, entries.count)
        nghttp2_session_set_local_window_size(
            session, Flag.none, 0, Int32(clamping: max(limits.connectionWindowByteCount, 65_535)))
    }

    private func entry(_ id: nghttp2_settings_id, _ value: Int) -> nghttp2_settings_entry {
        nghttp2_settings_entry(
            settings_id: Int32(truncatingIfNeeded: id.rawValue),
            value: UInt32(clamping: min(max(value, 0), Int(Int32.max))))
    }

    /// Queues the response head. With `endsStream` that is one HEADERS frame with END_STREAM (rule S9).
    func respond(_ stream: HTTP2Stream, _ head: consuming HTTPResponseHead, endsStream: Bool) {
        guard let session, !stream.isClosed, !stream.isHeadSubmitted else { return }
        stream.isHeadSubmitted = true
        if !state.pointee.headPairs.isPrepared(status: head.status, head.fields.identity) {
            state.pointee.headPairs.prepare(status: head.status, head.fields)
        }
        stream.headFields = head.fields
        let result = state.pointee.headPairs.withPairs { pairs, count in
            guard !endsStream else { return nghttp2_submit_response(session, stream.id, pairs, count, nil) }
            var provider = provider(for: stream)
            return nghttp2_submit_response(session, stream.id, pairs, count, &provider)
        }
        if result != 0 { reset(stream, .internalError) }
    }

    /// A whole response without body but with trailers: two HEADERS frames and no empty DATA between them.
    func respond(_ stream: HTTP2Stream, _ head: HTTPResponseHead, trailers: HTTPFields) {
        guard let session, !stream.isClosed, !stream.isHeadSubmitted else { return }
        stream.isHeadSubmitted = true
        stream.outboundEnded = true
        stream.headFields = head.fields
        stream.trailerFields = trailers
        state.pointee.headPairs.prepare(status: head.status, head.fields)
        let headResult = state.pointee.headPairs.withPairs {
            nghttp2_submit_headers(session, Flag.none, stream.id, nil, $0, $1, nil)
        }
        state.pointee.trailerPairs.prepare(status: 0, trailers)
        let result = state.pointee.trailerPairs.withPairs { nghttp2_submit_trailer(session, stream.id, $0, $1) }
        if headResult != 0 || result != 0 { reset(stream, .internalError) }
    }

    /// Opens a stream with a request.
    ///
    /// - Parameter authority: for a head without one.
    /// - Returns: nil when the connection cannot take any (stream ids used up, session over).
    func request(_ head: HTTPRequestHead, authority: [UInt8], endsStream: Bool) -> HTTP2Stream? {
        guard let session, failure == nil, nghttp2_session_check_request_allowed(session) != 0 else {
            return nil
        }
        let reference = makeStream()
        let stream = reference.takeUnretainedValue()
        stream.headFields = head.fields
        stream.question = ResponseRules.Question(head.method)
        stream.isHeadSubmitted = true
        // nghttp2 copies these four values inside `submit`, so pointers that live as long as the closures are
        // enough.
        let id = authority.withUnsafeBytes { own in
            head.method.withBytes { method in
                appendRequest(head, method, head.pathBytes, head.authorityBytes ?? own)
                return submitRequest(stream, endsStream: endsStream, session)
            }
        }
        withExtendedLifetime(head) {}
        guard id > 0 else {
            reference.release()
            return nil
        }
        stream.open(id: id)
        register(reference)
        return stream
    }

    private func appendRequest(
        _ head: HTTPRequestHead, _ method: UnsafeRawBufferPointer, _ path: UnsafeRawBufferPointer,
        _ authority: UnsafeRawBufferPointer
    ) {
        let scheme = (schemes == .https ? .https : head.target.scheme ?? .http).name
        state.pointee.headPairs.removeAll()
        state.pointee.headPairs.appendCopied(":method", method)
        state.pointee.headPairs.appendCopied(
            ":scheme", UnsafeRawBufferPointer(start: scheme.utf8Start, count: scheme.utf8CodeUnitCount))
        state.pointee.headPairs.appendCopied(":path", path)
        state.pointee.headPairs.appendCopied(":authority", authority)
        state.pointee.headPairs.append(head.fields, isRequest: true)
    }

    private func submitRequest(_ stream: HTTP2Stream, endsStream: Bool, _ session: OpaquePointer) -> Int32 {
        let user = Unmanaged.passUnretained(stream).toOpaque()
        return state.pointee.headPairs.withPairs { pairs, count in
            guard !endsStream else { return nghttp2_submit_request(session, nil, pairs, count, nil, user) }
            var provider = provider(for: stream)
            return nghttp2_submit_request(session, nil, pairs, count, &provider, user)
        }
    }

    /// Queues body bytes; the head must have been submitted.
    func send(_ bytes: ByteBuffer, on stream: HTTP2Stream) {
        guard !stream.isClosed, !stream.outboundEnded else { return }
        stream.outbound.append(bytes)
        unsentByteCount += bytes.readableBytes
        resume(stream)
    }

    /// As ``send(_:on:)``, with `count` bytes that `write` puts in place.
    func send(
        count: Int, on stream: HTTP2Stream, _ write: (UnsafeMutableRawBufferPointer) throws -> Void
    ) rethrows {
        guard !stream.isClosed, !stream.outboundEnded else { return }
        try stream.outbound.append(count: count, write)
        unsentByteCount += count
        resume(stream)
    }

    /// Ends the body; non-empty `trailers` follow it. A trailer block without fields is never sent.
    func end(_ stream: HTTP2Stream, trailers: consuming HTTPFields?) {
        guard !stream.isClosed, !stream.outboundEnded else { return }
        if let trailers = consume trailers, !trailers.isEmpty {
            stream.trailerIdentity = trailers.identity
            stream.trailerFields = trailers
        }
        stream.outboundEnded = true
        resume(stream)
    }

    /// RST_STREAM by this side's own choice.
    func reset(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        guard let session, !stream.isClosed else { return }
        stream.isResetByApplication = true
        dropOutbound(of: stream)
        nghttp2_submit_rst_stream(session, Flag.none, stream.id, code.rawValue)
    }

    /// Returns flow-control credit for body bytes that the application took or dropped (rule H2g).
    func consume(_ count: Int, on stream: HTTP2Stream?) {
        if let stream { consume(count, on: stream) } else { state.pointee.consumedByteCount += max(0, count) }
    }

    /// As for an optional stream, which would count a reference.
    func consume(_ count: Int, on stream: HTTP2Stream) {
        guard let session, count > 0 else { return }
        if stream.isClosed || stream.remoteEnded {
            // Nothing more can come by that stream: only the connection's, for many streams together.
            state.pointee.consumedByteCount += count
        } else {
            nghttp2_session_consume(session, stream.id, count)
        }
    }

    /// Before anything is sent.
    func returnConnectionCredit() {
        guard let session, state.pointee.consumedByteCount > 0 else { return }
        nghttp2_session_consume_connection(session, state.pointee.consumedByteCount)
        state.pointee.consumedByteCount = 0
    }

    /// First step of a graceful end: GOAWAY with the highest id, so that no call in flight is lost, and a
    /// PING whose acknowledgement says that the peer has seen it (rule H2c).
    func submitShutdownNotice() {
        guard let session, failure == nil else { return }
        nghttp2_submit_shutdown_notice(session)
        let mark = Self.noticeMark
        _ = withUnsafeBytes(of: mark) { mark in
            mark.withMemoryRebound(to: UInt8.self) { nghttp2_submit_ping(session, Flag.none, $0.baseAddress) }
        }
    }

    /// The opaque data of that PING, "shutdown", which tells its acknowledgement from that of a keepalive PING.
    static let noticeMark = UInt64(0x7368_7574_646F_776E).bigEndian

    /// Asks the peer for a sign of life.
    func submitPing() {
        guard let session, failure == nil else { return }
        nghttp2_submit_ping(session, Flag.none, nil)
    }

    /// Second step: GOAWAY with the id of the last stream that is served.
    func submitFinalGoAway() {
        guard let session, failure == nil, !isGoingAway else { return }
        markGoingAway()
        let last = nghttp2_session_get_last_proc_stream_id(session)
        nghttp2_submit_goaway(session, Flag.none, last, HTTP2ErrorCode.noError.rawValue, nil, 0)
    }

    func dropOutbound(of stream: HTTP2Stream) {
        unsentByteCount -= stream.outbound.byteCount
        stream.outbound.removeAll()
    }

    private func resume(_ stream: HTTP2Stream) {
        guard let session, stream.isDeferred else { return }
        stream.isDeferred = false
        nghttp2_session_resume_data(session, stream.id)
    }

    private func provider(for stream: HTTP2Stream) -> nghttp2_data_provider {
        nghttp2_data_provider(
            source: nghttp2_data_source(ptr: Unmanaged.passUnretained(stream).toOpaque()),
            read_callback: EngineCallbacks.readBody)
    }

    // MARK: The rest of a request that is answered

    // A server that has answered in full does not want the rest of the request and says so with RST_STREAM(NO_ERROR)
    // (rule H2b; nghttp2 would keep the stream half open). But a client that is in the middle of a short body (curl)
    // may take a reset that overtakes its END_STREAM for a failure, although the answer is complete. So:
    //
    //     answered early --length unknown or large-----------> RST_STREAM(NO_ERROR)
    //        +--short--> unwanted --END_STREAM---------------> closed, no reset; one WINDOW_UPDATE
    //                       +------ too late, or drain ------> RST_STREAM(NO_ERROR)

    /// Resets the streams whose request has not ended `grace` after this saw them first.
    ///
    /// - Returns: whether something is to be sent.
    func resetUnwanted(after grace: Duration, now: UInt64) -> Bool {
        var isAny = false
        for stream in openStreams where stream.isUnwanted {
            if stream.unwantedSince == 0 { stream.unwantedSince = now }
            guard grace <= .zero || MonotonicTime.isPast(grace, since: stream.unwantedSince, now) else { continue }
            resetUnwanted(stream)
            isAny = true
        }
        return isAny
    }

    /// Interop hazard: curl 7.88 that has the whole answer before it sends its END_STREAM closes the stream while
    /// sending, and then sleeps until something arrives on the socket, for ever if nothing does. One byte of the
    /// dropped body is given back as connection window at once, to wake it.
    func didEndUnwanted() {
        guard let session else { return }
        nghttp2_submit_window_update(session, Flag.none, 0, 1)
    }

    private func resetUnwanted(_ stream: HTTP2Stream) {
        guard let session, stream.isUnwanted else { return }
        stream.isUnwanted = false
        nghttp2_submit_rst_stream(session, Flag.none, stream.id, HTTP2ErrorCode.noError.rawValue)
    }

    // MARK: Callbacks of the sending side

    func provideBody(
        of stream: HTTP2Stream, to memory: UnsafeMutablePointer<UInt8>, capacity: Int,
        flags: UnsafeMutablePointer<UInt32>
    ) -> Int {
        // Callbacks for the sent frame follow.
        state.pointee.recentStream = (stream.id, Unmanaged.passUnretained(stream).toOpaque())
        let copied = stream.outbound.copy(to: memory, capacity: capacity)
        if copied > 0 {
            stream.sentByteCount &+= copied
            sentDataByteCount &+= copied
            unsentByteCount -= copied
        }
        if stream.outbound.isEmpty {
            if stream.outboundEnded {
                finishBody(of: stream, flags)
            } else if copied == 0 {
                stream.isDeferred = true
                return Int(NGHTTP2_ERR_DEFERRED.rawValue)
            }
        }
        if copied > 0, stream.wantsDrainEvents {
            state.pointee.events.append(.drained(.passUnretained(stream)))
        }
        return copied
    }

    private func finishBody(of stream: HTTP2Stream, _ flags: UnsafeMutablePointer<UInt32>) {
        flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
        guard let session, let storage = stream.trailerIdentity else { return }
        if !state.pointee.trailerPairs.isPrepared(status: 0, storage), let trailers = stream.trailerFields {
            state.pointee.trailerPairs.prepare(status: 0, trailers)
        }
        guard state.pointee.trailerPairs.count > 0 else { return }
        let result = state.pointee.trailerPairs.withPairs { nghttp2_submit_trailer(session, stream.id, $0, $1) }
        if result == 0 { flags.pointee |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue }
    }

    func didSendFrame(_ frame: UnsafePointer<nghttp2_frame>) {
        let header = frame.pointee.hd
        switch UInt32(header.type) {
        case NGHTTP2_HEADERS.rawValue, NGHTTP2_DATA.rawValue:
            state.pointee.budgets.didSendHeadersOrData()
            if role == .client, UInt32(header.type) == NGHTTP2_HEADERS.rawValue {
                withStream(header.stream_id) { $0.isHeadSent = true }
            }
            if header.flags & Flag.endStream != 0 { didSendEnd(header.stream_id) }
        case NGHTTP2_PING.rawValue:
            if header.flags & Flag.acknowledge == 0 { state.pointee.budgets.didSendPing() }
        case NGHTTP2_GOAWAY.rawValue:
            let goAway = frame.pointee.goaway
            didSendGoAway(
                HTTP2ErrorCode(rawValue: goAway.error_code),
                UnsafeRawBufferPointer(start: goAway.opaque_data, count: goAway.opaque_data_len))
        case NGHTTP2_RST_STREAM.rawValue:
            let code = HTTP2ErrorCode(rawValue: frame.pointee.rst_stream.error_code)
            guard role == .server, code != .noError else { return }
            let isOurChoice = withStream(header.stream_id) { $0.isResetByApplication } ?? false
            if !isOurChoice { state.pointee.budgets.didSendReset(now: now) }
        default: break
        }
    }

    private func didSendEnd(_ streamID: Int32) {
        guard role == .server else { return }
        withStream(streamID) { stream in
            stream.localEnded = true
            guard !stream.remoteEnded else { return }
            stream.isUnwanted = true
            if isGoingAway || !stream.isKnownToBeShort { resetUnwanted(stream) }
        }
    }

    func didNotSendFrame(_ frame: nghttp2_frame, _ code: Int32) {
        guard role == .client, UInt32(frame.hd.type) == NGHTTP2_HEADERS.rawValue else { return }
        withStream(frame.hd.stream_id) { $0.wasNeverSent = true }
    }
}
