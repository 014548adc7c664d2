import FrameCodec
import HTTPTransport

/// One way to call a method: verb, path, and where the rest of the request is.
struct HTTPRule: Sendable, Equatable {
    /// Where the fields are that the path does not hold.
    enum Body: Sendable, Equatable {
        /// In the query.
        case none
        /// All in the body.
        case whole
        /// This field in the body, the others in the query.
        case field(String)
    }

    let verb: HTTPMethod
    let path: String
    let body: Body
}

/// The `google.api.http` options of a file, read from its descriptor.
struct HTTPRules {
    /// Method path -> its rules, additional bindings behind the first.
    private(set) var rules: [String: [HTTPRule]] = [:]

    /// - Parameter file: a serialised FileDescriptorProto, part of the program: what cannot be read is absent.
    /// - Throws: ``RESTError`` for a rule that is not supported: other verbs, and a part of the answer as body.
    init(file: [UInt8]) throws(RESTError) {
        var found: [(method: String, option: GoogleAPI.HttpRule)] = []
        file.withUnsafeBytes { bytes in
            let package = Self.texts(bytes, 2).last ?? ""
            for service in Self.elements(bytes, 6) {
                let name = (package.isEmpty ? "" : package + ".") + (Self.texts(service, 1).last ?? "")
                for method in Self.elements(service, 2) {
                    for option in Self.elements(method, 4).flatMap({ Self.elements($0, 72_295_728) }) {
                        guard let rule = try? GoogleAPI.HttpRule(serializedBytes: option) else { continue }
                        found.append(("/\(name)/\(Self.texts(method, 1).last ?? "")", rule))
                    }
                }
            }
        }
        for (method, option) in found {
            for option in [option] + option.additionalBindings {
                rules[method, default: []].append(try Self.rule(option))
            }
        }
    }

    private static func rule(_ option: GoogleAPI.HttpRule) throws(RESTError) -> HTTPRule {
        let (verb, path): (HTTPMethod, String) =
            switch option.pattern {
            case .get(let path): (.get, path)
            case .put(let path): (.put, path)
            case .post(let path): (.post, path)
            case .delete(let path): (.delete, path)
            case .patch(let path): (.patch, path)
            case .custom(let custom): throw RESTError("\"\(custom.path)\": the verb \(custom.kind) is not supported")
            case nil: throw RESTError("without a path")
            }
        guard option.responseBody.isEmpty else { throw RESTError("\"\(path)\": response_body is not supported") }
        let body: HTTPRule.Body =
            switch option.body {
            case "": .none
            case "*": .whole
            default: .field(option.body)
            }
        guard body == .none || (verb != .get && verb != .delete) else {
            throw RESTError("\"\(path)\": \(verb) has no body")
        }
        return HTTPRule(verb: verb, path: path, body: body)
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
