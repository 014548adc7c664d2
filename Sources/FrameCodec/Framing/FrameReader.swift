/// Where the next frame lies in the bytes given to ``FrameReader/next(_:)``.
public struct FrameSlice: Sendable, Hashable {
    public let flags: FrameFlags
    /// Offsets of the payload in the unread bytes; empty for a zero-length message (rule P6).
    public let payload: Range<Int>

    /// Bytes to drop from the front of the unread bytes once the payload has been used: header and payload.
    @inlinable
    public var consumed: Int { payload.upperBound }

    @inlinable
    init(flags: FrameFlags, payload: Range<Int>) {
        self.flags = flags
        self.payload = payload
    }
}

/// Cuts frames out of a buffer that the caller owns; nothing is copied or kept.
///
/// The caller appends what it receives to its buffer, calls ``next(_:)`` in a loop until it returns nil, and
/// drops `consumed` bytes after each frame. How the bytes were split on the way does not matter (rule P9).
///
/// ```
///            +---- nil: fewer than 5 bytes, or payload incomplete; append more ----+
///            v                                                                     |
///   unread --+--> header complete --> flags allowed? --> length <= limit? --> payload complete --> slice
///                                        | no               | no
///                                        v                  v
///                                   invalidFlags      messageTooLarge   (before any allocation, rule P8)
/// ```
public struct FrameReader: Sendable {
    /// Longest payload accepted, in bytes; a payload of exactly this size passes.
    public let maximumPayloadByteCount: Int
    /// Flags that the protocol in use defines; any other bit is an error.
    public let allowedFlags: FrameFlags

    @inlinable
    public init(maximumPayloadByteCount: Int, allowedFlags: FrameFlags) {
        self.maximumPayloadByteCount = maximumPayloadByteCount
        self.allowedFlags = allowedFlags
    }

    /// Finds the first frame in `unread`.
    ///
    /// Flags and declared length are judged as soon as five bytes are there, before the caller buffers a
    /// payload.
    /// - Returns: nil when more bytes are needed.
    @inlinable
    public func next(_ unread: UnsafeRawBufferPointer) throws(FrameError) -> FrameSlice? {
        guard let header = try header(unread) else { return nil }
        let length = Int(header.payloadByteCount)
        guard unread.count - FrameHeader.byteCount >= length else { return nil }
        return FrameSlice(
            flags: header.flags, payload: FrameHeader.byteCount..<FrameHeader.byteCount + length)
    }

    /// The checked header of the first frame; nil when fewer than five bytes are there.
    ///
    /// Lets a caller reserve `FrameHeader.byteCount + payloadByteCount` bytes once instead of growing its
    /// buffer.
    @inlinable
    public func header(_ unread: UnsafeRawBufferPointer) throws(FrameError) -> FrameHeader? {
        guard let header = FrameHeader(unread) else { return nil }
        guard allowedFlags.isSuperset(of: header.flags) else { throw .invalidFlags(header.flags.rawValue) }
        // UInt32 always fits Int here: FrameCodec supports 64-bit platforms only.
        guard Int(header.payloadByteCount) <= maximumPayloadByteCount else {
            throw .messageTooLarge(declared: header.payloadByteCount, limit: maximumPayloadByteCount)
        }
        return header
    }

    /// Call at the end of input with what is left over.
    ///
    /// - Throws: ``FrameError/truncated(missing:)`` when `unread` is not empty (rule P10), or what
    ///   ``next(_:)`` throws.
    public func finish(_ unread: UnsafeRawBufferPointer) throws(FrameError) {
        guard !unread.isEmpty else { return }
        guard let header = try header(unread) else {
            throw .truncated(missing: FrameHeader.byteCount - unread.count)
        }
        let missing = FrameHeader.byteCount + Int(header.payloadByteCount) - unread.count
        throw .truncated(missing: max(0, missing))
    }
}
