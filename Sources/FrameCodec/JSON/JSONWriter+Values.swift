extension JSONWriter {
    /// One value; `reader` stands behind its tag.
    mutating func value(_ kind: FieldKind, _ tag: UInt32, _ reader: inout WireReader) throws(JSONFault) {
        switch kind {
        case .int32: output.append(decimal: Int64(try read(Int32Field.self, &reader)))
        case .uint32: output.append(decimal: UInt64(try read(UInt32Field.self, &reader)))
        case .sint32: output.append(decimal: Int64(try read(SInt32Field.self, &reader)))
        case .fixed32: output.append(decimal: UInt64(try read(Fixed32Field.self, &reader)))
        case .sfixed32: output.append(decimal: Int64(try read(SFixed32Field.self, &reader)))
        case .int64: quoted(try read(Int64Field.self, &reader))
        case .uint64: quoted(try read(UInt64Field.self, &reader), isNegative: false)
        case .sint64: quoted(try read(SInt64Field.self, &reader))
        case .fixed64: quoted(try read(Fixed64Field.self, &reader), isNegative: false)
        case .sfixed64: quoted(try read(SFixed64Field.self, &reader))
        case .float: floatingPoint(try read(FloatField.self, &reader))
        case .double: floatingPoint(try read(DoubleField.self, &reader))
        case .bool: bool(try read(BoolField.self, &reader))
        case .string: quoted(try lengthDelimited(&reader))
        case .bytes: base64(try lengthDelimited(&reader))
        case .enumeration(let type): enumeration(type.schema, try read(Int32Field.self, &reader))
        case .message(let type): try message(try lengthDelimited(&reader), type.schema)
        case .map: throw JSONFault("a map cannot stand here")
        }
    }

    private mutating func quoted(_ integer: Int64) { quoted(integer.magnitude, isNegative: integer < 0) }

    private mutating func quoted(_ magnitude: UInt64, isNegative: Bool) {
        output.append(UInt8(ascii: "\""))
        output.append(decimal: magnitude, isNegative: isNegative)
        output.append(UInt8(ascii: "\""))
    }

    private mutating func bool(_ value: Bool) {
        output.append(value ? "true" as StaticString : "false")
    }

    private mutating func base64(_ bytes: UnsafeRawBufferPointer) {
        output.append(UInt8(ascii: "\""))
        let room = Base64.encodedByteCount(bytes.count)
        let memory = UnsafeMutableRawBufferPointer(start: output.reserve(room), count: room)
        output.advance(Base64.encode(bytes, into: memory))
        output.append(UInt8(ascii: "\""))
    }

    private mutating func enumeration(_ schema: EnumSchema, _ number: Int32) {
        if schema.name == "google.protobuf.NullValue" {
            output.append("null" as StaticString)
        } else if let name = schema.name(of: number) {
            quoted(name)
        } else {
            output.append(decimal: Int64(number))
        }
    }

    private mutating func floatingPoint<Value: BinaryFloatingPoint & CustomStringConvertible>(_ value: Value) {
        if value.isNaN {
            output.append("\"NaN\"" as StaticString)
        } else if value.isInfinite {
            output.append(value < 0 ? "\"-Infinity\"" as StaticString : "\"Infinity\"")
        } else if let whole = Int64(exactly: value), whole.magnitude >> UInt64(Value.significandBitCount) == 0,
            whole != 0 || value.sign == .plus
        {
            // A whole number is written without ".0", as JavaScript and most protobuf runtimes do; not so
            // -0.0, which readers that take it for an integer would turn into 0.
            output.append(decimal: whole)
        } else {
            let digits = value.description
            output.append(digits.hasSuffix(".0") && value != 0 ? String(digits.dropLast(2)) : digits)
        }
    }

    // MARK: - Well-known types

    /// The two fields that Timestamp and Duration share.
    private func secondsAndNanos(_ bytes: UnsafeRawBufferPointer) throws(JSONFault) -> (
        seconds: Int64, nanos: Int32
    ) {
        var result: (seconds: Int64, nanos: Int32) = (0, 0)
        var reader = WireReader(bytes)
        while let tag = try nextTag(&reader) {
            switch tag {
            case 8: result.seconds = try read(Int64Field.self, &reader)
            case 16: result.nanos = try read(Int32Field.self, &reader)
            default: try skip(tag, &reader)
            }
        }
        return result
    }

    mutating func timestamp(_ bytes: UnsafeRawBufferPointer) throws(JSONFault) {
        let (seconds, nanos) = try secondsAndNanos(bytes)
        guard Protobuf.Timestamp(seconds: seconds, nanos: nanos).isValid else {
            throw JSONFault(
                "the timestamp is outside the years 1 to 9999, or its nanos outside 0...999999999")
        }
        quoted(TimeText.text(timestampSeconds: seconds, nanos: nanos))
    }

    mutating func duration(_ bytes: UnsafeRawBufferPointer) throws(JSONFault) {
        let (seconds, nanos) = try secondsAndNanos(bytes)
        guard Protobuf.Duration(seconds: seconds, nanos: nanos).isValid else {
            throw JSONFault("the duration is longer than 315576000000s, or its parts differ in sign")
        }
        quoted(TimeText.text(durationSeconds: seconds, nanos: nanos))
    }

    mutating func fieldMask(_ bytes: UnsafeRawBufferPointer) throws(JSONFault) {
        var paths: [String] = []
        var reader = WireReader(bytes)
        while let tag = try nextTag(&reader) {
            guard tag == 10 else {
                try skip(tag, &reader)
                continue
            }
            guard let path = FieldMaskText.jsonPath(try read(StringField.self, &reader)) else {
                throw JSONFault("a path of the field mask is not in lower_snake_case")
            }
            paths.append(path)
        }
        quoted(paths.joined(separator: ","))
    }

    mutating func wrapper(_ bytes: UnsafeRawBufferPointer, _ schema: MessageSchema) throws(JSONFault) {
        guard let field = schema.field(number: 1) else {
            throw JSONFault("\(schema.name) has no value field")
        }
        var reader = WireReader(bytes)
        while let tag = try nextTag(&reader) {
            if tag == 1 << 3 | field.kind.wireType { return try value(field.kind, tag, &reader) }
            try skip(tag, &reader)
        }
        output.append(field.wrapperDefaultJSON)
    }

    mutating func any(_ bytes: UnsafeRawBufferPointer) throws(JSONFault) {
        let any: Protobuf.`Any`
        do throws(WireError) {
            any = try Protobuf.`Any`(serializedBytes: bytes)
        } catch {
            throw JSONFault(error.description)
        }
        guard !any.typeURL.isEmpty || !any.value.isEmpty else { return output.append("{}" as StaticString) }
        guard let type = options.types[any.messageName] else {
            throw JSONFault(
                "the type \(JSONFault.quoted(any.messageName)) of an Any is not in the registry "
                    + "(options.types)"
            )
        }
        let payload: [UInt8]
        do throws(WireError) {
            payload = try type.canonicalBytes(any.value)
        } catch {
            throw JSONFault("the Any does not hold a \(type.schema.name): \(error)")
        }
        if type.schema.jsonForm == .fields {
            try payload.withBytes { memory throws(JSONFault) in
                try object(memory, type.schema, typeURL: any.typeURL)
            }
        } else {
            try anyValue(payload, type.schema, any.typeURL)
        }
    }

    private mutating func anyValue(
        _ payload: [UInt8], _ schema: MessageSchema, _ typeURL: String
    ) throws(JSONFault) {
        var isEmpty = true
        open("{")
        next(isFirst: &isEmpty)
        name("@type")
        quoted(typeURL)
        next(isFirst: &isEmpty)
        name("value")
        try message(payload, schema)
        close("}", isEmpty: false)
    }

    mutating func list(_ bytes: UnsafeRawBufferPointer) throws(JSONFault) {
        var isEmpty = true
        open("[")
        var reader = WireReader(bytes)
        while let tag = try nextTag(&reader) {
            guard tag == 10 else {
                try skip(tag, &reader)
                continue
            }
            next(isFirst: &isEmpty)
            try dynamicValue(try lengthDelimited(&reader))
        }
        close("]", isEmpty: isEmpty)
    }

    mutating func dynamicValue(_ bytes: UnsafeRawBufferPointer) throws(JSONFault) {
        var reader = WireReader(bytes)
        while let tag = try nextTag(&reader) {
            switch tag {
            case 8: return output.append("null" as StaticString)
            case 17:
                let number = try read(DoubleField.self, &reader)
                guard number.isFinite else {
                    throw JSONFault("google.protobuf.Value cannot hold NaN or infinity in JSON")
                }
                return floatingPoint(number)
            case 26: return quoted(try lengthDelimited(&reader))
            case 32: return bool(try read(BoolField.self, &reader))
            case 42: return try structure(try lengthDelimited(&reader))
            case 50: return try list(try lengthDelimited(&reader))
            default: try skip(tag, &reader)
            }
        }
        throw JSONFault("google.protobuf.Value without a value has no form in JSON")
    }
}

extension FieldSchema {
    /// The JSON of an empty wrapper.
    fileprivate var wrapperDefaultJSON: String {
        switch kind {
        case .string, .bytes: "\"\""
        case .bool: "false"
        case .int64, .uint64: "\"0\""
        default: "0"
        }
    }
}
