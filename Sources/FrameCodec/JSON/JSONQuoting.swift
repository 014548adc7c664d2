extension GrowingBytes {
    /// `"text"` with what JSON wants escaped; runs that need no escape are copied whole.
    mutating func append(quoted text: UnsafeRawBufferPointer) {
        append(UInt8(ascii: "\""))
        var rest = text
        while true {
            let count = Self.plainPrefix(rest)
            append(UnsafeRawBufferPointer(rebasing: rest[..<count]))
            guard count < rest.count else { break }
            append(escaped: rest[count])
            rest = UnsafeRawBufferPointer(rebasing: rest[(count + 1)...])
        }
        append(UInt8(ascii: "\""))
    }

    /// Length of the longest run at the front that needs no escape.
    private static func plainPrefix(_ text: UnsafeRawBufferPointer) -> Int {
        guard let base = text.baseAddress else { return 0 }
        var index = 0
        while text.count &- index >= 8 {
            guard !JSONText.hasSpecial(base.loadUnaligned(fromByteOffset: index, as: UInt64.self)) else { break }
            index &+= 8
        }
        while index < text.count, !needsEscape(text[index]) { index &+= 1 }
        return index
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == 0x7F
    }

    private mutating func append(escaped byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append("\\\"" as StaticString)
        case UInt8(ascii: "\\"): append("\\\\" as StaticString)
        case 0x0A: append("\\n" as StaticString)
        case 0x0D: append("\\r" as StaticString)
        case 0x09: append("\\t" as StaticString)
        case 0x08: append("\\b" as StaticString)
        case 0x0C: append("\\f" as StaticString)
        default:
            append("\\u00" as StaticString)
            for digit in [byte >> 4, byte & 15] {
                append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        }
    }
}
