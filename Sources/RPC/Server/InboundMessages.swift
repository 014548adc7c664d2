import FrameCodec
import HTTPTransport
import NIOCore

/// Body bytes -> request messages. Keeps what has arrived and not been read yet; the transport's flow control bounds it.
struct InboundMessages {
    private var buffer = ByteBuffer()
    private var textDecoder: Base64StreamDecoder?
    private let reader: FrameReader

    init(isText: Bool, maximumMessageByteCount: Int) {
        reader = FrameReader(maximumPayloadByteCount: maximumMessageByteCount, allowedFlags: .compressed)
        textDecoder = isText ? Base64StreamDecoder() : nil
    }

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
        guard textDecoder != nil else { return keep(chunk) }
        var bytes: [UInt8] = []
        do {
            try chunk.withUnsafeReadableBytes { try textDecoder?.decode($0, into: &bytes) }
        } catch {
            throw RPCError(.internalError, "request body is not valid base64: \(error)")
        }
        buffer.writeBytes(bytes)
    }

    /// The next whole message, or nil when more bytes are needed.
    mutating func next() throws(RPCError) -> ByteBuffer? {
        let slice: FrameSlice?
        do {
            slice = try buffer.withUnsafeReadableBytes { bytes throws(FrameError) in try reader.next(bytes) }
        } catch {
            throw RPCError(frameError: error)
        }
        guard let slice else { return nil }
        // A zero-length message is never inflated (rule P6); anything else with flag 1 needs a grpc-encoding, and
        // a request with one is refused before its body is read (rules P3, P4).
        if slice.flags.contains(.compressed), !slice.payload.isEmpty {
            throw RPCError(.internalError, "message has the compressed flag, but the request names no grpc-encoding")
        }
        let payload = buffer.getSlice(at: buffer.readerIndex + slice.payload.lowerBound, length: slice.payload.count)
        buffer.moveReaderIndex(forwardBy: slice.consumed)
        return payload
    }

    /// - Throws: INTERNAL when the body ends inside a frame (rule P10).
    mutating func finish() throws(RPCError) {
        if textDecoder != nil {
            var bytes: [UInt8] = []
            do {
                try textDecoder?.finish(into: &bytes)
            } catch {
                throw RPCError(.internalError, "request body is not valid base64: \(error)")
            }
            buffer.writeBytes(bytes)
        }
        do {
            try buffer.withUnsafeReadableBytes { bytes throws(FrameError) in try reader.finish(bytes) }
        } catch {
            throw RPCError(frameError: error)
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
