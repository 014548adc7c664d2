/// The payload of a gRPC-Web trailer frame: lines of `name: value` that end in CRLF, without a blank line at
/// the end.
///
/// Source: gRPC "gRPC Web", rules W1 to W3.
public enum TrailerBlock {
    /// One trailer; the name in lower case, the value without surrounding white space.
    public typealias Field = (name: [UInt8], value: [UInt8])

    /// Largest block accepted by default, in bytes.
    public static let defaultMaximumByteCount = 8192
    /// Most lines accepted by default.
    public static let defaultMaximumFieldCount = 128

    /// Writes the block; `droppedFieldCount` grows by the number of fields left out.
    ///
    /// A field whose name is not an HTTP token, or whose value has a byte that a field value may not have
    /// (CR, LF and NUL would forge lines, rule W3), is left out and counted, never written.
    public static func encode(_ fields: [Field], droppedFieldCount: inout Int) -> [UInt8] {
        var block: [UInt8] = []
        block.reserveCapacity(fields.reduce(0) { $0 + $1.name.count + $1.value.count + 4 })
        for field in fields {
            guard isToken(field.name), field.value.allSatisfy(isValueByte) else {
                droppedFieldCount += 1
                continue
            }
            for byte in field.name { block.append(lowercase(byte)) }
            block.append(UInt8(ascii: ":"))
            block.append(UInt8(ascii: " "))
            block.append(contentsOf: field.value)
            block.append(carriageReturn)
            block.append(lineFeed)
        }
        return block
    }

    /// Writes the block without telling how many fields were invalid.
    public static func encode(_ fields: [Field]) -> [UInt8] {
        var dropped = 0
        return encode(fields, droppedFieldCount: &dropped)
    }

    /// Reads a block: names are lowered, white space around values is dropped, duplicates stay in order (rule
    /// W2).
    ///
    /// Tolerated: any case in names, no space after the colon, a last line without CRLF, one blank line at
    /// the end.
    /// - Throws: ``TrailerBlockError`` for anything else that is not the grammar, and for both limits.
    public static func decode(
        _ block: UnsafeRawBufferPointer,
        maximumByteCount: Int = defaultMaximumByteCount,
        maximumFieldCount: Int = defaultMaximumFieldCount
    ) throws(TrailerBlockError) -> [Field] {
        guard block.count <= maximumByteCount else {
            throw .blockTooLarge(byteCount: block.count, limit: maximumByteCount)
        }
        var fields: [Field] = []
        var start = 0
        while start < block.count {
            let end = try endOfLine(block, from: start)
            let next = end + 2
            if end == start, next >= block.count { break }
            guard fields.count < maximumFieldCount else { throw .tooManyFields(limit: maximumFieldCount) }
            fields.append(try field(UnsafeRawBufferPointer(rebasing: block[start..<end]), at: start))
            start = next
        }
        return fields
    }

    /// Reads a block from an array.
    public static func decode(
        _ block: [UInt8],
        maximumByteCount: Int = defaultMaximumByteCount,
        maximumFieldCount: Int = defaultMaximumFieldCount
    ) throws(TrailerBlockError) -> [Field] {
        try block.withBytes { bytes throws(TrailerBlockError) in
            try decode(bytes, maximumByteCount: maximumByteCount, maximumFieldCount: maximumFieldCount)
        }
    }

    /// Offset of the CR that ends the line, or the end of the block for a last line without CRLF.
    private static func endOfLine(_ block: UnsafeRawBufferPointer, from start: Int) throws(TrailerBlockError)
        -> Int
    {
        var index = start
        while index < block.count {
            if block[index] == carriageReturn {
                guard index + 1 < block.count, block[index + 1] == lineFeed else {
                    throw .invalidLine(offset: index)
                }
                return index
            }
            index += 1
        }
        return index
    }

    private static func field(_ line: UnsafeRawBufferPointer, at offset: Int) throws(TrailerBlockError)
        -> Field
    {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { throw .invalidLine(offset: offset) }
        let name = line[..<colon]
        guard isToken(name) else { throw .invalidLine(offset: offset) }
        var value = line[(colon + 1)...]
        while let first = value.first, isWhiteSpace(first) { value.removeFirst() }
        while let last = value.last, isWhiteSpace(last) { value.removeLast() }
        guard value.allSatisfy(isValueByte) else { throw .invalidLine(offset: offset) }
        return (name: name.map(lowercase), value: [UInt8](value))
    }

    private static let carriageReturn: UInt8 = 0x0D
    private static let lineFeed: UInt8 = 0x0A

    private static func isWhiteSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static func lowercase(_ byte: UInt8) -> UInt8 {
        (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }

    /// RFC 9110 section 5.6.2.
    private static func isToken(_ name: some Collection<UInt8>) -> Bool {
        !name.isEmpty
            && name.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                // ! # $ % & ' * + - . ^ _ ` | ~
                case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E: true
                default: false
                }
            }
    }

    /// RFC 9110 section 5.5: visible characters, space, tab and bytes above 0x7F.
    private static func isValueByte(_ byte: UInt8) -> Bool {
        byte == 0x09 || (byte >= 0x20 && byte != 0x7F)
    }
}

/// Why a received trailer block was refused.
public struct TrailerBlockError: Error, Sendable, Equatable, CustomStringConvertible {
    private enum Reason: Sendable, Equatable {
        case blockTooLarge(byteCount: Int, limit: Int)
        case tooManyFields(limit: Int)
        case invalidLine(offset: Int)
    }

    private let reason: Reason

    static func blockTooLarge(byteCount: Int, limit: Int) -> TrailerBlockError {
        TrailerBlockError(reason: .blockTooLarge(byteCount: byteCount, limit: limit))
    }
    static func tooManyFields(limit: Int) -> TrailerBlockError {
        TrailerBlockError(reason: .tooManyFields(limit: limit))
    }
    static func invalidLine(offset: Int) -> TrailerBlockError {
        TrailerBlockError(reason: .invalidLine(offset: offset))
    }

    /// True when a limit was exceeded, false when the grammar was broken.
    public var isLimit: Bool {
        if case .invalidLine = reason { false } else { true }
    }

    public var description: String {
        switch reason {
        case .blockTooLarge(let byteCount, let limit):
            "trailer block of \(byteCount) bytes is larger than the maximum trailer block size of "
                + "\(limit) bytes"
        case .tooManyFields(let limit):
            "trailer block has more than the maximum of \(limit) trailer fields"
        case .invalidLine(let offset):
            "trailer block has an invalid line at byte \(offset)"
        }
    }
}
