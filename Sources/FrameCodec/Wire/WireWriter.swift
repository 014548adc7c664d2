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

    /// Calls `body` with a copy of the writer and moves on to where it has come. What is called in there cannot change
    /// this writer, so the compiler keeps its position in a register.
    @inlinable @inline(__always)
    mutating func apart(_ body: (inout WireWriter) -> Void) {
        var writer = WireWriter(
            UnsafeMutableRawBufferPointer(start: start, count: bytesLeft), deterministic: isDeterministic)
        body(&writer)
        position = writer.position
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

    /// For values that are mostly below 128, such as lengths.
    @inlinable
    @inline(__always)
    public mutating func writeVarint(_ value: UInt64) {
        if value < 0x80 {
            claim(1).storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
        } else {
            position = Self.varint(value, position, start)
        }
    }

    /// A varint behind its tag. Field and value are often known to be small when this is compiled.
    @inlinable
    @inline(__always)
    mutating func writeVarint(_ field: Int, _ value: UInt64) {
        guard field < 16 else {
            writeVarint(value)
            return writeTag(field, WireType.varint)
        }
        let tag = UInt8(truncatingIfNeeded: field &<< 3)
        if value < 0x80 {
            let pair = UInt16(truncatingIfNeeded: value) &<< 8 | UInt16(tag)
            claim(2).storeBytes(of: pair.littleEndian, as: UInt16.self)
        } else {
            position = Self.varint(tag: tag, value, position, start)
        }
    }

    /// The varint of `value` in front of `position`; returns where it begins.
    ///
    /// Positions go in and out by value, so that they stay in a register from one field to the next. In the writer's
    /// memory each field would wait for the one before it to be stored.
    @inlinable @inline(never)
    static func varint(
        _ value: UInt64, _ position: UnsafeMutableRawPointer, _ start: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        let count = WireSize.varint(value)
        // Up to eight bytes are spread over a word and stored at once; what the word has too many falls in front
        // of the varint, where nothing has been written yet.
        guard count <= 8, position - start >= 8 else { return varintBytes(value, count, position, start) }
        let shifted = spread(value, count) &<< UInt64(truncatingIfNeeded: 64 &- 8 &* count)
        (position - 8).storeBytes(of: shifted.littleEndian, as: UInt64.self)
        return position - count
    }

    /// The same with a tag of one byte in front.
    @inlinable @inline(never)
    static func varint(
        tag: UInt8, _ value: UInt64, _ position: UnsafeMutableRawPointer, _ start: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        let count = WireSize.varint(value)
        guard count <= 7, position - start >= 8 else {
            var rest = WireWriter(UnsafeMutableRawBufferPointer(start: start, count: position - start))
            rest.position = varint(value, position, start)
            rest.claim(1).storeBytes(of: tag, as: UInt8.self)
            return rest.position
        }
        let word = spread(value, count) &<< 8 | UInt64(tag)
        let shifted = word &<< UInt64(truncatingIfNeeded: 56 &- 8 &* count)
        (position - 8).storeBytes(of: shifted.littleEndian, as: UInt64.self)
        return position - (count &+ 1)
    }

    /// `value` as the `count` bytes, at most eight, of a varint.
    @inlinable @inline(__always)
    static func spread(_ value: UInt64, _ count: Int) -> UInt64 {
        var word = value & 0xFFF_FFFF | (value &<< 4) & 0x0FFF_FFFF_0000_0000
        word = word & 0x3FFF_0000_3FFF | (word &<< 2) & 0x3FFF_0000_3FFF_0000
        word = word & 0x007F_007F_007F_007F | (word &<< 1) & 0x7F00_7F00_7F00_7F00
        return word | 0x8080_8080_8080_8080 & ((1 &<< UInt64(truncatingIfNeeded: 8 &* (count &- 1))) &- 1)
    }

    /// Nine and ten bytes, and the first bytes of a message, which have no room for a word.
    @usableFromInline
    static func varintBytes(
        _ value: UInt64, _ count: Int, _ position: UnsafeMutableRawPointer, _ start: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        var writer = WireWriter(UnsafeMutableRawBufferPointer(start: start, count: position - start))
        let memory = writer.claim(count)
        var rest = value
        for offset in 0..<(count &- 1) {
            memory.storeBytes(
                of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: offset, as: UInt8.self)
            rest &>>= 7
        }
        memory.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: count &- 1, as: UInt8.self)
        return memory
    }

    /// `memcpy` without the call for up to 64 bytes, as most strings have: a load at either end, or two, which may
    /// overlap.
    @inlinable @inline(__always)
    static func copy(_ count: Int, from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
        typealias Words = SIMD2<UInt64>
        if count > 64 {
            target.copyMemory(from: source, byteCount: count)
        } else if count > 32 {
            let (first, second) = (load(source, 0, Words.self), load(source, 16, Words.self))
            let (third, last) = (load(source, count &- 32, Words.self), load(source, count &- 16, Words.self))
            target.storeBytes(of: first, as: Words.self)
            target.storeBytes(of: second, toByteOffset: 16, as: Words.self)
            target.storeBytes(of: third, toByteOffset: count &- 32, as: Words.self)
            target.storeBytes(of: last, toByteOffset: count &- 16, as: Words.self)
        } else if count > 16 {
            copyEnds(Words.self, count, source, target)
        } else if count >= 8 {
            copyEnds(UInt64.self, count, source, target)
        } else if count >= 4 {
            copyEnds(UInt32.self, count, source, target)
        } else if count > 0 {
            let middle = load(source, count &>> 1, UInt8.self)
            copyEnds(UInt8.self, count, source, target)
            target.storeBytes(of: middle, toByteOffset: count &>> 1, as: UInt8.self)
        }
    }

    /// `count` bytes, as many as a word or up to twice that.
    @inlinable @inline(__always)
    static func copyEnds<Word: BitwiseCopyable>(
        _ word: Word.Type, _ count: Int, _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer
    ) {
        let last = count &- MemoryLayout<Word>.size
        let (head, tail) = (load(source, 0, word), load(source, last, word))
        target.storeBytes(of: head, as: word)
        target.storeBytes(of: tail, toByteOffset: last, as: word)
    }

    @inlinable @inline(__always)
    static func load<Word: BitwiseCopyable>(_ source: UnsafeRawPointer, _ offset: Int, _ word: Word.Type) -> Word {
        source.loadUnaligned(fromByteOffset: offset, as: word)
    }

    /// Inlined always: the field is a constant, and most tags are then one store.
    @inlinable @inline(__always)
    mutating func writeTag(_ field: Int, _ wireType: UInt32) {
        writeVarint(UInt64(truncatingIfNeeded: field) &<< 3 | UInt64(wireType))
    }

    @inlinable @inline(__always)
    mutating func writeFixed<Bits: FixedWidthInteger & BitwiseCopyable>(_ value: Bits) {
        claim(MemoryLayout<Bits>.size).storeBytes(of: value.littleEndian, as: Bits.self)
    }

    @inlinable
    mutating func writeBytes(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        claim(bytes.count).copyMemory(from: source, byteCount: bytes.count)
    }

    /// Writes fields kept from decoding, byte for byte.
    @inlinable @inline(__always)
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
