#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension UnsafeRawBufferPointer {
    /// Byte for byte equality with a text known at compile time.
    package func elementsAre(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        guard let baseAddress else { return true }
        return memcmp(baseAddress, text.utf8Start, count) == 0
    }

    /// Byte for byte equality of two regions.
    func elementsAre(_ other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        guard count > 0, let left = baseAddress, let right = other.baseAddress else { return true }
        return memcmp(left, right, count) == 0
    }

    /// Equality ignoring the case of ASCII letters; `text` must be lower-case.
    func elementsAreIgnoringCase(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for index in 0..<count where ASCII.lowercased(self[index]) != text.utf8Start[index] { return false }
        return true
    }

    /// Whether no byte is marked: `marks` sets bit 7 of the bytes, eight at a time, that are looked for.
    @inline(__always)
    private func hasNone(marks: (UInt64) -> UInt64) -> Bool {
        guard count >= 8 else {
            var word: UInt64 = 0x2F2F_2F2F_2F2F_2F2F
            for index in 0..<count { word = word &<< 8 | UInt64(self[index]) }
            return marks(word) & UInt64.bits7 == 0
        }
        // The last ones first, some of them perhaps twice.
        var found = marks(loadUnaligned(fromByteOffset: count - 8, as: UInt64.self))
        var index = 0
        while index < count - 8 {
            found |= marks(loadUnaligned(fromByteOffset: index, as: UInt64.self))
            index += 8
        }
        return found & UInt64.bits7 == 0
    }

    /// Whether there is a byte below 0x20.
    var hasControls: Bool { !hasNone { $0.bytes(below: 0x20) } }

    /// Whether these are bytes of a field value: ``ASCII/isFieldValue(_:)``. Tabs are rare.
    var isFieldValue: Bool {
        hasNone { $0.bytes(below: 0x20) | $0.bytes(0x7F) } || allSatisfy(ASCII.isFieldValue)
    }

    /// Whether these are visible ASCII characters, and none of them begins a fragment.
    var isPathText: Bool {
        hasNone { $0.bytes(below: 0x21) | $0.bytes(0x23) | $0.bytes(0x7F) | $0 }
    }

    /// The region without spaces and tabs at either end (RFC 9110 "OWS").
    var withoutOuterWhitespace: UnsafeRawBufferPointer {
        var start = 0
        var end = count
        while start < end, ASCII.isBlank(self[start]) { start += 1 }
        while end > start, ASCII.isBlank(self[end - 1]) { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: self[start..<end])
    }
}

extension UInt64 {
    fileprivate static var bits7: UInt64 { 0x8080_8080_8080_8080 }

    /// Bit 7 of bytes below a limit of at most 0x80: taking the limit from each of them sets it where it was not. Of
    /// what is above the lowest such byte nothing is said, because that has borrowed from it.
    @inline(__always)
    fileprivate func bytes(below limit: UInt8) -> UInt64 {
        (self &- 0x0101_0101_0101_0101 &* UInt64(limit)) & ~self & Self.bits7
    }

    @inline(__always)
    fileprivate func bytes(_ byte: UInt8) -> UInt64 { (self ^ (0x0101_0101_0101_0101 &* UInt64(byte))).bytes(below: 1) }
}

/// Classes of ASCII bytes used by HTTP grammars.
enum ASCII {
    static let carriageReturn: UInt8 = 0x0D
    static let lineFeed: UInt8 = 0x0A
    static let space: UInt8 = 0x20
    static let tab: UInt8 = 0x09
    static let colon: UInt8 = 0x3A
    static let semicolon: UInt8 = 0x3B
    static let slash: UInt8 = 0x2F

    static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }
    static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    static func lowercased(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte }

    /// RFC 9110 section 5.6.2 `tchar`.
    static func isToken(_ byte: UInt8) -> Bool {
        if byte >= 0x61 && byte <= 0x7A || byte >= 0x41 && byte <= 0x5A || isDigit(byte) { return true }
        switch byte {
        case 0x21, 0x23, 0x24, 0x25, 0x26, 0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E, 0x5F, 0x60, 0x7C, 0x7E:
            return true
        default: return false
        }
    }

    /// RFC 9110 section 5.5: a field value holds visible bytes, space, tab and bytes above 0x7F; no control
    /// bytes.
    static func isFieldValue(_ byte: UInt8) -> Bool { byte >= 0x20 && byte != 0x7F || byte == tab }

    static func hexadecimalValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
