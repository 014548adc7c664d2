import FrameCodec
import HTTPTransport
import NIOCore
import Synchronization

/// The OpenAPI 3.1 document of ``RESTRoutes``, made from the descriptors and the contract's comments.
struct OpenAPI {
    private let rest: RESTRoutes
    private let comments: ContractComments
    private var schemas: OpenAPISchemas

    /// - Parameters:
    ///   - title: of the API.
    ///   - version: of the API.
    static func document(
        _ rest: RESTRoutes, title: String, version: String, comments: ContractComments = ContractComments()
    ) -> [UInt8] {
        var document = OpenAPI(rest: rest, comments: comments, schemas: OpenAPISchemas(comments: comments))
        return document.make(title, version).bytes
    }

    private mutating func make(_ title: String, _ version: String) -> JSONValue {
        var paths: [(String, JSONValue)] = []
        for shape in shapes().sorted(by: { $0.path < $1.path }) {
            let items = shape.resources.sorted { "\($0.resource.verb)" < "\($1.resource.verb)" }.map { found in
                ("\(found.resource.verb)".lowercased(), operation(found.resource, found.identifier, shape.names))
            }
            paths.append((shape.path, .object(items)))
        }
        for method in rest.methods {
            paths.append((rest.prefix + method.descriptor.method, .object([("post", post(method))])))
        }
        let schemes: JSONValue = .object([
            ("apiKey", .object([("type", .text("apiKey")), ("in", .text("header")), ("name", .text("x-api-key"))])),
            ("bearer", .object([("type", .text("http")), ("scheme", .text("bearer"))])),
        ])
        let service = rest.methods.first?.descriptor.service ?? ""
        return .object([
            ("openapi", .text("3.1.0")),
            ("info", .object([
                ("title", .text(title)), ("version", .text(version)), ("description", .text(comments.text(service))),
            ])),
            ("servers", .list([.object([("url", .text("/"))])])),
            ("security", .list([.object([("apiKey", .list([]))]), .object([("bearer", .list([]))])])),
            ("paths", .object(paths)),
            ("components", .object([
                ("schemas", .object(schemas.all())), ("responses", .object(OpenAPIProblems.responses)),
                ("securitySchemes", schemes),
            ])),
        ])
    }

    // MARK: Paths

    /// Resources of one path, which OpenAPI wants together and with the same names.
    private struct Shape {
        let path: String
        /// Of the variables, by position.
        let names: [String]
        var resources: [(resource: RESTRoutes.Resource, identifier: String)]
    }

    private func shapes() -> [Shape] {
        var shapes: [(template: PathTemplate, shape: Shape)] = []
        var counts: [String: Int] = [:]
        // The shortest names first: `repository_id` rather than `repository.id`.
        let ordered = rest.resources.sorted { "\($0.verb)" < "\($1.verb)" }
        for resource in ordered {
            let method = resource.method.descriptor.method
            let count = counts[method, default: 0] + 1
            counts[method] = count
            let identifier = method.prefix(1).lowercased() + method.dropFirst() + (count > 1 ? "\(count)" : "")
            if let index = shapes.firstIndex(where: { $0.template.hasShape(of: resource.template) }) {
                shapes[index].shape.resources.append((resource, identifier))
                continue
            }
            let names = resource.template.variables.map { $0.name.split(separator: ".").joined(separator: "_") }
            let path = Self.path(resource.template, names)
            shapes.append((resource.template, Shape(path: path, names: names, resources: [(resource, identifier)])))
        }
        return shapes.map(\.shape)
    }

    /// OpenAPI has no variables of several segments: their slashes are escaped.
    private static func path(_ template: PathTemplate, _ names: [String]) -> String {
        var (path, index) = ("", 0)
        while index < template.segments.count {
            if let position = template.variables.firstIndex(where: { $0.segments.lowerBound == index }) {
                path += "/{\(names[position])}"
                index = template.variables[position].segments.upperBound
                continue
            }
            if case .literal(let bytes) = template.segments[index] {
                path += "/" + String(decoding: bytes, as: UTF8.self)
            }
            index += 1
        }
        return path + (template.verb.isEmpty ? "" : ":" + String(decoding: template.verb, as: UTF8.self))
    }

    // MARK: Operations

    private mutating func post(_ method: MethodTypes) -> JSONValue {
        operation(method, method.descriptor.method, tag: "methods", [
            ("requestBody", body(schemas.reference(method.request), example(method).map(JSONValue.init))),
        ])
    }

    private mutating func operation(
        _ resource: RESTRoutes.Resource, _ identifier: String, _ names: [String]
    ) -> JSONValue {
        let method = resource.method
        var sample = example(method)
        var parameters: [JSONValue] = []
        let variables = resource.template.variables.map(\.name)
        for (variable, name) in zip(variables, names) {
            guard let (type, field) = Self.field(variable, in: method.request) else { continue }
            let found = sample?.take(Self.jsonPath(variable, in: method.request))
            parameters.append(.object([
                ("name", .text(name)), ("in", .text("path")), ("required", .boolean(true)),
                ("description", .text(comments.text("\(type.schema.name).\(field.name)"))),
                ("schema", schemas.path(field)), ("example", found.map(JSONValue.init) ?? .text("0")),
            ]))
        }
        var input: [(String, JSONValue)] = []
        switch resource.body {
        case .none: addQuery(method.request, prefix: "", without: variables, &sample, to: &parameters)
        case .whole:
            input = [("requestBody", body(schemas.reference(method.request), sample.map(JSONValue.init)))]
        case .field(let number, let type):
            guard let field = method.request.schema.field(number: number) else { break }
            let found = sample?.take([field.jsonName]) ?? Protobuf.Value(kind: .structValue(Protobuf.Struct()))
            input = [("requestBody", body(schemas.reference(type), JSONValue(found)))]
            addQuery(method.request, prefix: "", without: variables + [field.name], &sample, to: &parameters)
        }
        if !parameters.isEmpty { input.insert(("parameters", .list(parameters)), at: 0) }
        return operation(method, identifier, tag: Self.tag(resource.template), input)
    }

    /// The first word behind the prefix.
    private static func tag(_ template: PathTemplate) -> String {
        let words = template.segments.compactMap { segment -> String? in
            if case .literal(let bytes) = segment { String(decoding: bytes, as: UTF8.self) } else { nil }
        }
        return words.dropFirst().first ?? "methods"
    }

    private func body(_ schema: JSONValue, _ example: JSONValue?) -> JSONValue {
        let media = [("schema", schema)] + (example.map { [("example", $0)] } ?? [])
        return .object([
            ("required", .boolean(true)), ("content", .object([("application/json", .object(media))])),
        ])
    }

    private mutating func addQuery(
        _ type: any Message.Type, prefix: String, without names: [String], _ sample: inout Protobuf.Struct?,
        to parameters: inout [JSONValue]
    ) {
        // Another member of a oneof that the path has would be a second choice.
        let chosen = names.compactMap { type.schema.field(named: $0)?.oneof }
        for field in type.schema.fields where !names.contains(field.name) {
            if case .map = field.kind { continue }
            if let oneof = field.oneof, chosen.contains(oneof) { continue }
            if case .message(let nested) = field.kind, !QueryMessage.isText(field.kind) {
                // One level: options. Deeper requests are for POST.
                if prefix.isEmpty, !field.isList {
                    var inner: Protobuf.Struct?
                    addQuery(nested, prefix: field.jsonName + ".", without: [], &inner, to: &parameters)
                }
                continue
            }
            let found = prefix.isEmpty ? sample?.take([field.jsonName]) : nil
            parameters.append(.object([
                ("name", .text(prefix + field.jsonName)), ("in", .text("query")), ("required", .boolean(false)),
                ("description", .text(comments.text("\(type.schema.name).\(field.name)"))),
                ("schema", schemas.schema(of: field)),
            ] + (found.map { [("example", JSONValue($0))] } ?? [])))
        }
    }

    private mutating func operation(
        _ method: MethodTypes, _ identifier: String, tag: String, _ input: [(String, JSONValue)]
    ) -> JSONValue {
        let name = "\(method.descriptor.service).\(method.descriptor.method)"
        let answer: JSONValue = .object([
            ("description", .text("The answer.")),
            ("content", .object([("application/json", .object([("schema", schemas.reference(method.response))]))])),
        ])
        return .object([
            ("operationId", .text(identifier)), ("tags", .list([.text(tag)])),
            ("summary", .text(comments.summary(name))), ("description", .text(comments.text(name))),
        ] + input + [
            ("responses", .object([("200", answer)] + OpenAPIProblems.references(comments.statuses(name)))),
        ])
    }

    // MARK: Examples

    /// The request in a method's comment in its canonical form; nil without one.
    private func example(_ method: MethodTypes) -> Protobuf.Struct? {
        guard let text = comments.example("\(method.descriptor.service).\(method.descriptor.method)"),
            let message = try? method.request.init(jsonBytes: Array(text.utf8)), let json = try? message.jsonBytes()
        else { return nil }
        return try? Protobuf.Struct(jsonBytes: json)
    }

    /// The last field of a dotted name, with the message that has it.
    private static func field(
        _ name: String, in type: any Message.Type
    ) -> (type: any Message.Type, field: FieldSchema)? {
        let words = name.split(separator: ".", maxSplits: 1).map(String.init)
        guard let word = words.first, let field = type.schema.field(named: word) else { return nil }
        guard words.count == 2 else { return (type, field) }
        guard case .message(let nested) = field.kind else { return nil }
        return self.field(words[1], in: nested)
    }

    private static func jsonPath(_ name: String, in type: any Message.Type) -> [String] {
        let words = name.split(separator: ".", maxSplits: 1).map(String.init)
        guard let word = words.first, let field = type.schema.field(named: word) else { return [] }
        guard words.count == 2, case .message(let nested) = field.kind else { return [field.jsonName] }
        return [field.jsonName] + jsonPath(words[1], in: nested)
    }
}

extension Protobuf.Struct {
    /// Removes and returns the value at a path of member names.
    fileprivate mutating func take(_ path: [String]) -> Protobuf.Value? {
        guard let name = path.first else { return nil }
        guard path.count > 1 else { return fields.removeValue(forKey: name) }
        guard case .structValue(var inner) = fields[name]?.kind else { return nil }
        let found = inner.take(Array(path.dropFirst()))
        fields[name] = Protobuf.Value(kind: .structValue(inner))
        return found
    }
}

extension RESTRoutes {
    /// `PREFIXopenapi.json`: the OpenAPI 3.1 document of these routes; asks for no key.
    ///
    /// - Parameter comments: what stands in it for people. Read when somebody asks for the document, like the rest of
    ///   it: most servers run without that.
    public func openAPIRoute(
        title: String, version: String, comments: @escaping @Sendable () -> ContractComments = { ContractComments() }
    ) -> HTTPRoute {
        let document = OpenAPIDocument {
            OpenAPI.document(self, title: title, version: version, comments: comments())
        }
        return HTTPRoute(.get, prefix + "openapi.json") { exchange in
            let bytes = await document.bytes()
            var fields = HTTPFields()
            fields.append(.contentType, "application/json")
            fields.append(.cacheControl, "no-cache")
            exchange.sendHead(HTTPResponseHead(status: 200, fields: fields))
            exchange.sendLast(bytes)
        }
    }
}

/// A document that is made once, when it is first asked for, and not on an event loop.
private final class OpenAPIDocument: Sendable {
    private let make: @Sendable () -> [UInt8]
    private let made = Mutex<ByteBuffer?>(nil)

    init(_ make: @escaping @Sendable () -> [UInt8]) {
        self.make = make
    }

    @concurrent func bytes() async -> ByteBuffer {
        if let bytes = made.withLock({ $0 }) { return bytes }
        let bytes = ByteBuffer(bytes: make())
        made.withLock { $0 = bytes }
        return bytes
    }
}
