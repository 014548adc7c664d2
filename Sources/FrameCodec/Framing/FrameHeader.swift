/// The five bytes in front of every payload: one flag byte and a big-endian length.
///
/// ```
///  0        1                          5
///  +--------+--------------------------+----------------------+
///  | flags  | payload length, UInt32BE | payload ...          |
///  +--------+--------------------------+----------------------+
/// ```
public struct FrameHeader: Sendable, Hashable {
    public var flags: FrameFlags
    /// Bytes of payload that follow the header, 0...4,294,967,295 (rule P1).
    public var payloadByteCount: UInt32

    /// Size of every frame header in bytes.
    public static let byteCount = 5

    public init(flags: FrameFlags = [], payloadByteCount: UInt32) {
        self.flags = flags
        self.payloadByteCount = payloadByteCount
    }

    /// Reads a header without judging its flags or length; nil when fewer than five bytes are there.
    @inlinable
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= FrameHeader.byteCount else { return nil }
        self.init(
            flags: FrameFlags(rawValue: bytes[0]),
            payloadByteCount: UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 1, as: UInt32.self))
        )
    }

    /// Writes the header into the first five bytes of `memory`, which the caller has reserved.
    @inlinable
    public func write(into memory: UnsafeMutableRawBufferPointer) {
        precondition(memory.count >= FrameHeader.byteCount, "a frame header needs 5 bytes")
        memory[0] = flags.rawValue
        memory.storeBytes(of: payloadByteCount.bigEndian, toByteOffset: 1, as: UInt32.self)
    }

    /// The header as an array, for places where one small allocation does not matter.
    public var bytes: [UInt8] {
        [
            flags.rawValue,
            UInt8(truncatingIfNeeded: payloadByteCount >> 24),
            UInt8(truncatingIfNeeded: payloadByteCount >> 16),
            UInt8(truncatingIfNeeded: payloadByteCount >> 8), UInt8(truncatingIfNeeded: payloadByteCount)
        ]
    }
}
