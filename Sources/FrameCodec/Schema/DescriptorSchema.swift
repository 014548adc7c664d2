/// Schemas of generated types: names come from the file's descriptor, kinds and shapes from a visit to the
/// fields. Nothing is read before JSON, text or reflection asks.
extension MessageSchema {
    /// - Parameter path: position of the message in the file, then in the message around it, and so on.
    public convenience init<M: Message>(_ type: M.Type, _ file: FileDescriptor, _ path: Int...) {
        let shapes = FieldShapes.shapes(of: type)
        var fields: [FieldSchema] = []
        var oneofs: [String] = []
        let name = file.serializedBytes.withUnsafeBytes { bytes in
            let (name, message) = DescriptorReader(bytes: bytes).message(at: path)
            for field in message.elements(DescriptorField.messageField) {
                guard let schema = field.fieldSchema(shapes) else { continue }
                fields.append(schema)
            }
            // Those that `optional` invents come last and are nobody's.
            let used = fields.compactMap(\.oneof).max().map { $0 + 1 } ?? 0
            oneofs = message.elements(DescriptorField.messageOneof).prefix(used).map { $0.string(DescriptorField.name) }
            return name
        }
        self.init(name, oneofs: oneofs, fields)
    }
}

extension EnumSchema {
    /// - Parameter path: positions of the messages around the enum, then its own.
    public convenience init(_ file: FileDescriptor, _ path: Int...) {
        let (name, values) = file.serializedBytes.withUnsafeBytes { bytes in
            let (name, enumeration) = DescriptorReader(bytes: bytes).enumeration(at: path)
            let values = enumeration.elements(DescriptorField.enumValue).map { value in
                (value.string(DescriptorField.name), Int32(truncatingIfNeeded: value.varint(2) ?? 0))
            }
            return (name, values)
        }
        self.init(name, values)
    }
}

/// Field numbers of descriptor.proto.
private enum DescriptorField {
    static let name = 1
    static let filePackage = 2
    static let fileMessage = 4
    static let fileEnum = 5
    static let messageField = 2
    static let messageNested = 3
    static let messageEnum = 4
    static let messageOneof = 8
    static let enumValue = 2
    static let fieldNumber = 3
    static let fieldOptions = 8
    static let fieldOneof = 9
    static let fieldJSONName = 10
    static let fieldProto3Optional = 17
    static let optionRedact = 16
}

/// Picks fields out of a serialised descriptor, which is part of the program and so not looked at with
/// suspicion: what cannot be read is absent.
private struct DescriptorReader {
    let bytes: UnsafeRawBufferPointer

    /// The values of a length-delimited field.
    func elements(_ number: Int) -> [DescriptorReader] {
        var elements: [DescriptorReader] = []
        forEach(number) { (reader: inout WireReader) throws(WireError) in
            elements.append(DescriptorReader(bytes: try reader.readLengthDelimited()))
        }
        return elements
    }

    func string(_ number: Int) -> String {
        elements(number).last.map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
    }

    func varint(_ number: Int) -> UInt64? {
        var value: UInt64?
        forEach(number) { (reader: inout WireReader) throws(WireError) in value = try reader.readVarint() }
        return value
    }

    private func forEach(_ number: Int, _ body: (inout WireReader) throws(WireError) -> Void) {
        var reader = WireReader(bytes)
        do throws(WireError) {
            while let tag = try reader.nextTag() {
                if Int(tag >> 3) == number { try body(&reader) } else { try reader.skip(tag) }
            }
        } catch {}
    }

    /// Full name and descriptor of the message at a path.
    func message(at path: [Int]) -> (name: String, descriptor: DescriptorReader) {
        var name = string(DescriptorField.filePackage)
        var current = self
        for (depth, index) in path.enumerated() {
            let field = depth == 0 ? DescriptorField.fileMessage : DescriptorField.messageNested
            current = current.element(field, index, &name)
        }
        return (name, current)
    }

    func enumeration(at path: [Int]) -> (name: String, descriptor: DescriptorReader) {
        var (name, parent) = message(at: path.dropLast())
        let field = path.count == 1 ? DescriptorField.fileEnum : DescriptorField.messageEnum
        let enumeration = parent.element(field, path.last ?? 0, &name)
        return (name, enumeration)
    }

    private func element(_ field: Int, _ index: Int, _ name: inout String) -> DescriptorReader {
        let elements = elements(field)
        precondition(elements.indices.contains(index), "generated code does not fit its descriptor")
        name += (name.isEmpty ? "" : ".") + elements[index].string(DescriptorField.name)
        return elements[index]
    }

    func fieldSchema(_ shapes: [Int: FieldShapes.Shape]) -> FieldSchema? {
        let number = Int(truncatingIfNeeded: varint(DescriptorField.fieldNumber) ?? 0)
        guard let shape = shapes[number] else { return nil }
        let json = string(DescriptorField.fieldJSONName)
        let isOptional = varint(DescriptorField.fieldProto3Optional) == 1
        let options = elements(DescriptorField.fieldOptions)
        return FieldSchema(
            number, string(DescriptorField.name), json: json.isEmpty ? nil : json, shape.kind, shape.cardinality,
            oneof: isOptional ? nil : varint(DescriptorField.fieldOneof).map { Int(truncatingIfNeeded: $0) },
            redacted: options.contains { $0.varint(DescriptorField.optionRedact) == 1 },
            storage: shape.storage, elementByteCount: shape.elementByteCount)
    }
}

/// What a visit tells of a message's fields.
struct FieldShapes: FieldVisitor {
    typealias Failure = Never

    struct Shape {
        let kind: FieldKind
        let cardinality: FieldSchema.Cardinality
        /// Where the property lies in the message, in bytes.
        let storage: Range<Int>
        /// What ``WireLimits/maximumElementByteCount`` counts for an element; 0 for single values.
        let elementByteCount: Int
    }

    private var shapes: [Int: Shape] = [:]
    private let start: UnsafeRawPointer

    static func shapes<M: Message>(of type: M.Type) -> [Int: Shape] {
        var message = M()
        return withUnsafeMutablePointer(to: &message) { message in
            var visitor = FieldShapes(start: message)
            message.pointee.visit(&visitor)
            return visitor.shapes
        }
    }

    private init(start: UnsafeRawPointer) {
        self.start = start
    }

    private mutating func add<Property>(
        _ number: Int, _ kind: FieldKind, _ cardinality: FieldSchema.Cardinality, _ property: inout Property,
        elementByteCount: Int = 0
    ) {
        let offset = withUnsafeMutablePointer(to: &property) { UnsafeRawPointer($0) - start }
        shapes[number] = Shape(
            kind: kind, cardinality: cardinality,
            storage: offset..<(offset &+ max(MemoryLayout<Property>.size, 1)), elementByteCount: elementByteCount)
    }

    mutating func field<Codec: FieldCodec>(_ number: Int, _ codec: Codec.Type, _ value: inout Codec.Value) {
        add(number, Codec.kind, .implicit, &value)
    }

    mutating func field<Codec: FieldCodec>(_ number: Int, _ codec: Codec.Type, _ value: inout Codec.Value?) {
        add(number, Codec.kind, .explicit, &value)
    }

    mutating func field<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ value: inout Indirect<Codec.Value>
    ) {
        add(number, Codec.kind, .explicit, &value)
    }

    mutating func field<Codec: FieldCodec>(_ number: Int, _ codec: Codec.Type, _ values: inout [Codec.Value]) {
        add(number, Codec.kind, .repeated, &values, elementByteCount: MemoryLayout<Codec.Value>.stride)
    }

    mutating func packed<Codec: FieldCodec>(_ number: Int, _ codec: Codec.Type, _ values: inout [Codec.Value]) {
        add(number, Codec.kind, .packed, &values, elementByteCount: MemoryLayout<Codec.Value>.stride)
    }

    mutating func map<Key: MapKeyCodec, Element: FieldCodec>(
        _ number: Int, _ codec: MapField<Key, Element>.Type, _ map: inout [Key.Value: Element.Value]
    ) {
        add(
            number, .map(key: Key.kind, value: Element.kind), .repeated, &map,
            elementByteCount: MapField<Key, Element>.elementByteCount)
    }

    mutating func member<Codec: FieldCodec, Oneof>(
        _ number: Int, _ codec: Codec.Type, _ oneof: inout Oneof?,
        _ make: (Codec.Value) -> Oneof, _ value: (Oneof) -> Codec.Value?
    ) {
        add(number, Codec.kind, .explicit, &oneof)
    }
}
