/// Transcodes wire format into proto-JSON by schema, without a tree in between.
///
/// Reads bytes that this library has written: known fields come in the order of their numbers, the elements
/// of a field one after another. The payload of an Any may come from anywhere and is decoded and written anew
/// first.
struct JSONWriter: ~Copyable {
    var output = GrowingBytes(capacity: 1024)
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

    mutating func quoted(_ text: String) {
        var text = text
        text.withUTF8 { quoted(UnsafeRawBufferPointer($0)) }
    }

    mutating func quoted(_ text: UnsafeRawBufferPointer) { output.append(quoted: text) }

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
        colon()
    }

    /// The name of a field, which was quoted once and for all.
    private mutating func name(_ field: FieldSchema) {
        guard !options.usesOriginalNames else { return name(field.name) }
        output.append(field.quotedJSONName)
        colon()
    }

    mutating func colon() {
        output.append(UInt8(ascii: ":"))
        if options.isPretty { output.append(UInt8(ascii: " ")) }
    }

    private mutating func newLine() {
        guard options.isPretty else { return }
        output.append(UInt8(ascii: "\n"))
        for _ in 0..<depth { output.append("  ") }
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
        // Position of the first field that has not come by.
        var pending = 0
        while let tag = try nextTag(&reader) {
            // A known number with another wire type is an unknown field.
            guard let index = schema.index(number: Int(tag >> 3)), tag & 7 == schema.fields[index].wireType else {
                try skip(tag, &reader)
                continue
            }
            if index > pending { defaultValues(schema, pending..<index, &isEmpty) }
            pending = max(pending, index + 1)
            let field = schema.fields[index]
            next(isFirst: &isEmpty)
            name(field)
            do throws(JSONFault) {
                try self.field(field, tag, &reader)
            } catch {
                throw (field.isRedacted ? error.redacted : error).inside(.member(field.name))
            }
        }
        defaultValues(schema, pending..<schema.fields.count, &isEmpty)
        close("}", isEmpty: isEmpty)
    }

    private mutating func defaultValues(_ schema: MessageSchema, _ range: Range<Int>, _ isEmpty: inout Bool) {
        guard options.emitsDefaultValues else { return }
        for field in schema.fields[range] where field.cardinality != .explicit {
            next(isFirst: &isEmpty)
            name(field)
            output.append(field.defaultJSON)
        }
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
            next(isFirst: &isEmpty)
            do throws(JSONFault) {
                try value(kind, tag, &reader)
            } catch {
                throw error.inside(.element(index))
            }
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
    mutating func take(_ tag: UInt32) -> Bool {
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
