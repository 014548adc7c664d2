import FrameCodec

/// JSON Schemas of messages, collected while an OpenAPI document is made.
struct OpenAPISchemas {
    private let comments: ContractComments
    private var known: Set<String> = []
    private var waiting: [any Message.Type] = []
    private var enumerations: [(String, JSONValue)] = []

    init(comments: ContractComments) {
        self.comments = comments
    }

    /// Everything that was referred to, and what that refers to, by name.
    mutating func all() -> [(String, JSONValue)] {
        var found: [(String, JSONValue)] = []
        // A message may bring others, which may bring others.
        while let type = waiting.popLast() { found.append((type.schema.name, object(of: type))) }
        found.append(("Problem", OpenAPIProblems.schema))
        return (found + enumerations).sorted { $0.0 < $1.0 }
    }

    mutating func reference(_ type: any Message.Type) -> JSONValue {
        let name = type.schema.name
        if known.insert(name).inserted { waiting.append(type) }
        return .object([("$ref", .text("#/components/schemas/\(name)"))])
    }

    private mutating func object(of type: any Message.Type) -> JSONValue {
        let name = type.schema.name
        let properties = type.schema.fields.map {
            ($0.jsonName, Self.described(schema(of: $0), comments.text("\(name).\($0.name)")))
        }
        return Self.described(
            .object([("type", .text("object")), ("properties", .object(properties))]), comments.text(name)
        )
    }

    mutating func schema(of field: FieldSchema) -> JSONValue {
        let one = schema(of: field.kind)
        return field.isList ? .object([("type", .text("array")), ("items", one)]) : one
    }

    /// That of a value in a path, which is never empty.
    mutating func path(_ field: FieldSchema) -> JSONValue {
        guard case .string = field.kind else { return schema(of: field) }
        return .object([("type", .text("string")), ("minLength", .number(1))])
    }

    private mutating func schema(of kind: FieldKind) -> JSONValue {
        func type(_ name: String, _ more: [(String, JSONValue)] = []) -> JSONValue {
            .object([("type", .text(name))] + more)
        }
        switch kind {
        case .int32, .sint32, .sfixed32:
            return type("integer", [("minimum", .number(-2_147_483_648)), ("maximum", .number(2_147_483_647))])
        case .uint32, .fixed32: return type("integer", [("minimum", .number(0)), ("maximum", .number(4_294_967_295))])
        case .int64, .sint64, .sfixed64: return type("string", [("pattern", .text("^-?[0-9]{1,18}$"))])
        case .uint64, .fixed64: return type("string", [("pattern", .text("^[0-9]{1,18}$"))])
        case .float, .double: return type("number")
        case .bool: return type("boolean")
        case .string: return type("string")
        case .bytes: return type("string", [("contentEncoding", .text("base64"))])
        case .enumeration(let enumeration): return reference(enumeration.schema)
        case .map(_, let value): return type("object", [("additionalProperties", schema(of: value))])
        case .message(let message): return schema(ofMessage: message)
        }
    }

    private mutating func schema(ofMessage message: any Message.Type) -> JSONValue {
        switch message.schema.name {
        case "google.protobuf.Timestamp": .object([("type", .text("string")), ("format", .text("date-time"))])
        case "google.protobuf.Duration":
            .object([("type", .text("string")), ("pattern", .text("^-?[0-9]{1,12}(\\.[0-9]{1,9})?s$"))])
        case "google.protobuf.FieldMask": .object([("type", .text("string"))])
        case "google.protobuf.Any":
            .object([
                ("type", .text("object")), ("properties", .object([("@type", .object([("type", .text("string"))]))])),
                ("required", .list([.text("@type")])),
            ])
        default: reference(message)
        }
    }

    /// The names with what they mean.
    private mutating func reference(_ schema: EnumSchema) -> JSONValue {
        if known.insert(schema.name).inserted {
            let lines = schema.values.map { value in
                let words = comments.text("\(schema.name).\(value.name)").split(separator: "\n")
                return "- `\(value.name)`: \(words.joined(separator: " "))"
            }
            let names: JSONValue = .list(schema.values.map { .text($0.name) })
            let text = ([comments.text(schema.name)] + lines).joined(separator: "\n")
            enumerations.append(
                (schema.name, Self.described(.object([("type", .text("string")), ("enum", names)]), text)))
        }
        return .object([("$ref", .text("#/components/schemas/\(schema.name)"))])
    }

    private static func described(_ schema: JSONValue, _ text: String) -> JSONValue {
        guard !text.isEmpty, case .object(let members) = schema else { return schema }
        return .object(members + [("description", .text(text))])
    }
}

extension JSONValue {
    /// Members by name: the order of the text is lost.
    init(_ value: Protobuf.Struct) {
        self = .object(value.fields.sorted { $0.key < $1.key }.map { ($0.key, JSONValue($0.value)) })
    }

    init(_ value: Protobuf.Value) {
        switch value.kind {
        case .boolValue(let value): self = .boolean(value)
        case .numberValue(let value): self = .number(Int(exactly: value) ?? 0)
        case .stringValue(let value): self = .text(value)
        case .listValue(let list): self = .list(list.values.map(JSONValue.init))
        case .structValue(let value): self = JSONValue(value)
        case .nullValue, nil: self = .object([])
        }
    }
}
