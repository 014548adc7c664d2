/// What decoding a message would check, as tables: one row for each message type that can occur, one entry for
/// each tag of one byte; longer tags are in dictionaries.
final class WireChecks: Sendable {
    enum Action: UInt8 {
        case unknown, varint, fixed32, fixed64, string, bytes, message
        case packedVarints, packedFixed32, packedFixed64
    }

    struct Entry {
        var action = Action.unknown
        /// Row of the nested message.
        var row: UInt16 = 0
        /// What ``WireLimits/maximumElementByteCount`` counts for an element; 0 for single values.
        var elementByteCount: UInt32 = 0
    }

    static let shortTags = 128
    /// One entry for every value of a tag's first byte; those of longer tags say `unknown`.
    static let rowLength = 256
    private let entries: [Entry]
    private let longTags: [[UInt32: Entry]]

    init(_ root: MessageSchema) {
        var builder = Builder()
        _ = builder.row(of: root)
        while let (row, schema) = builder.open.popLast() { builder.fill(row, schema) }
        entries = builder.entries
        longTags = builder.longTags
    }

    func check(_ reader: inout WireReader) throws(WireError) {
        let result = entries.withUnsafeBufferPointer { entries in
            Result { () throws(WireError) in
                guard let base = entries.baseAddress else { return }
                try check(&reader, row: 0, base, end: reader.limit)
            }
        }
        try result.get()
    }

    /// Checks one message up to the reader's limit. Recurses no deeper than ``WireLimits/maximumDepth``.
    ///
    /// Fields with a tag of one byte and a length of at most two are checked here, the position in a register.
    /// Whatever else comes, errors too, is left to ``checkField(_:_:_:_:)``, which starts at the field's tag.
    /// - Parameter end: of the outermost message. Looking up to there, beyond the limit, is safe, and nearly every
    ///   field can then be looked at as one word; what was found must still lie before the limit.
    private func check(
        _ reader: inout WireReader, row: Int, _ entries: UnsafePointer<Entry>, end: UnsafeRawPointer
    ) throws(WireError) {
        let rowEntries = entries + row &* Self.rowLength
        let limit = reader.limit
        var position = reader.position
        var elementBytesLeft = reader.elementBytesLeft
        while position < limit {
            let entry = rowEntries[Int(position.load(as: UInt8.self))]
            let nextElementBytesLeft = elementBytesLeft &- Int(entry.elementByteCount)
            // With nine bytes left, tag and length or tag and most varints can be read without asking again.
            if end - position > 8, nextElementBytesLeft >= 0 {
                let first = Int(position.load(fromByteOffset: 1, as: UInt8.self))
                switch entry.action {
                case .varint:
                    var next = position + 2
                    if first >= 0x80 {
                        let word = UInt64(littleEndian: (position + 1).loadUnaligned(as: UInt64.self))
                        let ends = ~word & 0x8080_8080_8080_8080
                        guard ends != 0 else { break }
                        next += ends.trailingZeroBitCount &>> 3
                    }
                    guard next <= limit else { break }
                    (position, elementBytesLeft) = (next, nextElementBytesLeft)
                    continue
                case .fixed32, .fixed64:
                    let next = position + (entry.action == .fixed32 ? 5 : 9)
                    guard next <= limit else { break }
                    (position, elementBytesLeft) = (next, nextElementBytesLeft)
                    continue
                case .string, .bytes, .message:
                    var (length, value) = (first, position + 2)
                    if first >= 0x80 {
                        let second = Int(value.load(as: UInt8.self))
                        guard second < 0x80 else { break }
                        length = first & 0x7F | second &<< 7
                        value += 1
                    }
                    guard length <= limit - value else { break }
                    if entry.action == .message {
                        guard reader.depthLeft > 0 else { break }
                        reader.elementBytesLeft = nextElementBytesLeft
                        (reader.position, reader.limit) = (value, value + length)
                        reader.depthLeft &-= 1
                        try check(&reader, row: Int(entry.row), entries, end: end)
                        reader.leaveMessage(limit)
                        elementBytesLeft = reader.elementBytesLeft
                    } else {
                        let bytes = UnsafeRawBufferPointer(start: value, count: length)
                        guard entry.action == .bytes || UTF8Validation.isValid(bytes) else { break }
                        elementBytesLeft = nextElementBytesLeft
                    }
                    position = value + length
                    continue
                default: break
                }
            }
            (reader.position, reader.elementBytesLeft) = (position, elementBytesLeft)
            try checkField(&reader, row, entries, end)
            (position, elementBytesLeft) = (reader.position, reader.elementBytesLeft)
        }
        (reader.position, reader.elementBytesLeft) = (position, elementBytesLeft)
    }

    /// Checks one field of any kind. Apart from the loop above, whose registers it would take.
    @inline(never)
    private func checkField(
        _ reader: inout WireReader, _ row: Int, _ entries: UnsafePointer<Entry>, _ end: UnsafeRawPointer
    ) throws(WireError) {
        guard let tag = try reader.nextTag() else { return }
        let isShort = tag < UInt32(Self.shortTags)
        let entry = isShort ? entries[row &* Self.rowLength &+ Int(tag)] : longTags[row][tag] ?? Entry()
        if entry.elementByteCount != 0, entry.action.rawValue < Action.packedVarints.rawValue {
            try reader.chargeElement(Int(entry.elementByteCount))
        }
        switch entry.action {
        case .varint: try reader.skipVarint()
        case .string:
            let bytes = try reader.readLengthDelimited()
            guard UTF8Validation.isValid(bytes) else { throw reader.error(.invalidUTF8) }
        case .message:
            let outer = try reader.enterMessage()
            try check(&reader, row: Int(entry.row), entries, end: end)
            reader.leaveMessage(outer)
        case .bytes: _ = try reader.readLengthDelimited()
        case .fixed32: try reader.skipBytes(4)
        case .fixed64: try reader.skipBytes(8)
        case .packedVarints, .packedFixed32, .packedFixed64: try checkPacked(&reader, entry)
        case .unknown: try reader.skip(tag)
        }
    }

    private func checkPacked(_ reader: inout WireReader, _ entry: Entry) throws(WireError) {
        let length = try reader.readVarint()
        guard length <= UInt64(UInt(bitPattern: reader.bytesLeft)) else { throw reader.error(.truncated) }
        let outer = reader.limit
        reader.limit = reader.position + Int(truncatingIfNeeded: length)
        while reader.position < reader.limit {
            try reader.chargeElement(Int(entry.elementByteCount))
            switch entry.action {
            case .packedFixed32: try reader.skipBytes(4)
            case .packedFixed64: try reader.skipBytes(8)
            default: try reader.skipVarint()
            }
        }
        reader.limit = outer
    }
}

extension WireChecks {
    private struct Builder {
        var entries: [Entry] = []
        var longTags: [[UInt32: Entry]] = []
        /// Rows still to be filled.
        var open: [(row: Int, schema: MessageSchema)] = []
        private var rows: [ObjectIdentifier: Int] = [:]

        mutating func row(of schema: MessageSchema) -> Int {
            if let row = rows[ObjectIdentifier(schema)] { return row }
            let row = newRow()
            rows[ObjectIdentifier(schema)] = row
            open.append((row, schema))
            return row
        }

        private mutating func newRow() -> Int {
            entries.append(contentsOf: repeatElement(Entry(), count: WireChecks.rowLength))
            longTags.append([:])
            return longTags.count - 1
        }

        mutating func fill(_ row: Int, _ schema: MessageSchema) {
            for field in schema.fields { set(row, field.number, field.kind, field.elementByteCount) }
        }

        private mutating func set(_ row: Int, _ number: Int, _ kind: FieldKind, _ elementByteCount: Int) {
            let tag = UInt32(truncatingIfNeeded: number) << 3
            var entry = Entry(elementByteCount: UInt32(clamping: elementByteCount))
            let packed: Action?
            switch kind {
            case .string: (entry.action, packed) = (.string, nil)
            case .bytes: (entry.action, packed) = (.bytes, nil)
            case .message(let type):
                (entry.action, packed) = (.message, nil)
                entry.row = UInt16(clamping: self.row(of: type.schema))
            case .map(let key, let value):
                (entry.action, packed) = (.message, nil)
                let row = newRow()
                entry.row = UInt16(clamping: row)
                set(row, 1, key, 0)
                set(row, 2, value, 0)
            case .fixed32, .sfixed32, .float: (entry.action, packed) = (.fixed32, .packedFixed32)
            case .fixed64, .sfixed64, .double: (entry.action, packed) = (.fixed64, .packedFixed64)
            default: (entry.action, packed) = (.varint, .packedVarints)
            }
            put(row, tag | kind.wireType, entry)
            if let packed, elementByteCount > 0 {
                entry.action = packed
                put(row, tag | WireType.lengthDelimited, entry)
            }
        }

        private mutating func put(_ row: Int, _ tag: UInt32, _ entry: Entry) {
            if tag < UInt32(WireChecks.shortTags) {
                entries[row * WireChecks.rowLength + Int(tag)] = entry
            } else {
                longTags[row][tag] = entry
            }
        }
    }
}
