extension Message {
    /// One line for people: `package.Name {field: value ...}`. Fields marked `debug_redact` show as
    /// `[redacted]`.
    public var debugDescription: String {
        var text = ""
        write(to: &text)
        return text
    }

    public func write<Target: TextOutputStream>(to target: inout Target) {
        let bytes = serializedBytes(deterministic: true)
        target.write("\(Self.schema.name) ")
        bytes.withUnsafeBytes { memory in
            var printer = MessagePrinter(text: "")
            printer.message(memory, Self.schema)
            target.write(printer.text)
        }
    }

    /// `dump` sees what ``debugDescription`` shows, nothing more.
    public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}

/// Prints serialised messages by their schema. Reads what this library wrote, so errors only end the text
/// early.
private struct MessagePrinter {
    var text: String

    mutating func message(_ bytes: UnsafeRawBufferPointer, _ schema: MessageSchema) {
        var reader = WireReader(bytes)
        var separator = ""
        text += "{"
        while let tag = try? reader.nextTag() {
            text += separator
            separator = " "
            guard let field = schema.field(number: Int(tag >> 3)) else {
                text += "\(tag >> 3): unknown"
                guard (try? reader.skip(tag)) != nil else { break }
                continue
            }
            text += "\(field.name): "
            if field.isRedacted {
                text += "[redacted]"
                guard (try? reader.skip(tag)) != nil else { break }
            } else if field.cardinality == .packed, tag & 7 == WireType.lengthDelimited {
                guard let values = try? reader.readLengthDelimited() else { break }
                packed(values, field.kind)
            } else {
                guard (try? value(&reader, field.kind, tag)) != nil else { break }
            }
        }
        text += "}"
    }

    private mutating func packed(_ bytes: UnsafeRawBufferPointer, _ kind: FieldKind) {
        var reader = WireReader(bytes)
        var separator = ""
        text += "["
        while reader.bytesLeft > 0 {
            text += separator
            separator = " "
            guard (try? value(&reader, kind, kind.wireType)) != nil else { break }
        }
        text += "]"
    }

    private mutating func value(
        _ reader: inout WireReader, _ kind: FieldKind, _ tag: UInt32
    ) throws(WireError) {
        guard tag & 7 == kind.wireType else {
            text += "unknown"
            return try reader.skip(tag)
        }
        switch kind {
        case .int32: text += "\(try Int32Field.read(&reader))"
        case .int64: text += "\(try Int64Field.read(&reader))"
        case .uint32: text += "\(try UInt32Field.read(&reader))"
        case .uint64: text += "\(try UInt64Field.read(&reader))"
        case .sint32: text += "\(try SInt32Field.read(&reader))"
        case .sint64: text += "\(try SInt64Field.read(&reader))"
        case .fixed32: text += "\(try Fixed32Field.read(&reader))"
        case .fixed64: text += "\(try Fixed64Field.read(&reader))"
        case .sfixed32: text += "\(try SFixed32Field.read(&reader))"
        case .sfixed64: text += "\(try SFixed64Field.read(&reader))"
        case .float: text += "\(try FloatField.read(&reader))"
        case .double: text += "\(try DoubleField.read(&reader))"
        case .bool: text += "\(try BoolField.read(&reader))"
        case .string: text += String(reflecting: try StringField.read(&reader))
        case .bytes: text += "<\(try reader.readLengthDelimited().count) bytes>"
        case .enumeration(let type):
            let number = try Int32Field.read(&reader)
            text += type.schema.name(of: number) ?? String(number)
        case .message(let type): message(try reader.readLengthDelimited(), type.schema)
        case .map(let key, let value): try entry(try reader.readLengthDelimited(), key, value)
        }
    }

    private mutating func entry(
        _ bytes: UnsafeRawBufferPointer, _ key: FieldKind, _ value: FieldKind
    ) throws(WireError) {
        var reader = WireReader(bytes)
        while let tag = try reader.nextTag() {
            if tag >> 3 == 1 {
                try self.value(&reader, key, tag)
                text += " = "
            } else {
                try self.value(&reader, value, tag)
            }
        }
    }
}
