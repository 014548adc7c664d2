/// Why bytes could not be read as a protobuf message.
///
/// A struct over a private enum: new reasons never break a caller's `switch`.
public struct WireError: Error, Sendable, Hashable {
    @usableFromInline
    enum Reason: Sendable, Hashable {
        case truncated
        case malformedVarint
        case invalidTag
        case invalidWireType
        case unexpectedEndGroup
        case invalidUTF8
        case tooDeep(limit: Int)
        case tooLarge(limit: Int)
    }

    @usableFromInline let reason: Reason
    /// Position in the serialised message at which reading stopped, in bytes.
    public let offset: Int

    @usableFromInline
    init(_ reason: Reason, offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    /// The bytes end inside a field.
    public var isTruncated: Bool { reason == .truncated }

    /// The message is well formed as far as it was read, but exceeds a limit of ``WireLimits``.
    public var isLimit: Bool {
        switch reason {
        case .tooDeep, .tooLarge: true
        default: false
        }
    }
}

extension WireError: CustomStringConvertible {
    public var description: String {
        switch reason {
        case .truncated: "protobuf message ends inside a field at byte \(offset)"
        case .malformedVarint: "protobuf varint at byte \(offset) is longer than 10 bytes or does not fit"
        case .invalidTag: "protobuf tag at byte \(offset) has field number 0 or does not fit 32 bits"
        case .invalidWireType: "protobuf field at byte \(offset) has an undefined wire type"
        case .unexpectedEndGroup: "protobuf group end at byte \(offset) does not match a group start"
        case .invalidUTF8: "protobuf string before byte \(offset) is not UTF-8"
        case .tooDeep(let limit):
            "protobuf message is nested deeper than the maximum depth of \(limit) (WireLimits.maximumDepth)"
        case .tooLarge(let limit):
            "protobuf message needs more than \(limit) bytes of memory for its repeated fields "
                + "(WireLimits.maximumElementByteCount)"
        }
    }
}

/// What decoding one message may cost.
public struct WireLimits: Sendable, Hashable {
    /// Deepest nesting of messages and groups, unknown ones included; 100 by default.
    public var maximumDepth: Int
    /// Memory for the elements of repeated and map fields, counted as the size of the Swift value of each
    /// element; 256 MiB by default.
    ///
    /// A two-byte element can become a struct of hundreds of bytes, so the size of the input is no bound by
    /// itself.
    public var maximumElementByteCount: Int

    @inlinable
    public init(maximumDepth: Int = 100, maximumElementByteCount: Int = 256 << 20) {
        self.maximumDepth = maximumDepth
        self.maximumElementByteCount = maximumElementByteCount
    }
}
