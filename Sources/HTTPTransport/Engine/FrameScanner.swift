/// The parts of a frame header that budgets look at (RFC 9113 section 4.1).
struct FrameHeader: Equatable {
    let length: Int
    let type: UInt8
    let flags: UInt8
}

/// Walks over the frame headers of an incoming byte stream, in any slicing.
///
/// nghttp2 tells nothing about frames that it ignores (unknown types, frames of closed streams), yet those
/// cost time too: so the headers are counted here, before nghttp2 sees them.
struct FrameScanner {
    private var skip: Int
    private var partial: UInt64 = 0
    private var partialCount = 0

    /// - Parameter prefix: bytes before the first frame: 24 for a server (the client's preface), else 0.
    init(prefix: Int) { skip = prefix }

    @inline(__always)
    mutating func scan(_ slice: UnsafeRawBufferPointer, _ body: (FrameHeader) -> Void) {
        var index = 0
        while index < slice.count {
            if skip > 0 {
                let step = min(skip, slice.count - index)
                skip -= step
                index += step
                continue
            }
            if partialCount == 0, slice.count - index >= 8 {
                let word = UInt64(bigEndian: slice.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                let header = FrameHeader(
                    length: Int(word >> 40), type: UInt8(truncatingIfNeeded: word >> 32),
                    flags: UInt8(truncatingIfNeeded: word >> 24))
                skip = 9 + header.length
                body(header)
                continue
            }
            // Only the first 5 bytes are of interest; the last 4 (stream id) are skipped with the payload.
            partial = partial << 8 | UInt64(slice[index])
            partialCount += 1
            index += 1
            guard partialCount == 5 else { continue }
            let header = FrameHeader(
                length: Int(partial >> 16 & 0xFF_FFFF), type: UInt8(partial >> 8 & 0xFF),
                flags: UInt8(partial & 0xFF))
            partial = 0
            partialCount = 0
            skip = 4 + header.length
            body(header)
        }
    }
}
