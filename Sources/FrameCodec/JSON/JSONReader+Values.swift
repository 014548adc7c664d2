extension JSONReader {
    /// What follows the tag of one value; false when nothing was written because the value is unknown and
    /// ignored.
    mutating func value(_ kind: FieldKind) throws(JSONFault) -> Bool {
        switch kind {
        case .bool:
            guard scanner.take(word: "true") else {
                guard scanner.take(word: "false") else { throw scanner.unexpected("true or false") }
                output.varint(0)
                return true
            }
            output.varint(1)
        case .string: output.lengthDelimited(try scanner.string())
        case .bytes: try bytes()
        case .float: output.fixed(try float().bitPattern)
        case .double: output.fixed(try double().bitPattern)
        case .enumeration(let type): return try enumeration(type.schema)
        case .message(let type):
            let start = output.beginLength()
            try message(type.schema)
            output.endLength(start)
        case .map: throw scanner.fault("a map cannot stand here")
        default: try write(try integer(), as: kind)
        }
        return true
    }

    private mutating func bytes() throws(JSONFault) {
        let text = try scanner.string()
        let bytes = text.withBytes { Base64.decode($0, acceptsURLSafeAlphabet: true) }
        guard let bytes else {
            throw scanner.fault("the string is not base64")
        }
        output.lengthDelimited(bytes)
    }

    // MARK: - Numbers

    /// Calls `body` with the text of a number, which may stand in quotes.
    private mutating func number<Value>(
        _ body: (UnsafeRawBufferPointer) -> Value?, _ problem: String
    ) throws(JSONFault) -> Value {
        let value: Value?
        if scanner.peek() == UInt8(ascii: "\"") {
            let text = try scanner.string()
            value = text.withBytes { JSONNumber.prefix($0) == $0.count ? body($0) : nil }
        } else {
            value = body(try scanner.number())
        }
        guard let value else { throw scanner.fault(problem) }
        return value
    }

    private mutating func integer() throws(JSONFault) -> (isNegative: Bool, magnitude: UInt64) {
        try number(JSONNumber.integer, "the value must be an integer within the field's range")
    }

    /// Writes an integer the way its kind wants it, after checking the kind's range.
    mutating func write(_ integer: (isNegative: Bool, magnitude: UInt64), as kind: FieldKind)
        throws(JSONFault)
    {
        switch kind {
        case .uint32, .uint64, .fixed32, .fixed64:
            let limit = kind.isUnsigned32 ? UInt64(UInt32.max) : UInt64.max
            guard !integer.isNegative || integer.magnitude == 0, integer.magnitude <= limit else {
                throw outOfRange()
            }
            switch kind {
            case .fixed32: output.fixed(UInt32(truncatingIfNeeded: integer.magnitude))
            case .fixed64: output.fixed(integer.magnitude)
            default: output.varint(integer.magnitude)
            }
        default:
            let is32 = kind.isSigned32
            let limit = (is32 ? UInt64(Int32.max) : UInt64(Int64.max)) + (integer.isNegative ? 1 : 0)
            guard integer.magnitude <= limit else { throw outOfRange() }
            let bits = integer.isNegative ? 0 &- integer.magnitude : integer.magnitude
            let value = Int64(bitPattern: bits)
            switch kind {
            case .sint32: output.varint(SInt32Field.wire(Int32(truncatingIfNeeded: value)))
            case .sint64: output.varint(SInt64Field.wire(value))
            case .sfixed32: output.fixed(UInt32(truncatingIfNeeded: bits))
            case .sfixed64: output.fixed(bits)
            default: output.varint(bits)
            }
        }
    }

    private func outOfRange() -> JSONFault { scanner.fault("the number does not fit the field") }

    mutating func double() throws(JSONFault) -> Double {
        if let special = try specialNumber() { return special }
        return try number(JSONNumber.double, "the number does not fit a double")
    }

    private mutating func float() throws(JSONFault) -> Float {
        if let special = try specialNumber() { return Float(special) }
        return try number(JSONNumber.float, "the number does not fit a float")
    }

    /// `"NaN"`, `"Infinity"` and `"-Infinity"`; nil, and nothing is taken, for anything else.
    private mutating func specialNumber() throws(JSONFault) -> Double? {
        guard scanner.peek() == UInt8(ascii: "\"") else { return nil }
        let start = scanner.position
        let text = try scanner.string()
        if text == "NaN" { return .nan }
        if text == "Infinity" { return .infinity }
        if text == "-Infinity" { return -.infinity }
        scanner.rewind(to: start)
        return nil
    }

    private mutating func enumeration(_ schema: EnumSchema) throws(JSONFault) -> Bool {
        if schema.name == "google.protobuf.NullValue", scanner.take(word: "null") {
            output.varint(0)
            return true
        }
        guard scanner.peek() == UInt8(ascii: "\"") else {
            try write(try integer(), as: .int32)
            return true
        }
        let name = try scanner.string().string
        guard let number = schema.number(of: name) else {
            guard options.ignoresUnknownFields else {
                throw scanner.fault("\(schema.name) has no value \(JSONFault.quoted(name))")
            }
            return false
        }
        output.varint(UInt64(bitPattern: Int64(number)))
        return true
    }
}

extension FieldKind {
    var isUnsigned32: Bool {
        switch self {
        case .uint32, .fixed32: true
        default: false
        }
    }

    var isSigned32: Bool {
        switch self {
        case .int32, .sint32, .sfixed32: true
        default: false
        }
    }
}
