import FrameCodec
import HTTPTransport
import NIOCore

/// The OpenAPI 3.1 document of ``RESTRoutes``, made from the descriptors.
struct OpenAPI {
    private let rest: RESTRoutes
    private var schemas: [(String, JSONValue)] = []
    private var known: Set<String> = []
    private var waiting: [any Message.Type] = []

    init(_ rest: RESTRoutes) {
        self.rest = rest
    }

    /// - Parameters:
    ///   - title: of the API.
    ///   - version: of the API.
    static func document(_ rest: RESTRoutes, title: String, version: String) -> [UInt8] {
        var document = OpenAPI(rest)
        return document.make(title, version).bytes
    }

    private mutating func make(_ title: String, _ version: String) -> JSONValue {
        var paths: [(String, JSONValue)] = []
        for resource in rest.resources.sorted(by: { $0.template.text < $1.template.text }) {
            paths.append((Self.path(resource.template), .object([("get", get(resource))])))
        }
        for method in rest.methods {
            paths.append((rest.prefix + method.descriptor.method, .object([("post", post(method))])))
        }
        // A message may bring others, which may bring others.
        while let type = waiting.popLast() { schemas.append((type.schema.name, object(of: type))) }
        schemas.append(("Problem", Self.problem))
        let schemes: JSONValue = .object([
            ("apiKey", .object([("type", .text("apiKey")), ("in", .text("header")), ("name", .text("x-api-key"))])),
            ("bearer", .object([("type", .text("http")), ("scheme", .text("bearer"))])),
        ])
        return .object([
            ("openapi", .text("3.1.0")),
            ("info", .object([("title", .text(title)), ("version", .text(version))])),
            ("servers", .list([.object([("url", .text("/"))])])),
            ("security", .list([.object([("apiKey", .list([]))]), .object([("bearer", .list([]))])])),
            ("paths", .object(paths)),
            ("components", .object([
                ("schemas", .object(schemas.sorted { $0.0 < $1.0 })), ("securitySchemes", schemes),
            ])),
        ])
    }

    /// OpenAPI has no variables of several segments: their slashes are escaped.
    private static func path(_ template: PathTemplate) -> String {
        template.segments.map { segment in
            switch segment {
            case .literal(let bytes): "/" + String(decoding: bytes, as: UTF8.self)
            case .variable(let name), .rest(let name): "/{\(name)}"
            }
        }.joined()
    }

    // MARK: Operations

    private mutating func post(_ method: MethodTypes) -> JSONValue {
        let content: JSONValue = .object([("application/json", .object([("schema", reference(method.request))]))])
        return operation(method, method.descriptor.method, [
            ("requestBody", .object([("required", .boolean(true)), ("content", content)])),
        ])
    }

    private mutating func get(_ resource: RESTRoutes.Resource) -> JSONValue {
        let inPath = resource.template.segments.compactMap(\.name)
        var parameters: [JSONValue] = []
        for name in inPath {
            guard let field = resource.method.request.schema.field(named: name) else { continue }
            parameters.append(.object([
                ("name", .text(name)), ("in", .text("path")), ("required", .boolean(true)),
                ("schema", pathSchema(of: field)),
            ]))
        }
        addQuery(resource.method.request, prefix: "", without: inPath, to: &parameters)
        return operation(resource.method, "get" + resource.method.descriptor.method, [("parameters", .list(parameters))])
    }

    private mutating func addQuery(
        _ type: any Message.Type, prefix: String, without names: [String], to parameters: inout [JSONValue]
    ) {
        for field in type.schema.fields where !names.contains(field.name) {
            if case .map = field.kind { continue }
            if case .message(let nested) = field.kind, !QueryMessage.isText(field.kind) {
                // One level: options. Deeper requests are for POST.
                if prefix.isEmpty, !field.isList {
                    addQuery(nested, prefix: field.jsonName + ".", without: [], to: &parameters)
                }
                continue
            }
            parameters.append(.object([
                ("name", .text(prefix + field.jsonName)), ("in", .text("query")), ("required", .boolean(false)),
                ("schema", schema(of: field)),
            ]))
        }
    }

    private mutating func operation(
        _ method: MethodTypes, _ identifier: String, _ input: [(String, JSONValue)]
    ) -> JSONValue {
        let answer: JSONValue = .object([
            ("description", .text("The answer.")),
            ("content", .object([("application/json", .object([("schema", reference(method.response))]))])),
        ])
        let problem: JSONValue = .object([
            ("description", .text("What is wrong (RFC 9457).")),
            ("content", .object([
                ("application/problem+json", .object([
                    ("schema", .object([("$ref", .text("#/components/schemas/Problem"))])),
                ])),
            ])),
        ])
        return .object([
            ("operationId", .text(identifier)), ("summary", .text(method.descriptor.method)),
        ] + input + [("responses", .object([("200", answer), ("default", problem)]))])
    }

    // MARK: Schemas

    private mutating func reference(_ type: any Message.Type) -> JSONValue {
        let name = type.schema.name
        if known.insert(name).inserted { waiting.append(type) }
        return .object([("$ref", .text("#/components/schemas/\(name)"))])
    }

    private mutating func object(of type: any Message.Type) -> JSONValue {
        let properties = type.schema.fields.map { ($0.jsonName, schema(of: $0)) }
        return .object([("type", .text("object")), ("properties", .object(properties))])
    }

    private mutating func schema(of field: FieldSchema) -> JSONValue {
        let one = schema(of: field.kind)
        return field.isList ? .object([("type", .text("array")), ("items", one)]) : one
    }

    private mutating func pathSchema(of field: FieldSchema) -> JSONValue {
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
        case .enumeration(let enumeration):
            return type("string", [("enum", .list(enumeration.schema.values.map { .text($0.name) }))])
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

    private static let problem: JSONValue = {
        func text(_ name: String) -> (String, JSONValue) { (name, .object([("type", .text("string"))])) }
        let violation: JSONValue = .object([
            ("type", .text("object")), ("properties", .object([text("field"), text("description")])),
        ])
        return .object([
            ("type", .text("object")),
            ("required", .list(["type", "title", "status", "detail"].map { .text($0) })),
            ("properties", .object([
                text("type"), text("title"), ("status", .object([("type", .text("integer"))])), text("detail"),
                text("code"), text("reason"), text("domain"),
                ("metadata", .object([
                    ("type", .text("object")), ("additionalProperties", .object([("type", .text("string"))])),
                ])),
                ("violations", .object([("type", .text("array")), ("items", violation)])),
            ])),
        ])
    }()
}

extension RESTRoutes {
    /// `PREFIXopenapi.json`: the OpenAPI 3.1 document of these routes; asks for no key.
    public func openAPIRoute(title: String, version: String) -> HTTPRoute {
        let document = ByteBuffer(bytes: OpenAPI.document(self, title: title, version: version))
        return HTTPRoute(.get, prefix + "openapi.json") { exchange in
            var fields = HTTPFields()
            fields.append(.contentType, "application/json")
            fields.append(.cacheControl, "no-cache")
            exchange.sendHead(HTTPResponseHead(status: 200, fields: fields))
            exchange.sendLast(document)
        }
    }
}
