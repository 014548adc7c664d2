/// Serialised fields under construction, front to back, for data whose size is not known beforehand.
struct WireBuilder: ~Copyable {
    var bytes = GrowingBytes()

    var count: Int { bytes.count }

    mutating func varint(_ value: UInt64) {
        let memory = bytes.reserve(10)
        var rest = value
        var count = 0
        while rest >= 0x80 {
            memory.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: count, as: UInt8.self)
            rest &>>= 7
            count &+= 1
        }
        memory.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: count, as: UInt8.self)
        bytes.advance(count &+ 1)
    }

    mutating func tag(_ field: Int, _ wireType: UInt32) {
        varint(UInt64(truncatingIfNeeded: field) << 3 | UInt64(wireType))
    }

    mutating func fixed<Bits: FixedWidthInteger & BitwiseCopyable>(_ value: Bits) {
        bytes.reserve(MemoryLayout<Bits>.size).storeBytes(of: value.littleEndian, as: Bits.self)
        bytes.advance(MemoryLayout<Bits>.size)
    }

    mutating func lengthDelimited(_ value: UnsafeRawBufferPointer) {
        varint(UInt64(value.count))
        bytes.append(value)
    }

    mutating func lengthDelimited(_ value: [UInt8]) { value.withUnsafeBytes { lengthDelimited($0) } }

    mutating func lengthDelimited(_ value: JSONText) { value.withBytes { lengthDelimited($0) } }

    mutating func lengthDelimited(_ value: String) {
        var value = value
        value.withUTF8 { lengthDelimited(UnsafeRawBufferPointer($0)) }
    }

    /// Leaves room for a length below 128; the result is for ``endLength(_:)``.
    mutating func beginLength() -> Int {
        bytes.append(0)
        return bytes.count
    }

    /// Puts the length of everything after ``beginLength()`` in its place.
    mutating func endLength(_ start: Int) {
        let length = bytes.count &- start
        if length < 0x80 { return bytes.set(UInt8(truncatingIfNeeded: length), at: start &- 1) }
        var prefix: [UInt8] = []
        var rest = length >> 7
        while rest >= 0x80 {
            prefix.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        prefix.append(UInt8(truncatingIfNeeded: rest))
        bytes.set(UInt8(truncatingIfNeeded: length) | 0x80, at: start &- 1)
        bytes.insert(prefix, at: start)
    }
}
