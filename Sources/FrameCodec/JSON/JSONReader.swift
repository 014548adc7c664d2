/// Transcodes proto-JSON into wire format by schema, without a tree in between.
///
/// Members become fields as they come; the length of a nested message is put in front of it afterwards. The
/// message is then decoded from the bytes, which is where merging and defaults happen.
struct JSONReader {
    var scanner: JSONScanner
    var output = WireBuilder()
    var path = JSONPath()
    let options: JSONDecodingOptions
    private(set) var depthLeft: Int

    init(_ bytes: UnsafeRawBufferPointer, options: JSONDecodingOptions) {
        scanner = JSONScanner(bytes)
        self.options = options
        depthLeft = options.maximumDepth
    }

    /// One value and nothing behind it.
    mutating func document(_ schema: MessageSchema) throws(JSONFault) {
        try message(schema)
        guard scanner.peek() == nil else { throw scanner.fault("unexpected text after the document") }
    }

    /// The fields of one message, without a length.
    mutating func message(_ schema: MessageSchema) throws(JSONFault) {
        switch schema.jsonForm {
        case .fields: try object(schema)
        case .timestamp: try timestamp()
        case .duration: try duration()
        case .fieldMask: try fieldMask()
        case .any: try any()
        case .structure: try structure()
        case .value: try dynamicValue()
        case .list: try list()
        case .wrapper: try wrapper(schema)
        }
    }

    // MARK: - Objects and arrays

    /// Calls `body` for each member with the scanner in front of its value.
    mutating func members(
        _ body: (inout JSONReader, String) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        try enter("{")
        if !scanner.take("}") {
            repeat {
                let name = try scanner.string()
                try scanner.expect(":")
                path.steps.append(.member(name))
                try body(&self, name)
                path.steps.removeLast()
            } while scanner.take(",")
            try scanner.expect("}")
        }
        depthLeft += 1
    }

    /// Calls `body` for each element with the scanner in front of it.
    mutating func elements(_ body: (inout JSONReader) throws(JSONFault) -> Void) throws(JSONFault) {
        try enter("[")
        if !scanner.take("]") {
            var index = 0
            repeat {
                path.steps.append(.element(index))
                try body(&self)
                path.steps.removeLast()
                index += 1
            } while scanner.take(",")
            try scanner.expect("]")
        }
        depthLeft += 1
    }

    private mutating func enter(_ open: Unicode.Scalar) throws(JSONFault) {
        try scanner.expect(open)
        guard depthLeft > 0 else {
            throw scanner.fault(
                "nested deeper than \(options.maximumDepth) levels (JSONDecodingOptions.maximumDepth)")
        }
        depthLeft -= 1
    }

    /// A message as an object; `@type` belongs to the Any around it.
    mutating func object(_ schema: MessageSchema, inAny: Bool = false) throws(JSONFault) {
        var seenFields: Set<Int> = []
        var seenOneofs: Set<Int> = []
        try members { reader, name throws(JSONFault) in
            if inAny, name == "@type" {
                // No field has the number 0.
                guard seenFields.insert(0).inserted else { throw reader.scanner.fault("@type is given twice") }
                return try reader.skipValue()
            }
            guard let field = schema.field(named: name) else {
                guard reader.options.ignoresUnknownFields else {
                    throw reader.scanner.fault("\(schema.name) has no field \(JSONFault.quoted(name))")
                }
                return try reader.skipValue()
            }
            guard seenFields.insert(field.number).inserted else {
                throw reader.scanner.fault("field \(field.name) is given twice")
            }
            if reader.scanner.peek() == UInt8(ascii: "n"), !Self.acceptsNull(field) {
                guard reader.scanner.take(word: "null") else { throw reader.scanner.unexpected("a value") }
                return
            }
            if let oneof = field.oneof, !seenOneofs.insert(oneof).inserted {
                throw reader.scanner.fault("a second field of the oneof that \(field.name) is in")
            }
            try reader.field(field)
        }
    }

    mutating func skipValue() throws(JSONFault) {
        try scanner.skipValue(depthLeft: depthLeft)
    }

    /// Null is a value of google.protobuf.Value and NullValue; elsewhere it stands for an absent field.
    private static func acceptsNull(_ field: FieldSchema) -> Bool {
        !field.isRepeated && acceptsNull(field.kind)
    }

    private static func acceptsNull(_ kind: FieldKind) -> Bool {
        switch kind {
        case .message(let type): type.schema.jsonForm == .value
        case .enumeration(let type): type.schema.name == "google.protobuf.NullValue"
        default: false
        }
    }

    // MARK: - Fields

    private mutating func field(_ field: FieldSchema) throws(JSONFault) {
        switch (field.kind, field.cardinality) {
        case (.map(let key, let value), _): try map(field.number, key, value)
        case (_, .repeated):
            try elements { reader throws(JSONFault) in try reader.element(field.kind, field.number) }
        case (_, .packed):
            output.tag(field.number, WireType.lengthDelimited)
            let start = output.bytes.count
            try elements { reader throws(JSONFault) in try reader.element(field.kind, nil) }
            output.insertLength(at: start)
        default: try element(field.kind, field.number)
        }
    }

    /// One value behind its tag; without one inside a packed field. Nothing is written for an enum name that
    /// is unknown and ignored.
    private mutating func element(_ kind: FieldKind, _ number: Int?) throws(JSONFault) {
        if scanner.peek() == UInt8(ascii: "n"), !Self.acceptsNull(kind) {
            throw scanner.fault("null is not a value here")
        }
        let start = output.bytes.count
        if let number { output.tag(number, kind.wireType) }
        if try !value(kind) { output.bytes.removeLast(output.bytes.count - start) }
    }

    private mutating func map(_ number: Int, _ key: FieldKind, _ value: FieldKind) throws(JSONFault) {
        var keys: Set<[UInt8]> = []
        try members { reader, name throws(JSONFault) in
            let start = reader.output.bytes.count
            reader.output.tag(number, WireType.lengthDelimited)
            let entry = reader.output.bytes.count
            reader.output.tag(1, key.wireType)
            try reader.mapKey(key, name)
            guard keys.insert([UInt8](reader.output.bytes[entry...])).inserted else {
                throw reader.scanner.fault("the map key is given twice")
            }
            let valueStart = reader.output.bytes.count
            try reader.element(value, 2)
            if reader.output.bytes.count == valueStart {
                reader.output.bytes.removeLast(valueStart - start)
            } else {
                reader.output.insertLength(at: entry)
            }
        }
    }

    private mutating func mapKey(_ kind: FieldKind, _ name: String) throws(JSONFault) {
        switch kind {
        case .string: output.lengthDelimited(name.utf8)
        case .bool:
            guard name == "true" || name == "false" else {
                throw scanner.fault("the map key must be true or false")
            }
            output.varint(name == "true" ? 1 : 0)
        default:
            let bytes = [UInt8](name.utf8)
            let integer = bytes.withUnsafeBytes { text in
                JSONNumber.prefix(text) == text.count ? JSONNumber.integer(text) : nil
            }
            guard let integer else { throw scanner.fault("the map key must be an integer") }
            try write(integer, as: kind)
        }
    }
}
