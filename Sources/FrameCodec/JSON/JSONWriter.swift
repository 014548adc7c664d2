/// Transcodes wire format into proto-JSON by schema, without a tree in between.
///
/// Reads bytes that this library has written: known fields come in the order of their numbers, the elements
/// of a field one after another. The payload of an Any may come from anywhere and is decoded and written anew
/// first.
struct JSONWriter {
    private(set) var output: [UInt8] = []
    var path = JSONPath()
    let options: JSONEncodingOptions
    private var depth = 0
    /// Deepest nesting of objects and arrays. A message cannot come near it by itself, but each Any in an Any
    /// is decoded with a depth budget of its own.
    private static let maximumDepth = 256

    init(options: JSONEncodingOptions) {
        self.options = options
    }

    mutating func message(_ bytes: [UInt8], _ schema: MessageSchema) throws(JSONFault) {
        try bytes.withBytes { memory throws(JSONFault) in try message(memory, schema) }
    }

    mutating func message(_ bytes: UnsafeRawBufferPointer, _ schema: MessageSchema) throws(JSONFault) {
        guard depth < Self.maximumDepth else {
            throw JSONFault("nested deeper than \(Self.maximumDepth) levels")
        }
        switch schema.jsonForm {
        case .fields: try object(bytes, schema)
        case .timestamp: try timestamp(bytes)
        case .duration: try duration(bytes)
        case .fieldMask: try fieldMask(bytes)
        case .any: try any(bytes)
        case .structure: try structure(bytes)
        case .value: try dynamicValue(bytes)
        case .list: try list(bytes)
        case .wrapper: try wrapper(bytes, schema)
        }
    }

    // MARK: - Text

    mutating func text(_ text: String) { output.append(contentsOf: text.utf8) }

    mutating func quoted(_ text: String) {
        var text = text
        text.withUTF8 { quoted(UnsafeRawBufferPointer($0)) }
    }

    /// `"text"` with what JSON wants escaped; runs that need no escape are copied whole.
    mutating func quoted(_ text: UnsafeRawBufferPointer) {
        output.append(UInt8(ascii: "\""))
        var start = 0
        for index in 0..<text.count where Self.needsEscape(text[index]) {
            output.append(contentsOf: text[start..<index])
            escape(text[index])
            start = index + 1
        }
        output.append(contentsOf: text[start...])
        output.append(UInt8(ascii: "\""))
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == 0x7F
    }

    private mutating func escape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): text("\\\"")
        case UInt8(ascii: "\\"): text("\\\\")
        case 0x0A: text("\\n")
        case 0x0D: text("\\r")
        case 0x09: text("\\t")
        case 0x08: text("\\b")
        case 0x0C: text("\\f")
        default:
            let digits = String(byte, radix: 16)
            text(byte < 0x10 ? "\\u000\(digits)" : "\\u00\(digits)")
        }
    }

    /// Opens an object or an array; the matching ``close(_:isEmpty:)`` ends it.
    mutating func open(_ bracket: Unicode.Scalar) {
        output.append(UInt8(truncatingIfNeeded: bracket.value))
        depth += 1
    }

    mutating func close(_ bracket: Unicode.Scalar, isEmpty: Bool) {
        depth -= 1
        if !isEmpty { newLine() }
        output.append(UInt8(truncatingIfNeeded: bracket.value))
    }

    /// Goes to where the next member or element begins.
    mutating func next(isFirst: inout Bool) {
        if !isFirst { output.append(UInt8(ascii: ",")) }
        isFirst = false
        newLine()
    }

    mutating func name(_ name: String) {
        quoted(name)
        text(options.isPretty ? ": " : ":")
    }

    private mutating func newLine() {
        guard options.isPretty else { return }
        text("\n" + String(repeating: "  ", count: depth))
    }

    // MARK: - Messages

    /// A message as an object; an Any puts its `@type` in front.
    mutating func object(
        _ bytes: UnsafeRawBufferPointer, _ schema: MessageSchema, typeURL: String? = nil
    ) throws(JSONFault) {
        var isEmpty = true
        open("{")
        if let typeURL {
            next(isFirst: &isEmpty)
            name("@type")
            quoted(typeURL)
        }
        var reader = WireReader(bytes)
        var pending = schema.fields[...]
        while let tag = try nextTag(&reader) {
            // A known number with another wire type is an unknown field.
            guard let field = schema.field(number: Int(tag >> 3)), tag & 7 == field.wireType else {
                try skip(tag, &reader)
                continue
            }
            while let absent = pending.first, absent.number < field.number {
                defaultValue(absent, &isEmpty)
                pending.removeFirst()
            }
            if pending.first?.number == field.number { pending.removeFirst() }
            path.steps.append(.member(field.name))
            next(isFirst: &isEmpty)
            name(fieldName(field))
            try self.field(field, tag, &reader)
            path.steps.removeLast()
        }
        for absent in pending { defaultValue(absent, &isEmpty) }
        close("}", isEmpty: isEmpty)
    }

    private func fieldName(_ field: FieldSchema) -> String {
        options.usesOriginalNames ? field.name : field.jsonName
    }

    private mutating func defaultValue(_ field: FieldSchema, _ isEmpty: inout Bool) {
        guard options.emitsDefaultValues, field.cardinality != .explicit else { return }
        next(isFirst: &isEmpty)
        name(fieldName(field))
        text(field.defaultJSON)
    }

    /// All values of one field; `reader` stands behind the first tag.
    private mutating func field(
        _ field: FieldSchema, _ tag: UInt32, _ reader: inout WireReader
    ) throws(JSONFault) {
        switch (field.kind, field.cardinality) {
        case (.map(let key, let value), _): try map(key, value, tag, &reader)
        case (_, .repeated): try repeated(field.kind, tag, &reader)
        case (_, .packed): try packed(field.kind, &reader)
        default: try value(field.kind, tag, &reader)
        }
    }

    private mutating func repeated(
        _ kind: FieldKind, _ tag: UInt32, _ reader: inout WireReader
    ) throws(JSONFault) {
        var isEmpty = true
        var index = 0
        open("[")
        repeat {
            path.steps.append(.element(index))
            next(isFirst: &isEmpty)
            try value(kind, tag, &reader)
            path.steps.removeLast()
            index += 1
        } while reader.take(tag)
        close("]", isEmpty: false)
    }

    private mutating func packed(_ kind: FieldKind, _ reader: inout WireReader) throws(JSONFault) {
        var values = WireReader(try lengthDelimited(&reader))
        var isEmpty = true
        open("[")
        while values.bytesLeft > 0 {
            next(isFirst: &isEmpty)
            try value(kind, kind.wireType, &values)
        }
        close("]", isEmpty: isEmpty)
    }

    private mutating func map(
        _ key: FieldKind, _ value: FieldKind, _ tag: UInt32, _ reader: inout WireReader
    ) throws(JSONFault) {
        var isEmpty = true
        open("{")
        repeat {
            var entry = WireReader(try lengthDelimited(&reader))
            next(isFirst: &isEmpty)
            // Entries are written by this library: key and value, both present, in this order.
            guard let keyTag = try nextTag(&entry) else { throw JSONFault("map entry without a key") }
            try mapKey(key, keyTag, &entry)
            guard let valueTag = try nextTag(&entry) else { throw JSONFault("map entry without a value") }
            try self.value(value, valueTag, &entry)
        } while reader.take(tag)
        close("}", isEmpty: false)
    }

    private mutating func mapKey(
        _ kind: FieldKind, _ tag: UInt32, _ entry: inout WireReader
    ) throws(JSONFault) {
        let start = output.count
        try value(kind, tag, &entry)
        // 64-bit integers and strings have quotes already.
        if output[start] != UInt8(ascii: "\"") {
            output.insert(UInt8(ascii: "\""), at: start)
            output.append(UInt8(ascii: "\""))
        }
        text(options.isPretty ? ": " : ":")
    }

    // MARK: - Reading what this library wrote

    func nextTag(_ reader: inout WireReader) throws(JSONFault) -> UInt32? {
        do throws(WireError) { return try reader.nextTag() } catch { throw JSONFault(error.description) }
    }

    func skip(_ tag: UInt32, _ reader: inout WireReader) throws(JSONFault) {
        do throws(WireError) { try reader.skip(tag) } catch { throw JSONFault(error.description) }
    }

    func lengthDelimited(_ reader: inout WireReader) throws(JSONFault) -> UnsafeRawBufferPointer {
        do throws(WireError) { return try reader.readLengthDelimited() } catch {
            throw JSONFault(error.description)
        }
    }

    func read<Codec: FieldCodec>(_ codec: Codec.Type, _ reader: inout WireReader) throws(JSONFault)
        -> Codec.Value
    {
        do throws(WireError) { return try codec.read(&reader) } catch { throw JSONFault(error.description) }
    }
}

extension WireReader {
    /// Takes the next tag when it is `tag`.
    fileprivate mutating func take(_ tag: UInt32) -> Bool {
        let start = position
        if let next = try? nextTag(), next == tag { return true }
        position = start
        return false
    }
}

extension FieldSchema {
    /// The JSON of an absent field without explicit presence.
    fileprivate var defaultJSON: String {
        switch (kind, cardinality) {
        case (.map, _): "{}"
        case (_, .repeated), (_, .packed): "[]"
        case (.string, _), (.bytes, _): "\"\""
        case (.bool, _): "false"
        case (.int64, _), (.uint64, _), (.sint64, _), (.fixed64, _), (.sfixed64, _): "\"0\""
        case (.enumeration(let type), _):
            type.schema.name == "google.protobuf.NullValue"
                ? "null" : type.schema.name(of: 0).map { "\"\($0)\"" } ?? "0"
        default: "0"
        }
    }
}
