/// A cursor over a serialised message; never reads outside the memory it was given, whatever the bytes say.
///
/// Generated code calls ``nextTag()`` in a loop and hands each known tag to the ``FieldCodec`` of its kind.
/// Lengths narrow `limit`, so a nested message cannot reach beyond its own bytes. Source: protobuf
/// "Encoding".
public struct WireReader: ~Copyable {
    @usableFromInline var position: UnsafeRawPointer
    /// End of the message being read; nested messages narrow it.
    @usableFromInline var limit: UnsafeRawPointer
    @usableFromInline let start: UnsafeRawPointer
    @usableFromInline var depthLeft: Int
    @usableFromInline var elementBytesLeft: Int
    @usableFromInline let limits: WireLimits
    /// The tag whose value comes next; 0 when nobody has to read it any more.
    @usableFromInline var tag: UInt32 = 0

    /// The memory must outlive the reader.
    @inlinable
    public init(_ bytes: UnsafeRawBufferPointer, limits: WireLimits = WireLimits()) {
        // An empty buffer may have no address; the reader then never dereferences this one.
        let base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1).unsafelyUnwrapped
        start = base
        position = base
        limit = base + bytes.count
        depthLeft = limits.maximumDepth
        elementBytesLeft = limits.maximumElementByteCount
        self.limits = limits
    }

    /// Bytes read so far.
    @inlinable
    public var offset: Int { position - start }

    @inlinable
    var bytesLeft: Int { limit - position }

    @inlinable
    func error(_ reason: WireError.Reason) -> WireError { WireError(reason, offset: offset) }

    /// The next tag, `field number << 3 | wire type`; nil at the end of the message.
    @inlinable
    public mutating func nextTag() throws(WireError) -> UInt32? {
        guard position < limit else { return nil }
        let byte = position.load(as: UInt8.self)
        if byte < 0x80 {
            guard byte >= 8 else { throw error(.invalidTag) }
            position += 1
            return UInt32(byte)
        }
        return try nextLongTag()
    }

    @usableFromInline
    mutating func nextLongTag() throws(WireError) -> UInt32 {
        let tagStart = position
        let value = try readVarint()
        guard value <= UInt64(UInt32.max), value >= 8, position - tagStart <= 5 else {
            position = tagStart
            throw error(.invalidTag)
        }
        return UInt32(truncatingIfNeeded: value)
    }

    /// Reads up to ten bytes; a longer varint, or one whose tenth byte does not fit 64 bits, is an error.
    @inlinable
    public mutating func readVarint() throws(WireError) -> UInt64 {
        guard position < limit else { throw error(.truncated) }
        let byte = position.load(as: UInt8.self)
        if byte < 0x80 {
            position += 1
            return UInt64(byte)
        }
        return try readLongVarint()
    }

    @usableFromInline
    mutating func readLongVarint() throws(WireError) -> UInt64 {
        if bytesLeft >= 8 {
            var word = UInt64(littleEndian: position.loadUnaligned(as: UInt64.self))
            let ends = ~word & 0x8080_8080_8080_8080
            if ends != 0 {
                // Everything up to the byte without a continuation bit, its sevens moved together.
                word &= ends ^ (ends &- 1)
                word &= 0x7F7F_7F7F_7F7F_7F7F
                word = word & 0x007F_007F_007F_007F | (word & 0x7F00_7F00_7F00_7F00) &>> 1
                word = word & 0x3FFF_0000_3FFF | (word & 0x3FFF_0000_3FFF_0000) &>> 2
                word = word & 0xFFF_FFFF | (word & 0x0FFF_FFFF_0000_0000) &>> 4
                position += (ends.trailingZeroBitCount &>> 3) &+ 1
                return word
            }
        }
        var value: UInt64 = 0
        var shift: UInt64 = 0
        var next = position
        while next < limit {
            let byte = next.load(as: UInt8.self)
            next += 1
            value |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 {
                guard shift < 63 || byte <= 1 else { throw error(.malformedVarint) }
                position = next
                return value
            }
            shift &+= 7
            guard shift < 70 else { throw error(.malformedVarint) }
        }
        throw error(.truncated)
    }

    /// How many elements of the repeated field at hand follow one another, as far as that is quickly told and
    /// their limit allows: room to reserve. Small numbers are left to the array.
    @usableFromInline
    func elementCount(_ stride: Int) -> Int {
        var count = 0
        var next = position
        while limit - next > 2 {
            var length = Int(next.load(as: UInt8.self))
            next += 1
            if length >= 0x80 {
                let second = Int(next.load(as: UInt8.self))
                guard second < 0x80 else { break }
                length = length & 0x7F | second &<< 7
                next += 1
            }
            count &+= 1
            guard length < limit - next, UInt32((next + length).load(as: UInt8.self)) == tag else { break }
            next += length + 1
        }
        guard count > 2, count <= elementBytesLeft / max(stride, 1) else { return 0 }
        // Counted against the limit only when they are read; until then each level of nesting may hold so much.
        return min(count, (1 << 20) / max(stride, 1))
    }

    /// How many varints there are up to the limit, when there is nothing else.
    @usableFromInline
    var varintCount: Int {
        var count = 0
        for byte in UnsafeRawBufferPointer(start: position, count: bytesLeft) { count &+= byte < 0x80 ? 1 : 0 }
        return count
    }

    /// Moves over a varint that nobody wants to know.
    @inlinable
    mutating func skipVarint() throws(WireError) {
        guard bytesLeft >= 8 else { return _ = try readVarint() }
        let word = UInt64(littleEndian: position.loadUnaligned(as: UInt64.self))
        let ends = ~word & 0x8080_8080_8080_8080
        guard ends != 0 else { return _ = try readVarint() }
        position += (ends.trailingZeroBitCount &>> 3) &+ 1
    }

    /// Reads a little-endian number of its size.
    @inlinable
    mutating func readFixed<Bits: FixedWidthInteger & BitwiseCopyable>() throws(WireError) -> Bits {
        guard bytesLeft >= MemoryLayout<Bits>.size else { throw error(.truncated) }
        defer { position += MemoryLayout<Bits>.size }
        return Bits(littleEndian: position.loadUnaligned(as: Bits.self))
    }

    /// Moves over so many bytes.
    @inlinable
    mutating func skipBytes(_ count: Int) throws(WireError) {
        guard bytesLeft >= count else { throw error(.truncated) }
        position += count
    }

    /// Reads a length and returns that many bytes of the input, without copying them.
    @inlinable
    public mutating func readLengthDelimited() throws(WireError) -> UnsafeRawBufferPointer {
        let length = try readVarint()
        guard length <= UInt64(UInt(bitPattern: bytesLeft)) else { throw error(.truncated) }
        let bytes = UnsafeRawBufferPointer(start: position, count: Int(truncatingIfNeeded: length))
        position += bytes.count
        return bytes
    }

    /// Reads a length and narrows `limit` to it; returns the limit to give back to ``leaveMessage(_:)``.
    @inlinable
    mutating func enterMessage() throws(WireError) -> UnsafeRawPointer {
        let length = try readVarint()
        guard length <= UInt64(UInt(bitPattern: bytesLeft)) else { throw error(.truncated) }
        guard depthLeft > 0 else { throw error(.tooDeep(limit: limits.maximumDepth)) }
        depthLeft &-= 1
        let outer = limit
        limit = position + Int(truncatingIfNeeded: length)
        return outer
    }

    @inlinable
    mutating func leaveMessage(_ outer: UnsafeRawPointer) {
        depthLeft &+= 1
        limit = outer
    }

    /// Accounts for one element of a repeated or map field before it is stored.
    @inlinable
    mutating func chargeElement(_ byteCount: Int) throws(WireError) {
        elementBytesLeft &-= byteCount
        guard elementBytesLeft >= 0 else { throw error(.tooLarge(limit: limits.maximumElementByteCount)) }
    }
}

extension WireReader {
    /// Keeps a field that the message does not know, so that it is written back.
    @inline(never)
    public mutating func readUnknown(_ tag: UInt32, into fields: inout UnknownFields) throws(WireError) {
        let valueStart = position
        try skip(tag)
        fields.append(
            tag: tag, value: UnsafeRawBufferPointer(start: valueStart, count: position - valueStart))
    }

    /// Moves over the value of a field. Groups count against the depth limit; nothing recurses.
    @usableFromInline
    mutating func skip(_ tag: UInt32) throws(WireError) {
        guard tag & 7 == WireType.startGroup else { return try skipValue(tag) }
        var openGroups = [tag >> 3]
        while let group = openGroups.last {
            guard let inner = try nextTag() else { throw error(.truncated) }
            switch inner & 7 {
            case WireType.startGroup:
                openGroups.append(inner >> 3)
                guard openGroups.count <= depthLeft else { throw error(.tooDeep(limit: limits.maximumDepth)) }
            case WireType.endGroup:
                guard inner >> 3 == group else { throw error(.unexpectedEndGroup) }
                openGroups.removeLast()
            default:
                try skipValue(inner)
            }
        }
    }

    private mutating func skipValue(_ tag: UInt32) throws(WireError) {
        switch tag & 7 {
        case WireType.varint: _ = try readVarint()
        case WireType.fixed64: try skipBytes(8)
        case WireType.lengthDelimited: _ = try readLengthDelimited()
        case WireType.fixed32: try skipBytes(4)
        case WireType.endGroup: throw error(.unexpectedEndGroup)
        default: throw error(.invalidWireType)
        }
    }
}

/// The low three bits of a tag.
@usableFromInline
enum WireType {
    @inlinable static var varint: UInt32 { 0 }
    @inlinable static var fixed64: UInt32 { 1 }
    @inlinable static var lengthDelimited: UInt32 { 2 }
    @inlinable static var startGroup: UInt32 { 3 }
    @inlinable static var endGroup: UInt32 { 4 }
    @inlinable static var fixed32: UInt32 { 5 }
}
