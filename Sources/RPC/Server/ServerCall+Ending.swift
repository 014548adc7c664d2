import FrameCodec
import HTTPTransport
import NIOCore

// The end of a call, in the words of each wire protocol.
extension ServerCall {
    /// Ends the call; later calls have no effect. nil is OK.
    func finish(_ error: RPCError?) {
        guard exchange.eventLoop.inEventLoop else { return exchange.eventLoop.execute { self.finish(error) } }
        guard phase != .finished else { return }
        let (headers, trailers) = addedMetadata ?? (Metadata(), Metadata())
        switch answerForm.wireProtocol {
        case .grpc, .web, .webText: finishGRPC(error, headers, trailers)
        case .connectUnary, .connectGet: finishConnectUnary(error, headers, trailers)
        case .connectStream: finishConnectStream(error, headers, trailers)
        case .rest: finishREST(error, headers, trailers)
        }
        phase = .finished
        didEnd(error)
    }

    private func didEnd(_ error: RPCError?) {
        let now = NIODeadline.now()
        traffic.duration = now > exchange.receivedAt ? now - exchange.receivedAt : .zero
        served.counters.didFinish(shard: exchange.eventLoopIndex, code: error?.code ?? .ok, traffic)
        guard configuration.isObserved, let observer = configuration.values.observer else { return }
        observer.callDidEnd(
            EndedCall(
                exchange: exchange, method: served, error: error, traffic: traffic,
                notes: answer { $0.notes ?? CallNotes() })
        )
    }

    // MARK: gRPC and gRPC-Web

    private func finishGRPC(_ error: RPCError?, _ headers: Metadata, _ added: Metadata) {
        let trailers = StatusFields.fields(error, trailing: added)
        if phase == .streaming {
            finishStream(consume trailers)
        } else if let heldFrame, error == nil {
            finishWholeBody(heldFrame, trailers, headers)
        } else if !headers.isEmpty {
            encodings.response = nil
            sendHead(status: 200, answerForm.responseFields, headers)
            finishStream(trailers)
        } else {
            finishTrailersOnly(trailers)
        }
    }

    /// Status in the response head and no body (rules S9, W7): only when nothing was sent and no header was set.
    private func finishTrailersOnly(_ trailers: HTTPFields) {
        var fields = answerForm.responseFields
        trailers.forEach { name, value in fields.append(name: name, value: value) }
        configuration.values.crossOrigin.permitReading(&fields, by: exchange.fields)
        // Rule S4: 200 whatever the outcome, but for a body that is not what its type says.
        exchange.sendHead(HTTPResponseHead(status: isRequestTextBroken ? 400 : 200, fields: fields))
        exchange.finish(trailers: nil)
    }

    private func finishStream(_ trailers: consuming HTTPFields) {
        guard answerForm.wireProtocol.isWeb else { return exchange.finish(trailers: consume trailers) }
        // gRPC-Web never uses HTTP trailers (rule W5): the status is the body's last frame (rule W4).
        exchange.sendLast(inText(StatusFields.trailerFrame(trailers)))
    }

    /// Message and trailers as one body that the browser inflates (rule W16).
    private func finishWholeBody(_ frame: ByteBuffer, _ trailers: HTTPFields, _ headers: Metadata) {
        var body = inText(frame)
        body.writeImmutableBuffer(inText(StatusFields.trailerFrame(trailers)))
        var fields = answerForm.responseFields
        body = encodedBody(body, &fields)
        sendHead(status: 200, fields, headers)
        exchange.sendLast(body)
    }

    /// The body under `content-encoding` if one was negotiated and it makes the body smaller.
    private func encodedBody(_ body: ByteBuffer, _ fields: inout HTTPFields) -> ByteBuffer {
        guard let algorithm = encodings.response else { return body }
        fields.append(.vary, "Accept-Encoding")
        guard let bytes = compressed(body, algorithm) else { return body }
        fields.append(.contentEncoding, algorithm.name)
        return ByteBuffer(bytes: bytes)
    }

    // MARK: Connect

    private func finishConnectUnary(_ error: RPCError?, _ headers: Metadata, _ trailers: Metadata) {
        guard error == nil, let heldFrame else {
            return finishConnectError(
                error ?? RPCError(.internalError, "the handler gave no response message"), headers, trailers)
        }
        var fields = answerForm.responseFields
        let message = heldFrame.getSlice(
            at: heldFrame.readerIndex + FrameHeader.byteCount, length: heldFrame.readableBytes - FrameHeader.byteCount
        )
        let body = encodedBody(message ?? ByteBuffer(), &fields)
        Self.append(prefixed: trailers, to: &fields)
        sendHead(status: 200, fields, headers)
        exchange.sendLast(body)
    }

    /// As Connect's, and never kept by caches: it was made for one key.
    private func finishREST(_ error: RPCError?, _ headers: Metadata, _ trailers: Metadata) {
        if error == nil, heldFrame != nil {
            var headers = headers
            headers.add("cache-control", "no-store")
            return finishConnectUnary(nil, headers, trailers)
        }
        let error = error ?? RPCError(.internalError, "the handler gave no response message")
        var fields = ProblemDetails.fields(error)
        error.protocolFields.forEach { name, value in fields.append(name: name, value: value) }
        Self.append(prefixed: trailers, to: &fields)
        Self.append(prefixed: error.metadata, to: &fields)
        sendHead(status: error.code.connectHTTPStatus, fields, headers)
        exchange.sendLast(ByteBuffer(bytes: ProblemDetails.json(error)))
    }

    /// JSON even when the messages are protobuf, and an HTTP status that says failure (rule S6).
    private func finishConnectError(_ error: RPCError, _ headers: Metadata, _ trailers: Metadata) {
        var fields = WireForm.connectJSON.responseFields
        error.protocolFields.forEach { name, value in fields.append(name: name, value: value) }
        Self.append(prefixed: trailers, to: &fields)
        Self.append(prefixed: error.metadata, to: &fields)
        sendHead(status: error.code.connectHTTPStatus, fields, headers)
        exchange.sendLast(ByteBuffer(bytes: ConnectStatus.json(error)))
    }

    /// Always 200; the outcome is the last message (its flag is Connect's own).
    private func finishConnectStream(_ error: RPCError?, _ headers: Metadata, _ trailers: Metadata) {
        if phase == .headNotSent {
            encodings.response = nil
            sendHead(status: 200, answerForm.responseFields, headers)
        }
        exchange.sendLast(ConnectStatus.endStreamFrame(error, trailing: trailers))
    }

    /// Trailing metadata of a unary Connect answer: header fields with the prefix `trailer-`.
    private static func append(prefixed metadata: Metadata, to fields: inout HTTPFields) {
        metadata.forEachApplicationField { name, value in
            let prefixed = Array("trailer-".utf8) + name
            prefixed.withUnsafeBytes { fields.append(name: $0, value: value) }
        }
    }
}
