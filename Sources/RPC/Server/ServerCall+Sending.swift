import Compression
import FrameCodec
import HTTPTransport
import NIOCore

// Messages out: message -> frame -> the wire.
extension ServerCall {
    /// Sends one message; suspends while the client reads too slowly.
    ///
    /// - Throws: ``RPCError``: RESOURCE_EXHAUSTED over the size limit, CANCELLED when the client has gone,
    ///   DEADLINE_EXCEEDED.
    @inlinable
    public func send<M: Message>(_ message: M) async throws {
        try await send(frame: try frame(message))
    }

    /// Sends one message given as its bytes, in the call's ``codec``; as ``send(_:)``.
    public func send(bytes: ByteBuffer) async throws {
        var frame = try emptyFrame(payloadByteCount: bytes.readableBytes)
        frame.writeImmutableBuffer(bytes)
        try await send(frame: frame)
    }

    /// Sends the only message of an answer without suspending: nothing comes after it that could pile up.
    ///
    /// - Returns: false, and nothing was sent, off the event loop.
    @inlinable
    package func sendNow<M: Message>(_ message: M) throws -> Bool {
        guard sendsInPlace else { return try enqueue(frame: try frame(message)) }
        try enqueue(byteCount: message.encodedByteCount) { message.encode(into: $0) }
        return true
    }

    /// Sends one message of a stream without suspending, when there is room for it.
    ///
    /// - Returns: false, and nothing was sent, when `send` must do it.
    @inlinable
    func sendToStream<M: Message>(_ message: M) throws -> Bool {
        guard sendsInPlace, hasRoom else { return false }
        return try enqueue(byteCount: message.encodedByteCount) { message.encode(into: $0) }
    }

    @usableFromInline
    var hasRoom: Bool { !exchange.isCongested }

    /// Whether messages can be written into the transport's memory: they leave as they are.
    @usableFromInline
    var sendsInPlace: Bool {
        !usesJSON && !answerForm.isText && encodings.response == nil && !encodings.isWholeBody
            && exchange.eventLoop.inEventLoop
    }

    /// - Returns: false when the client has gone.
    @usableFromInline
    @discardableResult
    func enqueue(byteCount: Int, _ encode: (UnsafeMutableRawBufferPointer) -> Void) throws -> Bool {
        try checkResponse(byteCount: byteCount)
        try startStreaming()
        traffic.didSend(byteCount)
        return exchange.enqueue(count: FrameHeader.byteCount + byteCount) { memory in
            FrameHeader(flags: [], payloadByteCount: UInt32(truncatingIfNeeded: byteCount)).write(into: memory)
            encode(UnsafeMutableRawBufferPointer(rebasing: memory[FrameHeader.byteCount...]))
        }
    }

    @usableFromInline
    func enqueue(frame: ByteBuffer) throws -> Bool {
        guard exchange.eventLoop.inEventLoop else { return false }
        if try hold(frame) { return true }
        try startStreaming()
        traffic.didSend(frame.readableBytes &- FrameHeader.byteCount)
        exchange.enqueue(encodeForWire(frame))
        return true
    }

    @inlinable
    func frame<M: Message>(_ message: M) throws -> ByteBuffer {
        if usesJSON { return try frameJSON(message) }
        let byteCount = message.encodedByteCount
        var frame = try emptyFrame(payloadByteCount: byteCount)
        frame.writeWithUnsafeMutableBytes(minimumWritableBytes: byteCount) { memory in
            message.encode(into: UnsafeMutableRawBufferPointer(rebasing: memory.prefix(byteCount)))
            return byteCount
        }
        return frame
    }

    @usableFromInline
    func frameJSON<M: Message>(_ message: M) throws -> ByteBuffer {
        let bytes: [UInt8]
        do {
            bytes = try message.jsonBytes(options: JSONEncodingOptions(types: configuration.values.jsonTypes))
        } catch {
            throw RPCError(.internalError, "response message of \(method.path) has no JSON form: \(error)")
        }
        var frame = try emptyFrame(payloadByteCount: bytes.count)
        frame.writeBytes(bytes)
        return frame
    }

    /// A frame's five bytes, and room for its payload.
    @usableFromInline
    func emptyFrame(payloadByteCount: Int) throws -> ByteBuffer {
        try checkResponse(byteCount: payloadByteCount)
        return Self.frame(flags: [], payloadByteCount: payloadByteCount)
    }

    private func checkResponse(byteCount: Int) throws {
        let limit = min(configuration.values.maximumResponseMessageByteCount, Int(UInt32.max))
        guard byteCount <= limit else {
            throw RPCError(
                .resourceExhausted,
                "response message of \(byteCount) bytes exceeds maximumResponseMessageByteCount (\(limit))"
            )
        }
    }

    private static func frame(flags: FrameFlags, payloadByteCount: Int) -> ByteBuffer {
        var frame = ByteBufferAllocator().buffer(capacity: FrameHeader.byteCount + payloadByteCount)
        frame.writeWithUnsafeMutableBytes(minimumWritableBytes: FrameHeader.byteCount) { memory in
            FrameHeader(flags: flags, payloadByteCount: UInt32(truncatingIfNeeded: payloadByteCount)).write(
                into: memory)
            return FrameHeader.byteCount
        }
        return frame
    }

    @usableFromInline
    func send(frame: ByteBuffer) async throws {
        guard exchange.eventLoop.inEventLoop else {
            return try await onEventLoop { try await self.send(frame: frame) }
        }
        if try hold(frame) { return }
        try startStreaming()
        traffic.didSend(frame.readableBytes &- FrameHeader.byteCount)
        do {
            try await exchange.send(encodeForWire(frame))
        } catch {
            throw exchange.isClosed ? RPCError(streamError: error) : endedError
        }
    }

    /// Keeps the message of an answer that is one HTTP body.
    private func hold(_ frame: ByteBuffer) throws -> Bool {
        guard encodings.isWholeBody else { return false }
        guard phase != .finished else { throw endedError }
        guard heldFrame == nil else {
            throw RPCError(.internalError, "\(method.path) answers with one message, not more")
        }
        traffic.didSend(frame.readableBytes &- FrameHeader.byteCount)
        heldFrame = frame
        return true
    }

    private func startStreaming() throws {
        if phase == .headNotSent {
            sendHead(metadata: addedMetadata?.headers ?? Metadata())
            phase = .streaming
        }
        guard phase == .streaming else { throw endedError }
    }

    /// Sends the response's headers now, if they have not left and the protocol can.
    func sendHeadNow() {
        guard exchange.eventLoop.inEventLoop else { return exchange.eventLoop.execute { self.sendHeadNow() } }
        guard phase == .headNotSent, !encodings.isWholeBody else { return }
        sendHead(metadata: addedMetadata?.headers ?? Metadata())
        phase = .streaming
        exchange.enqueue(ByteBuffer())
    }

    private func sendHead(metadata: Metadata) {
        var fields = answerForm.responseFields
        if let algorithm = encodings.response {
            fields.append(CallEncodings.encodingField(answerForm.wireProtocol), algorithm.name)
            encodings.announced = algorithm
        }
        sendHead(status: 200, fields, metadata)
    }

    /// Completes and sends the head: what the call advertises, the application's headers, what proxies and browsers
    /// need.
    func sendHead(status: Int, _ fields: consuming HTTPFields, _ metadata: Metadata) {
        if encodings.request != nil {
            // Rule P5: whatever the client has used it may go on using.
            fields.append(
                CallEncodings.acceptField(answerForm.wireProtocol), configuration.values.compression.acceptedNames
            )
        }
        let isStream = method.kind == .serverStreaming || method.kind == .bidirectionalStreaming
        if isStream, answerForm.wireProtocol != .grpc {
            // Rule O4: proxies and caches on the way to browsers hold streams back unless told not to.
            fields.append(.cacheControl, "no-store")
            fields.append(.xAccelBuffering, "no")
        }
        metadata.fields.forEach { name, value in fields.append(name: name, value: value) }
        if configuration.permitsOrigins { configuration.values.crossOrigin.permitReading(&fields, by: exchange.fields) }
        exchange.sendHead(HTTPResponseHead(status: status, fields: fields))
    }

    /// Compressed if that was negotiated and makes it smaller; in text mode padded, so that the client can decode it at
    /// once (rules W12, W13).
    private func encodeForWire(_ frame: ByteBuffer) -> ByteBuffer {
        guard encodings.response != nil || answerForm.isText else { return frame }
        return inText(compressed(frame))
    }

    func inText(_ frame: ByteBuffer) -> ByteBuffer {
        guard answerForm.isText else { return frame }
        var text: [UInt8] = []
        frame.withUnsafeReadableBytes { textEncoder.encode($0, into: &text) }
        textEncoder.flush(into: &text)
        return ByteBuffer(bytes: text)
    }

    private func compressed(_ frame: ByteBuffer) -> ByteBuffer {
        guard let algorithm = encodings.response,
            let payload = frame.getSlice(
                at: frame.readerIndex + FrameHeader.byteCount, length: frame.readableBytes - FrameHeader.byteCount
            ),
            let bytes = compressed(payload, algorithm)
        else { return frame }
        var output = Self.frame(flags: .compressed, payloadByteCount: bytes.count)
        output.writeBytes(bytes)
        return output
    }

    /// nil when the bytes are too few, or do not get fewer.
    func compressed(_ bytes: ByteBuffer, _ algorithm: CompressionAlgorithm) -> [UInt8]? {
        guard bytes.readableBytes >= configuration.values.compression.minimumResponseByteCount else { return nil }
        let output = try? bytes.withUnsafeReadableBytes { try Compressor.compress($0, with: algorithm) }
        guard let output, output.count < bytes.readableBytes else { return nil }
        return output
    }
}
