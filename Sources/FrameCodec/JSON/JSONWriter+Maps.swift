/// Members of an object in the order of their keys.
extension JSONWriter {
    mutating func map(
        _ key: FieldKind, _ value: FieldKind, _ tag: UInt32, _ reader: inout WireReader
    ) throws(JSONFault) {
        var entries: [MapEntry] = []
        repeat {
            let bytes = try lengthDelimited(&reader)
            entries.append(MapEntry(bytes: bytes, order: try order(key, bytes)))
        } while reader.take(tag)
        entries.sort()
        var isEmpty = true
        open("{")
        for entry in entries {
            var entry = WireReader(entry.bytes)
            next(isFirst: &isEmpty)
            // Entries are written by this library: key and value, both present, in this order.
            guard let keyTag = try nextTag(&entry) else { throw JSONFault("map entry without a key") }
            try mapKey(key, keyTag, &entry)
            guard let valueTag = try nextTag(&entry) else { throw JSONFault("map entry without a value") }
            try self.value(value, valueTag, &entry)
        }
        close("}", isEmpty: false)
    }

    private mutating func mapKey(
        _ kind: FieldKind, _ tag: UInt32, _ entry: inout WireReader
    ) throws(JSONFault) {
        switch kind {
        case .string, .int64, .uint64, .sint64, .fixed64, .sfixed64: try value(kind, tag, &entry)
        default:
            output.append(UInt8(ascii: "\""))
            try value(kind, tag, &entry)
            output.append(UInt8(ascii: "\""))
        }
        colon()
    }

    mutating func structure(_ bytes: UnsafeRawBufferPointer) throws(JSONFault) {
        var entries: [MapEntry] = []
        var reader = WireReader(bytes)
        while let tag = try nextTag(&reader) {
            guard tag == 10 else {
                try skip(tag, &reader)
                continue
            }
            let bytes = try lengthDelimited(&reader)
            entries.append(MapEntry(bytes: bytes, order: try order(.string, bytes)))
        }
        entries.sort()
        var isEmpty = true
        open("{")
        for entry in entries {
            var entry = WireReader(entry.bytes)
            next(isFirst: &isEmpty)
            while let entryTag = try nextTag(&entry) {
                let part = try lengthDelimited(&entry)
                if entryTag == 10 {
                    quoted(part)
                    colon()
                } else {
                    try dynamicValue(part)
                }
            }
        }
        close("}", isEmpty: isEmpty)
    }

    private func order(_ kind: FieldKind, _ entry: UnsafeRawBufferPointer) throws(JSONFault) -> MapEntry.Order {
        var reader = WireReader(entry)
        _ = try nextTag(&reader)
        func signed(_ value: Int64) -> MapEntry.Order { .number(UInt64(bitPattern: value) ^ 1 << 63) }
        switch kind {
        case .string: return .text(try lengthDelimited(&reader))
        case .sint32, .sint64: return signed(try read(SInt64Field.self, &reader))
        case .int32, .int64: return signed(try read(Int64Field.self, &reader))
        case .sfixed32: return signed(Int64(try read(SFixed32Field.self, &reader)))
        case .sfixed64: return signed(try read(SFixed64Field.self, &reader))
        case .fixed32: return .number(UInt64(try read(Fixed32Field.self, &reader)))
        case .fixed64: return .number(try read(Fixed64Field.self, &reader))
        default: return .number(try read(UInt64Field.self, &reader))
        }
    }
}

/// Sorted when JSON is written and not when the message is: what lies in its bytes needs no reference counting.
private struct MapEntry: Comparable {
    let bytes: UnsafeRawBufferPointer
    let order: Order

    /// A number for keys that are numbers.
    enum Order {
        case number(UInt64)
        case text(UnsafeRawBufferPointer)
    }

    static func < (lhs: MapEntry, rhs: MapEntry) -> Bool {
        switch (lhs.order, rhs.order) {
        case (.number(let left), .number(let right)): left < right
        case (.text(let left), .text(let right)): StringField.isOrderedBefore(left, right)
        default: false
        }
    }

    static func == (lhs: MapEntry, rhs: MapEntry) -> Bool { !(lhs < rhs) && !(rhs < lhs) }
}
