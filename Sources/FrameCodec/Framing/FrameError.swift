/// What is wrong with a received frame.
///
/// A struct over a private enum: new reasons never break a caller's `switch`. Ask with the properties.
public struct FrameError: Error, Sendable, Equatable {
    private enum Reason: Sendable, Equatable {
        case invalidFlags(UInt8)
        case messageTooLarge(declared: UInt32, limit: Int)
        case truncated(missing: Int)
    }

    private let reason: Reason

    /// A flag bit that the protocol in use does not define (rule P2).
    public static func invalidFlags(_ flags: UInt8) -> FrameError {
        FrameError(reason: .invalidFlags(flags))
    }

    /// A declared length above the reader's limit (rule P8).
    public static func messageTooLarge(declared: UInt32, limit: Int) -> FrameError {
        FrameError(reason: .messageTooLarge(declared: declared, limit: limit))
    }

    /// The input ended inside a frame, `missing` bytes too early (rule P10).
    public static func truncated(missing: Int) -> FrameError {
        FrameError(reason: .truncated(missing: missing))
    }

    public var isInvalidFlags: Bool {
        if case .invalidFlags = reason { true } else { false }
    }

    /// gRPC answers RESOURCE_EXHAUSTED to this one, INTERNAL to the others.
    public var isMessageTooLarge: Bool {
        if case .messageTooLarge = reason { true } else { false }
    }

    public var isTruncated: Bool {
        if case .truncated = reason { true } else { false }
    }
}

extension FrameError: CustomStringConvertible {
    public var description: String {
        switch reason {
        case .invalidFlags(let flags):
            "frame has flag byte 0x\(String(flags, radix: 16)), which this protocol does not define"
        case .messageTooLarge(let declared, let limit):
            "message of \(declared) bytes is larger than the maximum message size of \(limit) bytes"
        case .truncated(let missing):
            "input ended inside a frame, \(missing) bytes before its end"
        }
    }
}
