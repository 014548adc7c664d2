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
        // Up to eight bytes are spread over a word and stored at once; what the word has too many falls in front
        // of the varint, where nothing has been written yet.
        guard count <= 8, bytesLeft >= 8 else { return writeVarintBytes(value, count) }
        var word = value & 0xFFF_FFFF | (value &<< 4) & 0x0FFF_FFFF_0000_0000
        word = word & 0x3FFF_0000_3FFF | (word &<< 2) & 0x3FFF_0000_3FFF_0000
        word = word & 0x007F_007F_007F_007F | (word &<< 1) & 0x7F00_7F00_7F00_7F00
        word |= 0x8080_8080_8080_8080 & ((1 &<< UInt64(truncatingIfNeeded: 8 &* (count &- 1))) &- 1)
        let shifted = word &<< UInt64(truncatingIfNeeded: 64 &- 8 &* count)
        (position - 8).storeBytes(of: shifted.littleEndian, as: UInt64.self)
        position -= count
    }

    /// Nine and ten bytes, and the first bytes of a message, which have no room for a word.
    private mutating func writeVarintBytes(_ value: UInt64, _ count: Int) {
        let memory = claim(count)
        var rest = value
        for offset in 0..<(count &- 1) {
            memory.storeBytes(
                of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: offset, as: UInt8.self)
            rest &>>= 7
        }
        memory.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: count &- 1, as: UInt8.self)
    }

    /// `memcpy` without the call for 4 to 32 bytes, as most strings have: two loads, which may overlap.
    @inlinable @inline(__always)
    static func copy(_ count: Int, from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
        if count > 32 || count < 4 {
            target.copyMemory(from: source, byteCount: count)
        } else if count > 16 {
            typealias Word = SIMD2<UInt64>
            let (first, last) = (source.loadUnaligned(as: Word.self), count &- 16)
            let tail = source.loadUnaligned(fromByteOffset: last, as: Word.self)
            target.storeBytes(of: first, as: Word.self)
            target.storeBytes(of: tail, toByteOffset: last, as: Word.self)
        } else if count >= 8 {
            let (first, last) = (source.loadUnaligned(as: UInt64.self), count &- 8)
            let tail = source.loadUnaligned(fromByteOffset: last, as: UInt64.self)
            target.storeBytes(of: first, as: UInt64.self)
            target.storeBytes(of: tail, toByteOffset: last, as: UInt64.self)
        } else {
            let (first, last) = (source.loadUnaligned(as: UInt32.self), count &- 4)
            let tail = source.loadUnaligned(fromByteOffset: last, as: UInt32.self)
            target.storeBytes(of: first, as: UInt32.self)
            target.storeBytes(of: tail, toByteOffset: last, as: UInt32.self)
        }
    }

    /// Inlined always: the field is a constant, and most tags are then one store.
    @inlinable @inline(__always)
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
