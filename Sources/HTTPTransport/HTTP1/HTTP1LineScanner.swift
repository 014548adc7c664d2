#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Finds CRLF line ends, remembering how far it has looked so that dribbled input costs linear time.
struct HTTP1LineScanner {
    enum Result: Equatable {
        /// The line without its CRLF.
        case line(Range<Int>)
        case incomplete
        case bareLineFeed
        case tooLong
    }

    /// Bytes after the start of the line that hold no LF.
    private var scanned = 0

    mutating func reset() { scanned = 0 }

    /// - Parameter start: where the line begins; the same until a line was returned (offsets may shift
    ///   together when the caller drops consumed bytes).
    mutating func line(in input: UnsafeRawBufferPointer, from start: Int, limit: Int) -> Result {
        let available = input.count - start
        guard available > scanned, let base = input.baseAddress else { return .incomplete }
        guard let found = memchr(base + start + scanned, Int32(ASCII.lineFeed), available - scanned) else {
            scanned = available
            return available > limit + 1 ? .tooLong : .incomplete
        }
        let end = UnsafeRawPointer(found) - base
        scanned = 0
        if end - start > limit + 1 { return .tooLong }
        guard end > start, input[end - 1] == ASCII.carriageReturn else { return .bareLineFeed }
        return .line(start..<(end - 1))
    }
}

/// Chunk sizes of the chunked coding (RFC 9112 section 7.1).
enum HTTP1Chunk {
    /// At most 8 hexadecimal digits, then nothing or an extension that is ignored but must be free of control
    /// bytes.
    static func size(_ line: UnsafeRawBufferPointer, _ limits: HTTPLimits) throws(HTTP1Error) -> UInt64 {
        var size: UInt64 = 0
        var digits = 0
        while digits < line.count, let value = ASCII.hexadecimalValue(line[digits]) {
            guard digits < 8 else { throw .bad("chunk size has more than 8 digits") }
            size = size << 4 | UInt64(value)
            digits += 1
        }
        guard digits > 0 else { throw .bad("chunk size is not a hexadecimal number") }
        guard digits < line.count else { return size }
        guard line[digits] == ASCII.semicolon else { throw .bad("chunk size is followed by something else") }
        guard line.count - digits <= limits.chunkExtensionByteCount else {
            throw .over("chunkExtensionByteCount", limits.chunkExtensionByteCount, status: 400, "chunk extension")
        }
        for byte in line[digits...] where !ASCII.isFieldValue(byte) {
            throw .bad("control byte in a chunk extension")
        }
        return size
    }
}
