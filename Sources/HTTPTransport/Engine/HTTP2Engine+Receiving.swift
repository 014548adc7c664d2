import CNGHTTP2

/// What the callbacks of the receiving side record.
extension HTTP2Engine {
    /// Gives the stream object that belongs to an id to `body`; nil when nghttp2 has forgotten it.
    ///
    /// The pointer is valid without counting references: ``openStreams`` holds the object until
    /// ``didClose(_:_:)``, nghttp2 drops the pointer right after that callback, and closed objects stay until
    /// ``recycleClosed()``, which no callback calls.
    @discardableResult
    @inline(__always)
    func withStream<R>(_ id: Int32, _ body: (HTTP2Stream) -> R) -> R? {
        guard let pointer = streamPointer(id) else { return nil }
        return Unmanaged<HTTP2Stream>.fromOpaque(pointer)._withUnsafeGuaranteedRef(body)
    }

    /// Most callbacks are for the stream of the one before: nghttp2's table need not be asked again.
    @inline(__always)
    private func streamPointer(_ id: Int32) -> UnsafeMutableRawPointer? {
        if id == state.pointee.recentStream.id { return state.pointee.recentStream.pointer }
        guard let session, let pointer = nghttp2_session_get_stream_user_data(session, id) else { return nil }
        state.pointee.recentStream = (id, pointer)
        return pointer
    }

    /// Called for every frame header, unknown types and frames of closed streams included: the place to
    /// count.
    func didBeginFrame(_ header: FrameHeader) {
        switch UInt32(header.type) {
        case NGHTTP2_DATA.rawValue:
            if header.length == 0, header.flags & Flag.endStream == 0 {
                state.pointee.budgets.didReceiveEmptyData(now: now)
            }
        case NGHTTP2_HEADERS.rawValue, NGHTTP2_CONTINUATION.rawValue, NGHTTP2_GOAWAY.rawValue: break
        case NGHTTP2_RST_STREAM.rawValue: state.pointee.budgets.didReceiveReset(now: now)
        case NGHTTP2_SETTINGS.rawValue: state.pointee.budgets.didReceiveSettings(byteCount: header.length, now: now)
        case NGHTTP2_WINDOW_UPDATE.rawValue: state.pointee.budgets.didReceiveWindowUpdate(now: now)
        case NGHTTP2_PING.rawValue: state.pointee.budgets.didReceivePing(now: now)
        default: state.pointee.budgets.didReceiveControlFrame(now: now)
        }
    }

    func didBeginHeaders(_ frame: UnsafePointer<nghttp2_frame>) {
        let header = frame.pointee.hd
        guard UInt32(header.type) == NGHTTP2_HEADERS.rawValue else { return }
        headerBlockStart = now
        guard role == .server else {
            let hasHead = withStream(header.stream_id) { $0.hasHead } ?? false
            return state.pointee.assembler.begin(hasHead ? .responseTrailers : .response)
        }
        let isRequest = frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST
        state.pointee.assembler.begin(isRequest ? .request : .requestTrailers)
        guard isRequest, let session else { return }
        let stream = makeStream()
        stream._withUnsafeGuaranteedRef { $0.open(id: header.stream_id) }
        register(stream)
        nghttp2_session_set_stream_user_data(session, header.stream_id, stream.toOpaque())
        state.pointee.recentStream = (header.stream_id, stream.toOpaque())
    }

    /// False makes nghttp2 reset the stream. The reset queued here goes first and tells the peer why.
    func didReceiveField(streamID: Int32, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Bool {
        guard let overflow = state.pointee.assembler.add(name: name, value: value) else { return true }
        if role == .server { refusingLimits.append(overflow.limitName) }
        reject(streamID, .enhanceYourCalm)
        return false
    }

    func didReceiveFrame(_ frame: UnsafePointer<nghttp2_frame>) {
        let header = frame.pointee.hd
        let endsStream = header.flags & Flag.endStream != 0
        switch UInt32(header.type) {
        case NGHTTP2_HEADERS.rawValue:
            headerBlockStart = nil
            didReceiveHeaders(header.stream_id, endsStream: endsStream)
        case NGHTTP2_DATA.rawValue:
            if header.length > 0, header.length == frame.pointee.data.padlen, !endsStream {
                state.pointee.budgets.didReceiveEmptyData(now: now)
            }
            if endsStream { withStream(header.stream_id) { didEnd($0) } }
        case NGHTTP2_SETTINGS.rawValue:
            if header.flags & Flag.acknowledge == 0 {
                receivedSettings = true
                state.pointee.events.append(.settings)
            }
        case NGHTTP2_PING.rawValue:
            if header.flags & Flag.acknowledge != 0, Self.isNotice(frame.pointee.ping) {
                state.pointee.events.append(.noticeAcknowledged)
            }
        case NGHTTP2_GOAWAY.rawValue:
            let goAway = frame.pointee.goaway
            markGoingAway()
            state.pointee.events.append(
                .goAway(
                    lastStreamID: goAway.last_stream_id, HTTP2ErrorCode(rawValue: goAway.error_code)))
            if role == .client { refuseUnsent() }
        default: break
        }
    }

    private static func isNotice(_ ping: nghttp2_ping) -> Bool {
        withUnsafeBytes(of: ping.opaque_data) { $0.loadUnaligned(as: UInt64.self) } == noticeMark
    }

    func didReceiveData(_ streamID: Int32, _ data: UnsafePointer<UInt8>, _ count: Int) {
        let isTaken = withStream(streamID) { stream in
            guard let sliceBase, !stream.isRejected else { return false }
            guard stream.mayReceive(count) else {
                reject(streamID, .protocolError)
                return false
            }
            state.pointee.events.append(.data(.passUnretained(stream), offset: data - sliceBase, count: count))
            return true
        }
        if isTaken != true, let session { nghttp2_session_consume(session, streamID, count) }
    }

    func didClose(_ streamID: Int32, _ code: HTTP2ErrorCode) {
        withStream(streamID) { stream in
            unregister(stream)
            // Those that `refuseUnsent` has closed were reported then.
            guard !stream.isClosed else { return }
            stream.isClosed = true
            dropOutbound(of: stream)
            // nghttp2 knows of no error when both sides had ended before the refusal goes out.
            state.pointee.events.append(.closed(.passUnretained(stream), stream.rejection ?? code))
        }
        state.pointee.recentStream = (0, nil)
    }

    private func didReceiveHeaders(_ streamID: Int32, endsStream: Bool) {
        state.pointee.budgets.didReceiveFields(state.pointee.assembler.fieldCount, now: now)
        withStream(streamID) { if !$0.isRejected { didReceiveHeaders($0, endsStream: endsStream) } }
    }

    private func didReceiveHeaders(_ stream: HTTP2Stream, endsStream: Bool) {
        let isTaken =
            stream.hasHead
            ? takeTrailers(stream, endsStream)
            : role == .server ? takeRequest(stream, endsStream) : takeResponse(stream, endsStream)
        guard isTaken else { return reject(stream.id, .protocolError) }
        if endsStream { didEnd(stream) }
    }

    /// - Returns: false when the request breaks a rule.
    private func takeRequest(_ stream: HTTP2Stream, _ endsStream: Bool) -> Bool {
        guard let head = state.pointee.assembler.takeRequest(schemes) else { return false }
        let length = state.pointee.assembler.contentLength
        if let length {
            guard !endsStream || length == 0 else { return false }
            stream.isKnownToBeShort = !endsStream && length <= limits.drainedBodyByteCount
        }
        stream.awaitedByteCount = length
        if let session, head.fields.mayHold(.priority) { StreamPriority(head.fields).apply(to: stream.id, of: session) }
        stream.requestHead = consume head
        stream.hasHead = true
        state.pointee.events.append(.head(.passUnretained(stream)))
        return true
    }

    /// - Returns: false when the response breaks a rule.
    private func takeResponse(_ stream: HTTP2Stream, _ endsStream: Bool) -> Bool {
        guard let head = state.pointee.assembler.takeResponse() else { return false }
        // 1xx: the final answer is still to come (rule H2f).
        guard head.status >= 200 else { return !endsStream }
        let length = ResponseRules.bodyByteCount(
            head.status, length: state.pointee.assembler.contentLength, to: stream.question)
        guard !endsStream || length ?? 0 == 0 else { return false }
        stream.awaitedByteCount = length
        stream.responseHead = consume head
        stream.hasHead = true
        state.pointee.events.append(.head(.passUnretained(stream)))
        return true
    }

    private func takeTrailers(_ stream: HTTP2Stream, _ endsStream: Bool) -> Bool {
        guard endsStream, let trailers = state.pointee.assembler.takeTrailers() else { return false }
        stream.trailers = trailers
        return true
    }

    private func didEnd(_ stream: HTTP2Stream) {
        guard !stream.remoteEnded, !stream.isRejected else { return }
        guard stream.hasHead, stream.awaitedByteCount ?? 0 == 0 else { return reject(stream.id, .protocolError) }
        stream.remoteEnded = true
        state.pointee.events.append(.end(.passUnretained(stream)))
        if stream.isUnwanted { didEndUnwanted() }
    }

    private func reject(_ streamID: Int32, _ code: HTTP2ErrorCode) {
        guard let session else { return }
        headerBlockStart = nil
        withStream(streamID) { $0.rejection = code }
        nghttp2_submit_rst_stream(session, Flag.none, streamID, code.rawValue)
    }

    /// Frame flags as bytes (RFC 9113 section 6).
    enum Flag {
        static let none: UInt8 = 0
        static let endStream: UInt8 = 0x01
        static let acknowledge: UInt8 = 0x01
    }
}
