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

    static let rowLength = 128
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
                try check(&reader, row: 0, base)
            }
        }
        try result.get()
    }

    /// Checks one message up to the reader's limit. Recurses no deeper than ``WireLimits/maximumDepth``.
    private func check(_ reader: inout WireReader, row: Int, _ entries: UnsafePointer<Entry>) throws(WireError) {
        let rowEntries = entries + row &* Self.rowLength
        while let tag = try reader.nextTag() {
            let entry = tag < UInt32(Self.rowLength) ? rowEntries[Int(tag)] : longTags[row][tag] ?? Entry()
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
                try check(&reader, row: Int(entry.row), entries)
                reader.leaveMessage(outer)
            case .bytes: _ = try reader.readLengthDelimited()
            case .fixed32: _ = try reader.readFixed32()
            case .fixed64: _ = try reader.readFixed64()
            case .packedVarints, .packedFixed32, .packedFixed64: try checkPacked(&reader, entry)
            case .unknown: try reader.skip(tag)
            }
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
            case .packedFixed32: _ = try reader.readFixed32()
            case .packedFixed64: _ = try reader.readFixed64()
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
            if tag < UInt32(WireChecks.rowLength) {
                entries[row * WireChecks.rowLength + Int(tag)] = entry
            } else {
                longTags[row][tag] = entry
            }
        }
    }
}
