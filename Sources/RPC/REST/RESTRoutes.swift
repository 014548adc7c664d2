import FrameCodec
import HTTPTransport

/// Unary methods as plain HTTP resources.
///
/// ```
/// POST /v1/METHOD    JSON request in the body, for every unary method
/// VERB PATH?FIELD=.. as the method's google.api.http rules say: fields in path, body and query
/// ```
///
/// Nothing is served here: a route names a method and makes its request message, and the call then goes the way of
/// every other (``RPCServer``): interceptors, limits, deadlines, handler. Errors are RFC 9457 problem details.
public struct RESTRoutes: Sendable {
    struct Resource: Sendable {
        let verb: HTTPMethod
        let template: PathTemplate
        let method: MethodTypes
        let body: RESTBody.Part
    }

    enum Match {
        /// The request message in the body.
        case post(MethodTypes)
        case resource(Resource, [(name: String, value: [UInt8])])
        /// The path is there; these verbs are.
        case otherVerb(String)
        case nothing
    }

    /// What all paths begin with: `/v1/`.
    let prefix: String
    let methods: [MethodTypes]
    /// In the order in which they are tried.
    let resources: [Resource]
    private let byPath: [[UInt8]: MethodTypes]

    /// - Parameters:
    ///   - methods: of one service; those that are not unary are left out.
    ///   - file: the .proto file of the service, with the rules.
    ///   - prefix: begins and ends with a slash.
    /// - Throws: ``RESTError``: a rule names a field that is not there, or is not supported.
    public init(_ methods: [MethodTypes], file: FileDescriptor, prefix: String = "/v1/") throws(RESTError) {
        self.prefix = prefix
        self.methods = methods.filter { $0.descriptor.kind == .unary }
        byPath = Dictionary(self.methods.map { (Array((prefix + $0.descriptor.method).utf8), $0) }) { first, _ in
            first
        }
        var resources: [Resource] = []
        let rules = try HTTPRules(file: file.serializedBytes)
        for method in self.methods {
            for rule in rules.rules[method.descriptor.path] ?? [] {
                guard rule.path.hasPrefix(prefix) else {
                    throw RESTError("\"\(rule.path)\" does not begin with \(prefix)")
                }
                let template = try PathTemplate(rule.path)
                for variable in template.variables where !Self.hasField(variable.name, method.request) {
                    throw RESTError("\"\(rule.path)\": \(method.request.schema.name) has no field \(variable.name)")
                }
                let body = try RESTBody.Part(rule, method.request)
                if let same = resources.first(where: { $0.verb == rule.verb && $0.template.hasShape(of: template) }) {
                    throw RESTError("\"\(rule.path)\" is taken by \(same.method.descriptor.method)")
                }
                resources.append(Resource(verb: rule.verb, template: template, method: method, body: body))
            }
        }
        self.resources = resources.sorted { $0.template.isTried(before: $1.template) }
    }

    /// Whether a dotted name leads to a field that can stand in a path.
    private static func hasField(_ name: String, _ type: any Message.Type) -> Bool {
        let words = name.split(separator: ".", maxSplits: 1).map(String.init)
        guard let word = words.first, let field = type.schema.field(named: word), !field.isList else { return false }
        guard case .message(let nested) = field.kind, !QueryMessage.isText(field.kind) else { return words.count == 1 }
        return words.count == 2 && hasField(words[1], nested)
    }

    /// Whether a path is for this table, be it right or wrong.
    func owns(_ target: UnsafeRawBufferPointer) -> Bool {
        target.starts(with: prefix.utf8)
    }

    /// The template that fits best decides which resource is meant; then its verbs count.
    ///
    /// - Parameter target: path and query of a request.
    func match(_ verb: HTTPMethod, _ target: UnsafeRawBufferPointer) -> Match {
        let path = UnsafeRawBufferPointer(rebasing: target.prefix { $0 != UInt8(ascii: "?") })
        if let method = byPath[Array(path)] { return verb == .post ? .post(method) : .otherVerb("POST") }
        guard let best = resources.first(where: { $0.template.match(path) != nil })?.template else { return .nothing }
        let same = resources.filter { $0.template.hasShape(of: best) }
        for resource in same where resource.verb == verb {
            if let values = resource.template.match(path) { return .resource(resource, values) }
        }
        return .otherVerb(same.map(\.verb.description).sorted().joined(separator: ", "))
    }
}
