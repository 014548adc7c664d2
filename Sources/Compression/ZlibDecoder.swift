import CZlib

/// gzip, zlib and raw deflate through zlib's `inflate`.
///
/// A class, because zlib's state points back at its `z_stream`, which therefore never moves.
final class ZlibDecoder: Decoder {
    private let stream: UnsafeMutablePointer<z_stream>
    let allowsFurtherMembers: Bool

    enum Format: CInt {
        /// The window bits of `inflateInit2`: 15 for 32 KiB, plus 16 for gzip, negative for raw deflate.
        case gzip = 31
        case zlib = 15
        case raw = -15
    }

    init(_ format: Format) throws(CompressionError) {
        allowsFurtherMembers = format == .gzip
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let code = inflateInit2_(stream, format.rawValue, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size))
        guard code == Z_OK else { throw .failed("inflateInit2 returned \(code)") }
    }

    deinit {
        inflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    func step(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> DecoderStep {
        let available = min(input.count, 1 << 30)
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        )
        stream.pointee.avail_in = UInt32(truncatingIfNeeded: available)
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(truncatingIfNeeded: output.count)
        let code = inflate(stream, Z_NO_FLUSH)
        switch code {
        // Z_BUF_ERROR only says that there was nothing to do.
        case Z_OK, Z_STREAM_END, Z_BUF_ERROR: break
        case Z_NEED_DICT: throw .corrupt("it needs a preset dictionary")
        case Z_MEM_ERROR: throw .failed("out of memory")
        default: throw .corrupt(stream.pointee.msg.map { String(cString: $0) } ?? "zlib error \(code)")
        }
        return DecoderStep(
            consumed: available - Int(stream.pointee.avail_in),
            produced: output.count - Int(stream.pointee.avail_out),
            isAtEnd: code == Z_STREAM_END
        )
    }

    func startNextMember() throws(CompressionError) {
        guard inflateReset(stream) == Z_OK else { throw .failed("inflateReset refused") }
    }
}

/// What a sender that says `deflate` means: the zlib format, or raw deflate without its header. The first two bytes
/// tell.
final class DeflateDecoder: Decoder {
    private var decoder: ZlibDecoder?
    /// The first byte, kept until the second has come.
    private var first: UInt8?
    let allowsFurtherMembers = false

    func step(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> DecoderStep {
        if let decoder { return try decoder.step(input, into: output) }
        guard let first else {
            guard let byte = input.first else { return DecoderStep(consumed: 0, produced: 0, isAtEnd: false) }
            self.first = byte
            return DecoderStep(consumed: 1, produced: 0, isAtEnd: false)
        }
        // The second byte stays in `input`. A whole raw stream may be one byte short of it: never, the shortest
        // (an empty block) has two.
        guard let second = input.first else { return DecoderStep(consumed: 0, produced: 0, isAtEnd: false) }
        let made = try ZlibDecoder(Self.isZlibHeader(first, second) ? .zlib : .raw)
        decoder = made
        let begun = try withUnsafeBytes(of: first) { byte throws(CompressionError) in try made.step(byte, into: output)
        }
        return DecoderStep(consumed: 0, produced: begun.produced, isAtEnd: begun.isAtEnd)
    }

    func startNextMember() throws(CompressionError) {}

    /// RFC 1950 2.2: method 8, a window of at most 32 KiB, and both bytes together a multiple of 31.
    private static func isZlibHeader(_ first: UInt8, _ second: UInt8) -> Bool {
        first & 0x0F == 8 && first >> 4 <= 7 && (UInt16(first) << 8 | UInt16(second)) % 31 == 0
    }
}
