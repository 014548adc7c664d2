/// git's C-style quoting of path names in line-based output: `"a\tb\303\251"`.
enum QuotedPath {
    /// The path's bytes. A name that is not quoted, or is quoted wrongly, is taken as it stands.
    static func decode(_ field: ArraySlice<UInt8>) -> [UInt8] {
        let quote = UInt8(ascii: "\"")
        guard field.count >= 2, field.first == quote, field.last == quote else { return Array(field) }
        var result: [UInt8] = []
        var rest = field.dropFirst().dropLast()
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                continue
            }
            guard let decoded = escape(&rest) else { return Array(field) }
            result.append(decoded)
        }
        return result
    }

    private static func escape(_ rest: inout ArraySlice<UInt8>) -> UInt8? {
        guard let byte = rest.popFirst() else { return nil }
        switch byte {
        case UInt8(ascii: "a"): return 0x07
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "v"): return 0x0B
        case UInt8(ascii: "f"): return 0x0C
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): return byte
        case UInt8(ascii: "0")...UInt8(ascii: "3"):
            guard let middle = octal(&rest), let last = octal(&rest) else { return nil }
            return (byte &- UInt8(ascii: "0")) << 6 | middle << 3 | last
        default: return nil
        }
    }

    private static func octal(_ rest: inout ArraySlice<UInt8>) -> UInt8? {
        guard let byte = rest.popFirst(), (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(byte) else { return nil }
        return byte &- UInt8(ascii: "0")
    }
}
