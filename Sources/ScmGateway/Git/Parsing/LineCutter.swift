/// Cuts a byte stream, fed in pieces of any size, into lines.
///
/// A line longer than ``maximumLineByteCount`` is cut short and the rest of it dropped, so that a commit whose
/// subject is a megabyte costs no memory.
struct LineCutter {
    static let maximumLineByteCount = 16 * 1024
    private var partial: [UInt8] = []

    /// Calls `line` for every line that ends in `bytes`, without its newline.
    mutating func feed<E: Error>(
        _ bytes: UnsafeRawBufferPointer,
        line: (ArraySlice<UInt8>) throws(E) -> Void
    ) throws(E) {
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let rest = bytes[start...]
            guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else {
                append(rest)
                return
            }
            append(bytes[start..<end])
            try line(partial[...])
            partial.removeAll(keepingCapacity: true)
            start = end + 1
        }
    }

    private mutating func append(_ bytes: Slice<UnsafeRawBufferPointer>) {
        partial.append(contentsOf: bytes.prefix(max(0, Self.maximumLineByteCount - partial.count)))
    }
}
