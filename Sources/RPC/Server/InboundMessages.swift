import Compression
import FrameCodec
import HTTPTransport
import NIOCore

/// Body bytes -> request messages. Keeps what has arrived and not been read yet; the transport's flow control bounds
/// it.
///
/// ```
///   frames:  append ... next -> message, message ...        finish: nothing may be left
///   whole:   append ... (up to the message limit)           finish: the body is the message
/// ```
struct InboundMessages {
    private var buffer = ByteBuffer()
    private var textDecoder: Base64StreamDecoder?
    private let reader: FrameReader
    private let wire: WireProtocol
    private let algorithm: CompressionAlgorithm?
    private let maximumMessageByteCount: Int
    private let maximumRatio: Int
    /// The request's end has been read from the transport.
    private(set) var hasEnded = false
    private var isMessageTaken = false
    /// The last message that was read had come compressed.
    private(set) var wasCompressed = false
    /// The body of a text request is not base64.
    private(set) var isTextBroken = false
    /// Bytes that decompressing has added since somebody last looked.
    private var growth = 0
    /// What the body is only a part of.
    private var rest: RESTBody?

    init(_ wire: WireProtocol, algorithm: CompressionAlgorithm?, configuration: RPCServerConfiguration) {
        self.wire = wire
        self.algorithm = algorithm
        maximumMessageByteCount = configuration.maximumRequestMessageByteCount
        maximumRatio = configuration.compression.maximumRatio
        reader = FrameReader(maximumPayloadByteCount: maximumMessageByteCount, allowedFlags: .compressed)
        textDecoder = wire == .webText ? Base64StreamDecoder() : nil
    }

    /// The only message of a request that has it elsewhere than in its body.
    mutating func take(message: [UInt8]) {
        buffer = ByteBuffer(bytes: message)
        hasEnded = true
    }

    /// The only message of a request that has a part of it elsewhere than in its body.
    mutating func take(_ body: RESTBody) {
        rest = body
    }

    /// Bytes that decompressing has added since this was last asked.
    mutating func takeGrowth() -> Int {
        defer { growth = 0 }
        return growth
    }

    /// Bytes that wait to be read.
    var unreadByteCount: Int { buffer.readableBytes }

    /// Where the message is in `body`, when that is one whole plain frame and nothing else: the usual unary request.
    ///
    /// - Returns: nil for anything else, be it fine or broken; the general way then finds out.
    static func onlyMessage(in body: UnsafeRawBufferPointer, maximumMessageByteCount: Int) -> Range<Int>? {
        guard let header = FrameHeader(body), header.flags == [],
            body.count - FrameHeader.byteCount == Int(header.payloadByteCount),
            Int(header.payloadByteCount) <= maximumMessageByteCount
        else { return nil }
        return FrameHeader.byteCount..<body.count
    }

    mutating func append(_ chunk: ByteBuffer) throws(RPCError) {
        guard !hasEnded else { return }
        guard wire.isFramed else {
            guard buffer.readableBytes + chunk.readableBytes <= maximumMessageByteCount else {
                throw RPCError(
                    .resourceExhausted,
                    "request message exceeds maximumRequestMessageByteCount (\(maximumMessageByteCount))"
                )
            }
            return keep(chunk)
        }
        guard textDecoder != nil else { return keep(chunk) }
        var bytes: [UInt8] = []
        do {
            try chunk.withUnsafeReadableBytes { try textDecoder?.decode($0, into: &bytes) }
        } catch {
            throw brokenText("\(error)")
        }
        buffer.writeBytes(bytes)
    }

    /// The next whole message; nil when more bytes are needed, and for ever once ``hasEnded`` is true.
    mutating func next() throws(RPCError) -> ByteBuffer? {
        guard wire.isFramed else {
            guard hasEnded, !isMessageTaken else { return nil }
            isMessageTaken = true
            wasCompressed = algorithm != nil && buffer.readableBytes > 0
            var message = buffer
            if let algorithm, buffer.readableBytes > 0 { message = try inflated(buffer, algorithm) }
            guard let rest else { return message }
            return try rest.complete(message)
        }
        let slice: FrameSlice?
        do {
            slice = try buffer.withUnsafeReadableBytes { bytes throws(FrameError) in try reader.next(bytes) }
        } catch {
            var failure = RPCError(frameError: error, limit: "maximumRequestMessageByteCount")
            // Interop hazard: proxies that hand text on as binary. Base64 of any prefix below 16 MiB begins so.
            if error.isInvalidFlags, wire == .web, buffer.readableBytesView.first == UInt8(ascii: "A") {
                failure.message += "; the body looks like base64, which is application/grpc-web-text"
            }
            throw failure
        }
        guard let slice else { return nil }
        let payload = buffer.getSlice(at: buffer.readerIndex + slice.payload.lowerBound, length: slice.payload.count)
        buffer.moveReaderIndex(forwardBy: slice.consumed)
        wasCompressed = slice.flags.contains(.compressed)
        // A zero-length message is never inflated (rule P6): an empty gzip member is not zero bytes long.
        guard slice.flags.contains(.compressed), let payload, payload.readableBytes > 0 else { return payload }
        guard let algorithm else {
            throw RPCError(
                .internalError,
                "message has the compressed flag, but the request names no \(CallEncodings.encodingField(wire))"
            )
        }
        return try inflated(payload, algorithm)
    }

    /// The request's end has come.
    ///
    /// - Throws: INTERNAL when the body ends inside a frame (rule P10) or inside a base64 group.
    mutating func finish() throws(RPCError) {
        guard !hasEnded else { return }
        hasEnded = true
        guard wire.isFramed else { return }
        if textDecoder != nil {
            var bytes: [UInt8] = []
            do {
                try textDecoder?.finish(into: &bytes)
            } catch {
                throw brokenText("\(error)")
            }
            // The decoder forgives a missing `=`; here that may be a body that was cut (rule W12).
            guard bytes.isEmpty else { throw brokenText("its last group is not padded") }
        }
        do {
            try buffer.withUnsafeReadableBytes { bytes throws(FrameError) in try checkEnd(bytes) }
        } catch {
            throw RPCError(frameError: error, limit: "maximumRequestMessageByteCount")
        }
    }

    /// Whole frames may still wait to be read; what follows them must be nothing.
    private func checkEnd(_ bytes: UnsafeRawBufferPointer) throws(FrameError) {
        var rest = bytes
        while let slice = try reader.next(rest) { rest = UnsafeRawBufferPointer(rebasing: rest[slice.consumed...]) }
        try reader.finish(rest)
    }

    private mutating func inflated(_ payload: ByteBuffer, _ algorithm: CompressionAlgorithm) throws(RPCError)
        -> ByteBuffer
    {
        do {
            let bytes = try payload.withUnsafeReadableBytes { bytes throws(CompressionError) in
                try Decompressor.decompress(
                    bytes, with: algorithm, maximumByteCount: maximumMessageByteCount, maximumRatio: maximumRatio
                )
            }
            growth &+= max(0, bytes.count - payload.readableBytes)
            return ByteBuffer(bytes: bytes)
        } catch {
            // A bomb has cost its limit.
            growth &+= maximumMessageByteCount
            throw refusal(error, algorithm)
        }
    }

    private mutating func brokenText(_ reason: String) -> RPCError {
        isTextBroken = true
        return RPCError(.internalError, "request body is not valid base64: \(reason)")
    }

    private func refusal(_ error: CompressionError, _ algorithm: CompressionAlgorithm) -> RPCError {
        switch error {
        case .tooLarge(let limit):
            RPCError(
                .resourceExhausted, "request message exceeds maximumRequestMessageByteCount (\(limit)) when inflated")
        case .ratioTooHigh(let limit):
            RPCError(
                .resourceExhausted, "request message grows more than CompressionPolicy.maximumRatio (\(limit)) times")
        case .failed: RPCError(.internalError, "\(error)")
        default: RPCError(wire.badInputCode, "request message is not valid \(algorithm): \(error)")
        }
    }

    private mutating func keep(_ chunk: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = chunk
        } else {
            buffer.discardReadBytes()
            buffer.writeImmutableBuffer(chunk)
        }
    }
}
