import CNGHTTP2

/// What the callbacks of the receiving side record.
extension HTTP2Engine {
    /// The stream object that belongs to an id; nil when nghttp2 has forgotten it.
    ///
    /// The pointer is valid: ``openStreams`` holds the object until ``didClose(_:_:)``, and nghttp2 drops the
    /// pointer right after that callback.
    func stream(_ id: Int32) -> HTTP2Stream? {
        guard let session, let pointer = nghttp2_session_get_stream_user_data(session, id) else { return nil }
        return Unmanaged<HTTP2Stream>.fromOpaque(pointer).takeUnretainedValue()
    }

    /// Called for every frame header, unknown types and frames of closed streams included: the place to count.
    func didBeginFrame(_ header: nghttp2_frame_hd) {
        let type = UInt32(header.type)
        let isContinuation = type == NGHTTP2_CONTINUATION.rawValue
        if !isContinuation { headerBlockStart = type == NGHTTP2_HEADERS.rawValue ? now : nil }
        switch type {
        case NGHTTP2_DATA.rawValue:
            if header.length == 0, header.flags & Flag.endStream == 0 { budgets.didReceiveEmptyData(now: now) }
        case NGHTTP2_HEADERS.rawValue, NGHTTP2_CONTINUATION.rawValue, NGHTTP2_RST_STREAM.rawValue,
            NGHTTP2_GOAWAY.rawValue:
            break
        case NGHTTP2_WINDOW_UPDATE.rawValue: budgets.didReceiveWindowUpdate(now: now)
        case NGHTTP2_PING.rawValue: budgets.didReceivePing(now: now)
        default: budgets.didReceiveControlFrame(now: now)
        }
    }

    func didBeginHeaders(_ frame: nghttp2_frame) {
        guard UInt32(frame.hd.type) == NGHTTP2_HEADERS.rawValue else { return }
        assembler.begin()
        guard frame.headers.cat == NGHTTP2_HCAT_REQUEST, let session else { return }
        let stream = makeStream()
        stream.open(id: frame.hd.stream_id)
        register(stream)
        nghttp2_session_set_stream_user_data(
            session, frame.hd.stream_id, Unmanaged.passUnretained(stream).toOpaque())
    }

    /// False makes nghttp2 reset the stream. The reset queued here goes first and tells the peer why.
    func didReceiveField(streamID: Int32, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Bool {
        if assembler.add(name: name, value: value) { return true }
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
                budgets.didReceiveEmptyData(now: now)
            }
            if endsStream, let stream = stream(header.stream_id) { didEnd(stream) }
        case NGHTTP2_SETTINGS.rawValue:
            if header.flags & Flag.acknowledge == 0 {
                receivedSettings = true
                events.append(.settings)
            }
        case NGHTTP2_PING.rawValue:
            if header.flags & Flag.acknowledge != 0 { events.append(.pingAcknowledged) }
        case NGHTTP2_GOAWAY.rawValue:
            let goAway = frame.pointee.goaway
            markGoingAway()
            events.append(
                .goAway(
                    lastStreamID: goAway.last_stream_id, HTTP2ErrorCode(rawValue: goAway.error_code)))
        default: break
        }
    }

    func didReceiveData(_ streamID: Int32, _ data: UnsafePointer<UInt8>, _ count: Int) {
        guard let sliceBase, let stream = stream(streamID), !stream.isRejected else {
            if let session { nghttp2_session_consume(session, streamID, count) }
            return
        }
        events.append(.data(stream, offset: data - sliceBase, count: count))
    }

    func didClose(_ streamID: Int32, _ code: HTTP2ErrorCode) {
        guard let stream = stream(streamID) else { return }
        stream.isClosed = true
        unregister(stream)
        stream.outbound.removeAll()
        events.append(.closed(stream, code))
    }

    private func didReceiveHeaders(_ streamID: Int32, endsStream: Bool) {
        guard let stream = stream(streamID), !stream.isRejected else { return }
        if stream.hasHead {
            stream.trailers = assembler.takeFields()
        } else if role == .server {
            guard let head = assembler.takeRequest(acceptsHTTPS: acceptsHTTPSScheme) else {
                return reject(streamID, .protocolError)
            }
            stream.requestHead = head
            stream.hasHead = true
            events.append(.head(stream))
        } else if assembler.status >= 200 {
            stream.responseHead = HTTPResponseHead(status: assembler.status, fields: assembler.takeFields())
            stream.hasHead = true
            events.append(.head(stream))
        }
        // 1xx: the final answer is still to come (rule H2f).
        if endsStream { didEnd(stream) }
    }

    private func didEnd(_ stream: HTTP2Stream) {
        guard !stream.remoteEnded, !stream.isRejected else { return }
        stream.remoteEnded = true
        events.append(.end(stream))
    }

    private func reject(_ streamID: Int32, _ code: HTTP2ErrorCode) {
        guard let session else { return }
        stream(streamID)?.isRejected = true
        nghttp2_submit_rst_stream(session, Flag.none, streamID, code.rawValue)
    }

    /// Frame flags as bytes (RFC 9113 section 6).
    enum Flag {
        static let none: UInt8 = 0
        static let endStream: UInt8 = 0x01
        static let acknowledge: UInt8 = 0x01
    }
}
