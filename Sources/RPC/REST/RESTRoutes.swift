import FrameCodec
import HTTPTransport

/// Unary methods as plain HTTP resources.
///
/// ```
/// POST /v1/METHOD    JSON request in the body, for every unary method
/// GET  PATH?FIELD=.. where the method has a google.api.http rule: fields in path and query
/// ```
///
/// Nothing is served here: a route names a method and makes its request message, and the call then goes the way of
/// every other (``RPCServer``): interceptors, limits, deadlines, handler. Errors are RFC 9457 problem details.
public struct RESTRoutes: Sendable {
    struct Resource: Sendable {
        let template: PathTemplate
        let method: MethodTypes
    }

    enum Match {
        case post(MethodTypes)
        case get(MethodTypes, [(name: String, value: [UInt8])])
        /// The path is there; these verbs are.
        case otherVerb(String)
        case nothing
    }

    /// What all paths begin with: `/v1/`.
    let prefix: String
    let methods: [MethodTypes]
    let resources: [Resource]
    private let byPath: [[UInt8]: MethodTypes]

    /// - Parameters:
    ///   - methods: of one service; those that are not unary are left out.
    ///   - file: the .proto file of the service, with the rules; rules for other verbs than GET are left out.
    ///   - prefix: begins and ends with a slash.
    /// - Throws: ``RESTError``: a rule names a field that is not there, or is not supported.
    public init(_ methods: [MethodTypes], file: FileDescriptor, prefix: String = "/v1/") throws(RESTError) {
        self.prefix = prefix
        self.methods = methods.filter { $0.descriptor.kind == .unary }
        byPath = Dictionary(self.methods.map { (Array((prefix + $0.descriptor.method).utf8), $0) }) { first, _ in first }
        var resources: [Resource] = []
        let rules = HTTPRules(file: file.serializedBytes)
        for method in self.methods {
            for path in rules.gets[method.descriptor.path] ?? [] {
                let template = try PathTemplate(path)
                guard path.hasPrefix(prefix) else { throw RESTError("\"\(path)\" does not begin with \(prefix)") }
                for case .some(let name) in template.segments.map(\.name) where method.request.schema.field(named: name) == nil {
                    throw RESTError("\"\(path)\": \(method.request.schema.name) has no field \(name)")
                }
                resources.append(Resource(template: template, method: method))
            }
        }
        self.resources = resources.sorted { $0.template.isTried(before: $1.template) }
    }

    /// Whether a path is for this table, be it right or wrong.
    func owns(_ target: UnsafeRawBufferPointer) -> Bool {
        target.starts(with: prefix.utf8)
    }

    /// - Parameter target: path and query of a request.
    func match(_ verb: HTTPMethod, _ target: UnsafeRawBufferPointer) -> Match {
        let path = UnsafeRawBufferPointer(rebasing: target.prefix { $0 != UInt8(ascii: "?") })
        if let method = byPath[Array(path)] { return verb == .post ? .post(method) : .otherVerb("POST") }
        for resource in resources {
            guard let values = resource.template.match(path) else { continue }
            return verb == .get ? .get(resource.method, values) : .otherVerb("GET")
        }
        return .nothing
    }
}

extension PathTemplate.Segment {
    var name: String? {
        switch self {
        case .literal: nil
        case .variable(let name), .rest(let name): name
        }
    }
}

/// The `google.api.http` options of a file, read from its descriptor.
struct HTTPRules {
    /// Method path -> paths of GET.
    private(set) var gets: [String: [String]] = [:]

    /// - Parameter file: a serialised FileDescriptorProto, part of the program: what cannot be read is absent.
    init(file: [UInt8]) {
        file.withUnsafeBytes { bytes in
            let package = Self.texts(bytes, 2).last ?? ""
            for service in Self.elements(bytes, 6) {
                let name = (package.isEmpty ? "" : package + ".") + (Self.texts(service, 1).last ?? "")
                for method in Self.elements(service, 2) {
                    let rules = Self.elements(method, 4).flatMap { Self.elements($0, 72_295_728) }
                    let all = rules + rules.flatMap { Self.elements($0, 11) }
                    let paths = all.flatMap { Self.texts($0, 2) }
                    if !paths.isEmpty { gets["/\(name)/\(Self.texts(method, 1).last ?? "")"] = paths }
                }
            }
        }
    }

    private static func texts(_ bytes: UnsafeRawBufferPointer, _ number: UInt32) -> [String] {
        elements(bytes, number).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The values of a length-delimited field.
    private static func elements(_ bytes: UnsafeRawBufferPointer, _ number: UInt32) -> [UnsafeRawBufferPointer] {
        var found: [UnsafeRawBufferPointer] = []
        var reader = WireReader(bytes)
        do throws(WireError) {
            while let tag = try reader.nextTag() {
                if tag >> 3 == number, tag & 7 == 2 {
                    found.append(try reader.readLengthDelimited())
                } else {
                    var skipped = UnknownFields()
                    try reader.readUnknown(tag, into: &skipped)
                }
            }
        } catch {}
        return found
    }
}
