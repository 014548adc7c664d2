/// What the plugin was asked to do: the text behind `--framecodec_out=` or in `--framecodec_opt=`.
public struct Options: Sendable {
    public enum Visibility: String, Sendable, CaseIterable {
        case `public`, package, `internal`
    }

    public enum Layout: String, Sendable, CaseIterable {
        /// `scm.pb.swift` and `scm.rpc.swift`, whatever folder the .proto is in.
        case flat
        /// `sentry/integrations/scm/v1/scm.pb.swift`.
        case tree
    }

    public enum Services: String, Sendable, CaseIterable {
        case all, none
    }

    public enum Messages: String, Sendable, CaseIterable {
        case all, none
    }

    public enum Output: String, Sendable, CaseIterable {
        case swift
        /// An API reference for people.
        case markdown
        /// The comments alone, in Swift, for documents made while a program runs.
        case comments
        /// A typed client of one file, without libraries.
        case typescript
    }

    public var output = Output.swift
    public var visibility = Visibility.public
    public var layout = Layout.flat
    public var services = Services.all
    public var messages = Messages.all
    /// `required` fields of proto2 become optional ones instead of an error.
    public var requiredAsOptional = false
    /// Path prefix of a .proto -> name of the enum that its types are nested in; empty for none.
    private var namespaces = [
        "google/protobuf/": "Protobuf", "google/rpc/": "GoogleRPC", "google/api/": "GoogleAPI",
    ]
    /// Path prefix of a .proto -> Swift module that holds its types.
    private var modules = ["google/protobuf/": "FrameCodec", "google/rpc/": "RPC", "google/api/": "RPC"]

    public static let help = """
        protoc-gen-framecodec: a protoc plugin that writes Swift for FrameCodec and RPC.

          protoc --plugin=PATH/protoc-gen-framecodec --framecodec_out=FOLDER \\
                 --framecodec_opt=KEY=VALUE[,KEY=VALUE...] -I PROTOS FILE.proto...

        Keys:
          namespace=PREFIX:NAME   nest the types of .proto files whose path starts with PREFIX in
                                  `enum NAME`; an empty NAME puts them at the top level. The longest prefix
                                  wins. Repeatable.
                                  Known: google/protobuf/:Protobuf, google/rpc/:GoogleRPC,
                                  google/api/:GoogleAPI.
          module=PREFIX:MODULE    Swift module of those types; files of other modules import it. Repeatable.
                                  Known: google/protobuf/:FrameCodec, google/rpc/:RPC,
                                  google/api/:RPC.
          visibility=public|package|internal     default public
          layout=flat|tree        flat: NAME.pb.swift, and NAME.rpc.swift for services; tree: the folders of the
                                  .proto are kept. Default flat.
          services=all|none       none leaves service protocols and clients out. Default all. Services that declare
                                  (silo.service), see silo/options.proto, become NAME.silo.swift.
          messages=all|none       none leaves messages, enums and services out: what remains is the file's
                                  descriptor, for files that only others' options refer to. Default all.
          required=error|optional what to do with `required` fields of proto2. Default error.
          output=swift|markdown|comments|typescript
                                  markdown: a reference of services and messages, NAME.md. comments: the comments as a
                                  Swift text, NAME.comments.swift. typescript: types and a client that need no library,
                                  NAME.ts, for a single file. Default swift.

          protoc-gen-framecodec check-silo RELEASED.binpb CURRENT.binpb

        compares silo services with released ones and prints what is unsafe while both run.

        Supported: proto3; of proto2 what descriptors need (optional, repeated, defaults as `...OrDefault`;
        enums are open; extension ranges are ignored). Groups, editions and extensions of anything but
        options are refused.
        Each file's descriptor is FileDescriptor.pathToFile; a recursive field is kept on the heap by @Indirect.

        Names: fields become lowerCamelCase with ID, IDs, URL, URLs, SHA and SHAs as whole words after the
        first word (`repository_id` -> `repositoryID`); enum values lose their enum's prefix (`PROVIDER_GITHUB` ->
        `.github`).
        """

    public init() {}

    /// - Throws: ``GeneratorError`` that names the key and the values it takes.
    public init(parameter: String) throws(GeneratorError) {
        for part in parameter.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let key = String(pair[0])
            let value = pair.count > 1 ? String(pair[1]) : ""
            switch key {
            case "namespace": try Self.add(value, to: &namespaces, key)
            case "module": try Self.add(value, to: &modules, key)
            case "output": output = try Self.choice(value, key)
            case "visibility": visibility = try Self.choice(value, key)
            case "layout": layout = try Self.choice(value, key)
            case "services": services = try Self.choice(value, key)
            case "messages": messages = try Self.choice(value, key)
            case "required" where value == "optional" || value == "error":
                requiredAsOptional = value == "optional"
            case "required": throw GeneratorError("parameter required=\(value): use error or optional")
            default:
                throw GeneratorError("unknown parameter '\(key)'; protoc-gen-framecodec --help lists all")
            }
        }
    }

    /// The namespace of a file's types; nil for the top level.
    func namespace(of path: String) -> String? {
        let name = Self.longestPrefix(of: path, in: namespaces) ?? ""
        return name.isEmpty ? nil : name
    }

    /// The module of a file's types; nil when the options do not say.
    func module(of path: String) -> String? {
        Self.longestPrefix(of: path, in: modules)
    }

    /// True when the file's Swift, and so its `FileDescriptor`, is known to exist in some module.
    func hasSwift(_ path: String) -> Bool {
        guard let module = module(of: path) else { return false }
        let isDefault = path.hasPrefix("google/") && module == Options().module(of: path)
        return !isDefault || Self.bundledFiles.contains(path)
    }

    private static let bundledFiles: Set<String> = [
        "google/protobuf/any.proto", "google/protobuf/duration.proto", "google/protobuf/empty.proto",
        "google/protobuf/field_mask.proto", "google/protobuf/struct.proto", "google/protobuf/timestamp.proto",
        "google/protobuf/wrappers.proto", "google/rpc/error_details.proto", "google/rpc/status.proto",
        "google/api/annotations.proto", "google/api/http.proto",
    ]

    private static func longestPrefix(of path: String, in map: [String: String]) -> String? {
        map.filter { path.hasPrefix($0.key) }.max { $0.key.utf8.count < $1.key.utf8.count }?.value
    }

    private static func add(_ value: String, to map: inout [String: String], _ key: String)
        throws(GeneratorError)
    {
        guard let colon = value.lastIndex(of: ":") else {
            throw GeneratorError("parameter \(key)=\(value): write \(key)=PREFIX:NAME")
        }
        map[String(value[..<colon])] = String(value[value.index(after: colon)...])
    }

    private static func choice<Choice: RawRepresentable & CaseIterable>(
        _ value: String, _ key: String
    ) throws(GeneratorError) -> Choice where Choice.RawValue == String {
        guard let choice = Choice(rawValue: value) else {
            let choices = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw GeneratorError("parameter \(key)=\(value): use one of \(choices)")
        }
        return choice
    }
}
