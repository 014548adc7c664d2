/// Writes a message into memory of exactly its size, from the last byte to the first.
///
/// Going backwards, the length of a nested message is known when its turn comes: it is what has just been
/// written. One size pass over the whole message is enough, instead of one for each level of nesting.
///
/// ```
///   memory:  [ ......free...... | tag len nested-message | later fields | unknown fields ]
///                               ^ position moves towards the front
/// ```
///
/// So a hand-written ``Message`` writes its unknown fields first, then its fields from the highest number to
/// the lowest, the elements of a repeated field from the last to the first, and each tag after its value.
public struct WireWriter: ~Copyable {
    @usableFromInline var position: UnsafeMutableRawPointer
    @usableFromInline let start: UnsafeMutableRawPointer
    /// Map entries are written in the order of their keys instead of whatever order the dictionary has.
    public let isDeterministic: Bool

    /// `memory` must have exactly the message's `encodedByteCount` bytes and outlive the writer.
    @inlinable
    public init(_ memory: UnsafeMutableRawBufferPointer, deterministic: Bool = false) {
        // Empty memory may have no address; `claim` then never hands it out.
        start = memory.baseAddress ?? UnsafeMutableRawPointer(bitPattern: 1).unsafelyUnwrapped
        position = start + memory.count
        isDeterministic = deterministic
    }

    /// Bytes not written yet; zero when a message is complete.
    @inlinable
    public var bytesLeft: Int { position - start }

    /// The next `count` bytes towards the front. A size pass that disagrees with the write pass stops here,
    /// not in somebody else's memory.
    @inlinable
    @inline(__always)
    mutating func claim(_ count: Int) -> UnsafeMutableRawPointer {
        precondition(count <= position - start, "encodedByteCount is smaller than what encode(into:) writes")
        position -= count
        return position
    }

    @inlinable
    @inline(__always)
    public mutating func writeVarint(_ value: UInt64) {
        if value < 0x80 {
            claim(1).storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
        } else {
            writeLongVarint(value)
        }
    }

    @usableFromInline
    mutating func writeLongVarint(_ value: UInt64) {
        let count = WireSize.varint(value)
        let memory = claim(count)
        var rest = value
        for offset in 0..<(count &- 1) {
            memory.storeBytes(
                of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: offset, as: UInt8.self)
            rest &>>= 7
        }
        memory.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: count &- 1, as: UInt8.self)
    }

    @inlinable
    mutating func writeTag(_ field: Int, _ wireType: UInt32) {
        writeVarint(UInt64(truncatingIfNeeded: field) &<< 3 | UInt64(wireType))
    }

    @inlinable
    mutating func writeFixed32(_ value: UInt32) {
        claim(4).storeBytes(of: value.littleEndian, as: UInt32.self)
    }

    @inlinable
    mutating func writeFixed64(_ value: UInt64) {
        claim(8).storeBytes(of: value.littleEndian, as: UInt64.self)
    }

    @inlinable
    mutating func writeBytes(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        claim(bytes.count).copyMemory(from: source, byteCount: bytes.count)
    }

    /// Writes fields kept from decoding, byte for byte.
    @inlinable
    public mutating func write(_ fields: UnknownFields) {
        guard !fields.bytes.isEmpty else { return }
        fields.bytes.withUnsafeBytes { writeBytes($0) }
    }
}

/// Sizes that do not depend on a kind of field.
public enum WireSize {
    /// Bytes that `value` takes as a varint, 1...10.
    @inlinable
    public static func varint(_ value: UInt64) -> Int {
        // 64 - leadingZeroBitCount bits, seven to a byte, and one byte for zero.
        let bits = 64 &- (value | 1).leadingZeroBitCount
        return (bits &* 9 &+ 64) &>> 6
    }

    /// Bytes that the tag of `field` takes.
    @inlinable
    public static func tag(_ field: Int) -> Int { varint(UInt64(truncatingIfNeeded: field) &<< 3) }

    /// Bytes that a length prefix and that many bytes take.
    @inlinable
    public static func lengthDelimited(_ byteCount: Int) -> Int {
        varint(UInt64(truncatingIfNeeded: byteCount)) &+ byteCount
    }
}
