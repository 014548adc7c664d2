/// What the printers of one file share.
final class FileContext {
    let file: Descriptors.FileDescriptorProto
    let options: Options
    let index: TypeIndex
    let comments: Comments
    /// All of protoc's input.
    let request: Plugin.CodeGeneratorRequest
    /// Modules that the file's types refer to.
    private(set) var imports: Set<String> = []

    init(
        _ file: Descriptors.FileDescriptorProto, request: Plugin.CodeGeneratorRequest, options: Options,
        index: TypeIndex
    ) {
        self.file = file
        self.request = request
        self.options = options
        self.index = index
        comments = Comments(file)
    }

    var path: String { file.name ?? "" }
    var package: String { file.package ?? "" }
    var module: String? { options.module(of: path) }
    var isProto3: Bool { file.syntax == "proto3" }
    /// `public `, `package ` or nothing.
    var access: String { options.visibility == .internal ? "" : options.visibility.rawValue + " " }

    func fullName(_ name: String) -> String { package.isEmpty ? name : "\(package).\(name)" }

    func require(module name: String) {
        if name != module { imports.insert(name) }
    }

    /// A type of the runtime or of Swift, with its module when the file's own types would hide it.
    func runtime(_ name: String, module: String = "FrameCodec") -> String {
        index.swiftNames.contains(name) ? "\(module).\(name)" : name
    }

    func swift(_ name: String) -> String { runtime(name, module: "Swift") }

    /// The Swift spelling of a message or enum, as seen from inside the types of `scope`.
    func reference(_ typeName: String, from scope: [String], element: String) throws(GeneratorError) -> String
    {
        guard let entry = index[typeName] else {
            throw error(element, "type \(typeName) is not in the input; pass its file with -I to protoc")
        }
        if let other = entry.module, other != module { require(module: other) }
        let name = entry.path.joined(separator: ".")
        guard let first = entry.path.first, isHidden(first, from: scope) else { return name }
        guard let home = entry.module else {
            throw error(
                element,
                "type \(name) is hidden by a nested type of the same name; "
                    + "add the parameter module=\(entry.file):MODULE so that it can be written "
                    + "as MODULE.\(name)"
            )
        }
        return "\(home).\(name)"
    }

    /// True when a type nested in one of the enclosing types has the name.
    private func isHidden(_ name: String, from scope: [String]) -> Bool {
        var enclosing = fullNamePrefix(scope)
        while !enclosing.isEmpty {
            if let entry = index[enclosing], let message = entry.message {
                let nested = message.nestedType.map { $0.name ?? "" } + message.enumType.map { $0.name ?? "" }
                if nested.contains(where: { Naming.type($0) == name }) { return true }
            }
            guard let dot = enclosing.lastIndex(of: ".") else { break }
            enclosing = String(enclosing[..<dot])
        }
        return false
    }

    private func fullNamePrefix(_ scope: [String]) -> String { fullName(scope.joined(separator: ".")) }

    /// Extensions of options are for protoc and its plugins. Those of other messages would be missing in Swift.
    func checkExtensions(
        _ extensions: [Descriptors.FieldDescriptorProto], _ element: String
    ) throws(GeneratorError) {
        for field in extensions {
            let extendee = field.extendee ?? ""
            guard !extendee.hasPrefix(".google.protobuf.") || !extendee.hasSuffix("Options") else { continue }
            throw error(
                "\(element).\(field.name ?? "")",
                "extensions of \(extendee.drop { $0 == "." }) are not supported; make it a field of that message")
        }
    }

    func error(_ element: String, _ problem: String) -> GeneratorError {
        GeneratorError(file: path, element: element, problem)
    }
}
