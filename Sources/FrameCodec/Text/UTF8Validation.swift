/// UTF-8 checks on bytes that are not a string yet.
@usableFromInline
enum UTF8Validation {
    /// True for well-formed UTF-8 (Unicode, table 3-7): no overlong forms, no surrogates, nothing above
    /// U+10FFFF.
    @inlinable
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        isASCII(bytes) || isValid(bytes, from: asciiPrefix(bytes))
    }

    /// Words that overlap at the end instead of single bytes.
    @inlinable
    static func isASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        let count = bytes.count
        if count >= 16 {
            typealias Words = SIMD2<UInt64>
            var bits = WireWriter.load(base, 0, Words.self) | WireWriter.load(base, count &- 16, Words.self)
            if count > 32 {
                bits |= WireWriter.load(base, 16, Words.self) | WireWriter.load(base, count &- 32, Words.self)
                var index = 32
                while index < count &- 32 {
                    bits |= WireWriter.load(base, index, Words.self)
                    index &+= 16
                }
            }
            return (bits.x | bits.y) & 0x8080_8080_8080_8080 == 0
        }
        if count >= 8 {
            let tail = base.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
            return (base.loadUnaligned(as: UInt64.self) | tail) & 0x8080_8080_8080_8080 == 0
        }
        if count >= 4 {
            let tail = base.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self)
            return (base.loadUnaligned(as: UInt32.self) | tail) & 0x8080_8080 == 0
        }
        guard count > 0 else { return true }
        let bits = base.load(as: UInt8.self) | base.load(fromByteOffset: count &>> 1, as: UInt8.self)
        return (bits | base.load(fromByteOffset: count &- 1, as: UInt8.self)) < 0x80
    }

    /// Length of the longest run of ASCII at the front, rounded down to what eight bytes at a time can tell.
    @inlinable
    static func asciiPrefix(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let base = bytes.baseAddress else { return 0 }
        let count = bytes.count
        var index = 0
        while index &+ 8 <= count {
            if base.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 {
                return index
            }
            index &+= 8
        }
        while index < count {
            if base.load(fromByteOffset: index, as: UInt8.self) >= 0x80 { return index }
            index &+= 1
        }
        return index
    }

    @usableFromInline
    static func isValid(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Bool {
        var index = start
        while index < bytes.count {
            let lead = bytes[index]
            index += 1
            if lead < 0x80 { continue }
            let following: Int
            var range: ClosedRange<UInt8> = 0x80...0xBF
            switch lead {
            case 0xC2...0xDF: following = 1
            case 0xE0: (following, range) = (2, 0xA0...0xBF)
            case 0xE1...0xEC, 0xEE...0xEF: following = 2
            case 0xED: (following, range) = (2, 0x80...0x9F)
            case 0xF0: (following, range) = (3, 0x90...0xBF)
            case 0xF1...0xF3: following = 3
            case 0xF4: (following, range) = (3, 0x80...0x8F)
            default: return false
            }
            guard bytes.count - index >= following, range.contains(bytes[index]) else { return false }
            for offset in 1..<max(following, 1) where bytes[index + offset] & 0xC0 != 0x80 { return false }
            index += following
        }
        return true
    }
}
