/// Why bytes could not be compressed or decompressed.
public enum CompressionError: Error, Sendable, Equatable {
    /// More than `limit` bytes came out: the caller's `maximumByteCount`.
    case tooLarge(limit: Int)
    /// Beyond ``DecompressionLimits/ratioFloorByteCount``, more than `limit` times the compressed size came out: the
    /// caller's `maximumRatio`.
    case ratioTooHigh(limit: Int)
    /// The input ended inside a member or frame, or is empty.
    case truncated
    /// The input is not in the algorithm's format; the text says what is wrong with it.
    case corrupt(String)
    /// Bytes that are no further member follow the end (rule P7).
    case trailingBytes
    /// The library refused to work, usually for want of memory.
    case failed(String)

    /// True when a limit of the receiver was exceeded, false when the sender broke the format.
    public var isLimit: Bool {
        switch self {
        case .tooLarge, .ratioTooHigh: true
        default: false
        }
    }
}

extension CompressionError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .tooLarge(let limit): "the decompressed data exceeds the limit of \(limit) bytes"
        case .ratioTooHigh(let limit):
            "the data expands more than \(limit) times beyond \(DecompressionLimits.ratioFloorByteCount) bytes"
        case .truncated: "the compressed data ends too early"
        case .corrupt(let problem): "the compressed data is broken: \(problem)"
        case .trailingBytes: "bytes follow the end of the compressed data"
        case .failed(let problem): "the compression library failed: \(problem)"
        }
    }
}
