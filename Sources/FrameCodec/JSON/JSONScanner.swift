/// Tokens of JSON text (RFC 8259), strictly: no comments, no trailing commas, no control characters in
/// strings.
struct JSONScanner {
    let bytes: UnsafeRawBufferPointer
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// The next byte that is not white space, without taking it; nil at the end.
    @inline(__always)
    mutating func peek() -> UInt8? {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position += 1
            case let byte: return byte
            }
        }
        return nil
    }

    /// Takes `character`, which is ASCII, when it comes next.
    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard let next = peek(), UInt32(next) == character.value else { return false }
        position += 1
        return true
    }

    mutating func expect(_ character: Unicode.Scalar) throws(JSONFault) {
        guard take(character) else { throw unexpected("'\(character)'") }
    }

    /// Takes `word` when it comes next: `true`, `false`, `null`.
    mutating func take(word: StaticString) -> Bool {
        guard peek() != nil, bytes.count - position >= word.utf8CodeUnitCount else { return false }
        for offset in 0..<word.utf8CodeUnitCount where bytes[position + offset] != word.utf8Start[offset] {
            return false
        }
        position += word.utf8CodeUnitCount
        return true
    }

    /// The fault of finding something else than `wanted`.
    mutating func unexpected(_ wanted: String) -> JSONFault {
        peek() == nil
            ? JSONFault("the text ends where \(wanted) was expected", at: position)
            : JSONFault("expected \(wanted)", at: position)
    }

    func fault(_ problem: String) -> JSONFault { JSONFault(problem, at: position) }

    mutating func rewind(to position: Int) { self.position = position }

    // MARK: - Strings

    mutating func string() throws(JSONFault) -> JSONText {
        guard take("\"") else { throw unexpected("a string") }
        let start = position
        var highBits: UInt64 = 0
        // Eight bytes at a time, as long as none of them is a quote, a backslash or a control character.
        if let base = bytes.baseAddress {
            while bytes.count &- position >= 8 {
                let word = base.loadUnaligned(fromByteOffset: position, as: UInt64.self)
                guard !JSONText.hasSpecial(word) else { break }
                highBits |= word
                position &+= 8
            }
        }
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                let raw = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
                position += 1
                guard highBits & 0x8080_8080_8080_8080 == 0 || UTF8Validation.isValid(raw) else {
                    throw JSONFault("the string is not UTF-8", at: start)
                }
                return JSONText(raw)
            case UInt8(ascii: "\\"): return JSONText(try escapedString(from: start))
            case 0..<0x20: throw fault("a control character in a string must be escaped")
            default:
                highBits |= UInt64(byte)
                position += 1
            }
        }
        throw fault("the text ends inside a string")
    }

    /// The rest of a string from its first backslash on.
    private mutating func escapedString(from start: Int) throws(JSONFault) -> [UInt8] {
        var text = [UInt8](bytes[start..<position])
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard text.withUnsafeBytes({ UTF8Validation.isValid($0) }) else {
                    throw JSONFault("the string is not UTF-8", at: start)
                }
                return text
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20:
                throw JSONFault("a control character in a string must be escaped", at: position - 1)
            default: text.append(byte)
            }
        }
        throw fault("the text ends inside a string")
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONFault) {
        guard position < bytes.count else { throw fault("the text ends inside a string") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: try unicodeEscape())
        default: throw JSONFault("unknown escape in a string", at: position - 1)
        }
    }

    /// `\uXXXX` after the `u`, with its low surrogate where there is a high one.
    private mutating func unicodeEscape() throws(JSONFault) -> [UInt8] {
        let start = position
        var value = try hexDigits()
        if (0xD800...0xDBFF).contains(value) {
            guard bytes.count - position >= 2, bytes[position] == UInt8(ascii: "\\"),
                bytes[position + 1] == UInt8(ascii: "u")
            else { throw JSONFault("unpaired surrogate in a string", at: start) }
            position += 2
            let low = try hexDigits()
            guard (0xDC00...0xDFFF).contains(low) else {
                throw JSONFault("unpaired surrogate in a string", at: start)
            }
            value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(value) else {
            throw JSONFault("unpaired surrogate in a string", at: start)
        }
        return [UInt8](String(Character(scalar)).utf8)
    }

    private mutating func hexDigits() throws(JSONFault) -> UInt32 {
        guard bytes.count - position >= 4 else { throw fault("the text ends inside a string") }
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue, bytes[position] < 0x80
            else {
                throw fault("\\u needs four hexadecimal digits")
            }
            value = value << 4 | UInt32(truncatingIfNeeded: digit)
            position += 1
        }
        return value
    }

    // MARK: - Numbers and whole values

    /// The text of a number.
    mutating func number() throws(JSONFault) -> UnsafeRawBufferPointer {
        guard peek() != nil else { throw unexpected("a number") }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
        guard let count = JSONNumber.prefix(rest) else { throw unexpected("a number") }
        position += count
        return UnsafeRawBufferPointer(rebasing: rest[..<count])
    }

    /// Moves over one value of any kind, checking its grammar.
    mutating func skipValue(depthLeft: Int) throws(JSONFault) {
        switch peek() {
        case UInt8(ascii: "{")?, UInt8(ascii: "[")?:
            guard depthLeft > 0 else { throw fault("nested too deeply (JSONDecodingOptions.maximumDepth)") }
            let isObject = take("{")
            if !isObject { try expect("[") }
            let close: Unicode.Scalar = isObject ? "}" : "]"
            if take(close) { return }
            repeat {
                if isObject {
                    _ = try string()
                    try expect(":")
                }
                try skipValue(depthLeft: depthLeft - 1)
            } while take(",")
            try expect(close)
        case UInt8(ascii: "\"")?: _ = try string()
        case UInt8(ascii: "t")? where take(word: "true"): break
        case UInt8(ascii: "f")? where take(word: "false"): break
        case UInt8(ascii: "n")? where take(word: "null"): break
        default: _ = try number()
        }
    }
}

/// A string of JSON text, checked to be UTF-8: where it lies in the input, or apart from it when it has escapes.
/// Must not outlive the input.
struct JSONText {
    private let raw: UnsafeRawBufferPointer
    private let unescaped: [UInt8]?

    init(_ raw: UnsafeRawBufferPointer) {
        self.raw = raw
        unescaped = nil
    }

    init(_ unescaped: [UInt8]) {
        raw = UnsafeRawBufferPointer(start: nil, count: 0)
        self.unescaped = unescaped
    }

    @inline(__always)
    func withBytes<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        guard let unescaped else { return body(raw) }
        return unescaped.withUnsafeBytes(body)
    }

    var string: String { withBytes { String(decoding: $0, as: UTF8.self) } }

    static func == (text: JSONText, other: StaticString) -> Bool {
        text.withBytes { bytes in
            bytes.elementsEqual(UnsafeRawBufferPointer(start: other.utf8Start, count: other.utf8CodeUnitCount))
        }
    }

    /// Whether one of the eight bytes is a control character, a quote, a backslash or DEL: what a JSON string does
    /// not have as it is, and DEL, which is written escaped.
    @inline(__always)
    static func hasSpecial(_ word: UInt64) -> Bool {
        // (x - 1) & ~x & 0x80 marks zero bytes, and may mark more behind the first one.
        let quote = word ^ 0x2222_2222_2222_2222
        let backslash = word ^ 0x5C5C_5C5C_5C5C_5C5C
        let delete = word ^ 0x7F7F_7F7F_7F7F_7F7F
        let low = 0x0101_0101_0101_0101 as UInt64
        let zeros = (quote &- low) & ~quote | (backslash &- low) & ~backslash | (delete &- low) & ~delete
        let controls = (word &- 0x2020_2020_2020_2020) & ~word
        return (zeros | controls) & 0x8080_8080_8080_8080 != 0
    }
}
