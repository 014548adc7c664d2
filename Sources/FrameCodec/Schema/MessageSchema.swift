import Synchronization

/// The shape of a message: its full name and its fields. One immutable object for each message type.
///
/// Drives JSON, text and reflection, so that generated types carry tables instead of code for them.
public final class MessageSchema: Sendable {
    /// Full protobuf name, such as `google.protobuf.Timestamp`.
    public let name: String
    /// Ordered by field number.
    public let fields: [FieldSchema]
    /// Names of the oneofs that ``FieldSchema/oneof`` counts.
    public let oneofs: [String]
    /// What proto-JSON does with this message; only well-known types differ from `.fields`.
    let jsonForm: JSONForm
    private let byName: [String: Int]
    private let cachedChecks = Mutex<WireChecks?>(nil)
    /// Position + 1 of the fields with small numbers, 0 for none.
    private let bySmallNumber: [UInt16]

    public init(_ name: String, oneofs: [String] = [], _ fields: [FieldSchema]) {
        self.name = name
        self.fields = fields.sorted { $0.number < $1.number }
        self.oneofs = oneofs
        jsonForm = JSONForm(messageName: name)
        var byName: [String: Int] = [:]
        var bySmallNumber = [UInt16](repeating: 0, count: 64)
        for (index, field) in self.fields.enumerated() {
            byName[field.name] = index
            byName[field.jsonName] = index
            if field.number < 64 { bySmallNumber[field.number] = UInt16(clamping: index + 1) }
        }
        self.byName = byName
        self.bySmallNumber = bySmallNumber
    }

    /// For ``MessageView``; made when first asked for. Two threads may both make one: it is the same.
    var checks: WireChecks {
        if let checks = cachedChecks.withLock({ $0 }) { return checks }
        let checks = WireChecks(self)
        cachedChecks.withLock { $0 = checks }
        return checks
    }

    /// The field with this number; nil when there is none.
    public func field(number: Int) -> FieldSchema? {
        index(number: number).map { fields[$0] }
    }

    /// The field with this name, as in the .proto file or as in JSON; nil when there is none.
    public func field(named name: String) -> FieldSchema? {
        byName[name].map { fields[$0] }
    }

    /// Position in ``fields``.
    func index(number: Int) -> Int? {
        if number >= 0, number < 64 {
            let position = Int(bySmallNumber[number])
            return position == 0 ? nil : position - 1
        }
        return fields.firstIndex { $0.number == number }
    }

    /// Position in ``fields`` of the one with this name in UTF-8. A few from `expected` on are compared before the
    /// name is looked up.
    func index(named name: UnsafeRawBufferPointer, expected: Int) -> Int? {
        let last = max(expected, min(expected &+ 6, fields.count))
        for index in expected..<last where fields[index].isCalled(name) { return index }
        return byName[String(decoding: name, as: UTF8.self)]
    }
}

/// One field of a message. An object, so that handing it on copies no names.
public final class FieldSchema: Sendable {
    /// How many values a field holds and how they stand on the wire.
    public enum Cardinality: Sendable, Hashable {
        /// One value; absent and default cannot be told apart.
        case implicit
        /// One value or none.
        case explicit
        /// Any number of values, one tag each; also maps.
        case repeated
        /// Any number of values behind one tag.
        case packed
    }

    public let number: Int
    /// Name in the .proto file.
    public let name: String
    /// Name in proto-JSON: lowerCamelCase unless the .proto says otherwise.
    public let jsonName: String
    public let kind: FieldKind
    public let cardinality: Cardinality
    /// Position in ``MessageSchema/oneofs``; nil for a field outside of any.
    public let oneof: Int?
    /// `debug_redact`: never shown in text, logs or error messages.
    public let isRedacted: Bool
    /// Where the property lies in a generated message, in bytes; empty for a message by hand.
    let storage: Range<Int>
    /// What ``WireLimits/maximumElementByteCount`` counts for an element; 0 for single values.
    let elementByteCount: Int
    /// ``jsonName`` as JSON text.
    let quotedJSONName: [UInt8]
    private let jsonNameBytes: [UInt8]

    public convenience init(
        _ number: Int, _ name: String, json: String? = nil, _ kind: FieldKind,
        _ cardinality: Cardinality = .implicit, oneof: Int? = nil, redacted: Bool = false
    ) {
        self.init(
            number, name, json: json, kind, cardinality, oneof: oneof, redacted: redacted, storage: 0..<0,
            elementByteCount: 0)
    }

    init(
        _ number: Int, _ name: String, json: String?, _ kind: FieldKind, _ cardinality: Cardinality,
        oneof: Int?, redacted: Bool, storage: Range<Int>, elementByteCount: Int
    ) {
        self.number = number
        self.name = name
        self.jsonName = json ?? FieldSchema.defaultJSONName(name)
        self.kind = kind
        self.cardinality = cardinality
        self.oneof = oneof
        self.isRedacted = redacted
        self.storage = storage
        self.elementByteCount = elementByteCount
        jsonNameBytes = [UInt8](jsonName.utf8)
        var quoted = GrowingBytes()
        jsonNameBytes.withUnsafeBytes { quoted.append(quoted: $0) }
        quotedJSONName = quoted.array()
    }

    func isCalled(_ name: UnsafeRawBufferPointer) -> Bool {
        jsonNameBytes.count == name.count && jsonNameBytes.withUnsafeBytes { $0.elementsEqual(name) }
    }

    /// Low three bits of the tag that this library writes for the field.
    var wireType: UInt32 { cardinality == .packed ? WireType.lengthDelimited : kind.wireType }

    public var isRepeated: Bool { cardinality == .repeated || cardinality == .packed }

    /// protoc's rule: drop each underscore and raise the letter behind it.
    public static func defaultJSONName(_ name: String) -> String {
        var result = ""
        var raisesNext = false
        for character in name.unicodeScalars {
            if character == "_" {
                raisesNext = true
            } else {
                let scalar =
                    raisesNext && ("a"..."z").contains(character) ? character.value - 32 : character.value
                result.unicodeScalars.append(Unicode.Scalar(scalar) ?? character)
                raisesNext = false
            }
        }
        return result
    }
}

/// The kind of a field's values.
public enum FieldKind: Sendable {
    case int32, int64, uint32, uint64, sint32, sint64
    case fixed32, fixed64, sfixed32, sfixed64
    case float, double, bool, string, bytes
    case enumeration(any OpenEnum.Type)
    /// By type, so that a message may refer to itself.
    case message(any Message.Type)
    indirect case map(key: FieldKind, value: FieldKind)

    /// Low three bits of the tag of one value.
    var wireType: UInt32 {
        switch self {
        case .int32, .int64, .uint32, .uint64, .sint32, .sint64, .bool, .enumeration: WireType.varint
        case .fixed32, .sfixed32, .float: WireType.fixed32
        case .fixed64, .sfixed64, .double: WireType.fixed64
        case .string, .bytes, .message, .map: WireType.lengthDelimited
        }
    }
}

/// The values of an enum.
public final class EnumSchema: Sendable {
    /// Full protobuf name.
    public let name: String
    /// In the order of the .proto file; aliases repeat a number.
    public let values: [(name: String, number: Int32)]
    private let names: [Int32: String]
    private let numbers: [String: Int32]

    public init(_ name: String, _ values: [(String, Int32)]) {
        self.name = name
        self.values = values.map { (name: $0.0, number: $0.1) }
        names = Dictionary(values.map { ($0.1, $0.0) }, uniquingKeysWith: { first, _ in first })
        numbers = Dictionary(values.map { ($0.0, $0.1) }, uniquingKeysWith: { first, _ in first })
    }

    /// The first name that the .proto file gives to `number`.
    public func name(of number: Int32) -> String? { names[number] }
    /// The number behind a name of the .proto file.
    public func number(of name: String) -> Int32? { numbers[name] }
}
