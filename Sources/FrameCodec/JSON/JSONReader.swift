/// Transcodes proto-JSON into wire format by schema, without a tree in between.
///
/// Members become fields as they come; the length of a nested message is put in front of it afterwards. The
/// message is then decoded from the bytes, which is where merging and defaults happen.
struct JSONReader: ~Copyable {
    var scanner: JSONScanner
    var output = WireBuilder()
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
        _ body: (inout JSONReader, JSONText) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        try enter("{")
        if !scanner.take("}") {
            repeat {
                let name = try scanner.string()
                try scanner.expect(":")
                do throws(JSONFault) {
                    try body(&self, name)
                } catch {
                    throw error.inside(.member(name.string))
                }
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
                do throws(JSONFault) {
                    try body(&self)
                } catch {
                    throw error.inside(.element(index))
                }
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
        var seenFields = IndexSet()
        var seenOneofs = IndexSet()
        var seenType = false
        // Members mostly come in the order of the fields.
        var expected = 0
        try members { reader, name throws(JSONFault) in
            if inAny, name == "@type" {
                guard !seenType else { throw reader.scanner.fault("@type is given twice") }
                seenType = true
                return try reader.skipValue()
            }
            guard let index = name.withBytes({ schema.index(named: $0, expected: expected) }) else {
                guard reader.options.ignoresUnknownFields else {
                    throw reader.scanner.fault("\(schema.name) has no field \(JSONFault.quoted(name.string))")
                }
                return try reader.skipValue()
            }
            expected = index + 1
            let field = schema.fields[index]
            guard seenFields.insert(index) else {
                throw reader.scanner.fault("field \(field.name) is given twice")
            }
            if reader.scanner.peek() == UInt8(ascii: "n"), !Self.acceptsNull(field) {
                guard reader.scanner.take(word: "null") else { throw reader.scanner.unexpected("a value") }
                return
            }
            if let oneof = field.oneof, !seenOneofs.insert(oneof) {
                throw reader.scanner.fault("a second field of the oneof that \(field.name) is in")
            }
            do throws(JSONFault) {
                try reader.field(field)
            } catch {
                throw field.isRedacted ? error.redacted : error
            }
        }
    }

    /// Small numbers, most of them below 64: fields and oneofs that were seen.
    private struct IndexSet {
        private var bits: UInt64 = 0
        private var others: Set<Int> = []

        /// False when it was there.
        mutating func insert(_ index: Int) -> Bool {
            guard index >= 0, index < 64 else { return others.insert(index).inserted }
            let bit: UInt64 = 1 << UInt64(index)
            defer { bits |= bit }
            return bits & bit == 0
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
        case (let kind, .repeated):
            try elements { reader throws(JSONFault) in try reader.element(kind, field.number) }
        case (let kind, .packed):
            output.tag(field.number, WireType.lengthDelimited)
            let start = output.beginLength()
            try elements { reader throws(JSONFault) in try reader.element(kind, nil) }
            output.endLength(start)
        case (let kind, _): try element(kind, field.number)
        }
    }

    /// One value behind its tag; without one inside a packed field. Nothing is written for an enum name that
    /// is unknown and ignored.
    private mutating func element(_ kind: FieldKind, _ number: Int?) throws(JSONFault) {
        if scanner.peek() == UInt8(ascii: "n"), !Self.acceptsNull(kind) {
            throw scanner.fault("null is not a value here")
        }
        let start = output.count
        if let number { output.tag(number, kind.wireType) }
        if try !value(kind) { output.bytes.remove(from: start) }
    }

    private mutating func map(_ number: Int, _ key: FieldKind, _ value: FieldKind) throws(JSONFault) {
        var keys: Set<JSONKey> = []
        try members { reader, name throws(JSONFault) in
            let start = reader.output.count
            reader.output.tag(number, WireType.lengthDelimited)
            let entry = reader.output.beginLength()
            reader.output.tag(1, key.wireType)
            try reader.mapKey(key, name)
            let inserted = reader.output.bytes.withBytes { bytes in
                keys.insert(JSONKey(UnsafeRawBufferPointer(rebasing: bytes[entry...]))).inserted
            }
            guard inserted else { throw reader.scanner.fault("the map key is given twice") }
            let valueStart = reader.output.count
            try reader.element(value, 2)
            if reader.output.count == valueStart {
                reader.output.bytes.remove(from: start)
            } else {
                reader.output.endLength(entry)
            }
        }
    }

    private mutating func mapKey(_ kind: FieldKind, _ name: JSONText) throws(JSONFault) {
        switch kind {
        case .string: output.lengthDelimited(name)
        case .bool:
            let isTrue = name == "true"
            guard isTrue || name == "false" else { throw scanner.fault("the map key must be true or false") }
            output.varint(isTrue ? 1 : 0)
        default:
            let integer = name.withBytes { text in
                JSONNumber.prefix(text) == text.count ? JSONNumber.integer(text) : nil
            }
            guard let integer else { throw scanner.fault("the map key must be an integer") }
            try write(integer, as: kind)
        }
    }
}

/// The bytes of a member's name; up to 16 of them without memory of their own. Names that differ as bytes differ,
/// even when their strings are canonically equal.
struct JSONKey: Hashable {
    private var head: SIMD2<UInt64> = .zero
    private let count: Int
    private let long: [UInt8]

    init(_ bytes: UnsafeRawBufferPointer) {
        count = bytes.count
        long = bytes.count > 16 ? [UInt8](bytes) : []
        if bytes.count <= 16 { withUnsafeMutableBytes(of: &head) { $0.copyMemory(from: bytes) } }
    }
}
