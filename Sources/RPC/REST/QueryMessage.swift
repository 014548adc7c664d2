import FrameCodec

/// The request message of a GET: fields in the path and the query, as proto-JSON.
///
/// A field is named as in the .proto file or as in JSON, with dots for those of nested messages. Repeated fields are
/// repeated; a name that means nothing is an error, because it is most often a typing error.
struct QueryMessage {
    private indirect enum Node {
        case value([UInt8])
        case list([[UInt8]])
        case object([(name: String, node: Node)])
    }

    /// Deepest nesting of a name.
    private static let maximumDepth = 8

    private let type: any Message.Type
    private var members: [(name: String, node: Node)] = []

    init(_ type: any Message.Type) {
        self.type = type
    }

    /// - Throws: INVALID_ARGUMENT that names the parameter.
    mutating func add(_ name: String, _ value: [UInt8]) throws(RPCError) {
        let words = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard words.count <= Self.maximumDepth else { throw Self.refusal(name, "is nested too deeply") }
        try Self.add(words[...], value, to: &members, of: type, name)
    }

    /// - Parameter target: path and query of a request.
    /// - Throws: INVALID_ARGUMENT that names the parameter.
    mutating func addQuery(_ target: [UInt8]) throws(RPCError) {
        let query = target.drop { $0 != UInt8(ascii: "?") }.dropFirst()
        for pair in query.split(separator: UInt8(ascii: "&")) {
            let name = pair.prefix { $0 != UInt8(ascii: "=") }
            guard let key = ConnectQuery.unescape(name),
                let value = ConnectQuery.unescape(pair.dropFirst(name.count + 1))
            else { throw RPCError(.invalidArgument, "the query is not valid percent-encoding") }
            try add(String(decoding: key, as: UTF8.self), value)
        }
    }

    var json: [UInt8] { Self.json(.object(members)) }

    private static func add(
        _ words: ArraySlice<String>, _ value: [UInt8], to members: inout [(name: String, node: Node)],
        of type: any Message.Type, _ name: String
    ) throws(RPCError) {
        guard let word = words.first, let field = type.schema.field(named: word) else {
            throw refusal(name, "is no field of the request")
        }
        let index = members.firstIndex { $0.name == field.jsonName }
        if words.count > 1 {
            guard case .message(let nested) = field.kind, !isText(field.kind), !field.isList else {
                throw refusal(name, "is no field of the request")
            }
            var inner: [(name: String, node: Node)] = []
            if let index, case .object(let present) = members[index].node { inner = present }
            try add(words.dropFirst(), value, to: &inner, of: nested, name)
            return set(.object(inner), field.jsonName, index, in: &members)
        }
        let encoded = try encode(value, field.kind, name)
        guard field.isList else {
            guard index == nil else { throw refusal(name, "is given more than once") }
            return set(.value(encoded), field.jsonName, nil, in: &members)
        }
        var list: [[UInt8]] = []
        if let index, case .list(let present) = members[index].node { list = present }
        set(.list(list + [encoded]), field.jsonName, index, in: &members)
    }

    private static func set(
        _ node: Node, _ name: String, _ index: Int?, in members: inout [(name: String, node: Node)]
    ) {
        if let index { members[index].node = node } else { members.append((name, node)) }
    }

    /// Numbers may stand in quotation marks in proto-JSON; `true` and numbers of enums may not.
    private static func encode(_ value: [UInt8], _ kind: FieldKind, _ name: String) throws(RPCError) -> [UInt8] {
        switch kind {
        case .bool:
            guard value == Array("true".utf8) || value == Array("false".utf8) else {
                throw refusal(name, "must be true or false")
            }
            return value
        case .enumeration:
            let isNumber = !value.isEmpty && value.count < 10 && value.allSatisfy { (0x30...0x39).contains($0) }
            return isNumber && (value.count == 1 || value[0] != 0x30) ? value : JSONText.quoted(value)
        case .message where !isText(kind), .map:
            throw refusal(name, "cannot stand in a query: send the request with POST")
        default: return JSONText.quoted(value)
        }
    }

    /// Whether a value is a string in JSON though it is a message.
    static func isText(_ kind: FieldKind) -> Bool {
        guard case .message(let type) = kind else { return false }
        return ["google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask"]
            .contains(type.schema.name)
    }

    private static func json(_ node: Node) -> [UInt8] {
        switch node {
        case .value(let bytes): return bytes
        case .list(let items):
            return [UInt8(ascii: "[")] + items.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "]")]
        case .object(let members):
            let texts = members.map { JSONText.quoted(Array($0.name.utf8)) + [UInt8(ascii: ":")] + json($0.node) }
            return [UInt8(ascii: "{")] + texts.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "}")]
        }
    }

    private static func refusal(_ name: String, _ problem: String) -> RPCError {
        RPCError(
            .invalidArgument, "query parameter \(name.bounded): \(problem)",
            details: [GoogleRPC.BadRequest(fieldViolations: [.init(field: name.bounded, description: problem)])]
        )
    }
}

extension FieldSchema {
    /// Any number of values, maps aside.
    var isList: Bool {
        if case .map = kind { return false }
        return cardinality == .repeated || cardinality == .packed
    }
}

/// Text of JSON.
enum JSONText {
    /// A string in quotation marks; bytes that are not UTF-8 become U+FFFD.
    static func quoted(_ text: [UInt8]) -> [UInt8] {
        quoted(String(decoding: text, as: UTF8.self))
    }

    static func quoted(_ text: String) -> [UInt8] {
        (try? Protobuf.StringValue(value: text).jsonBytes()) ?? Array("\"\"".utf8)
    }
}
