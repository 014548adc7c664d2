/// Every message and enum of all files that protoc handed over, by full protobuf name.
struct TypeIndex {
    struct Entry {
        /// Path of the .proto file.
        let file: String
        /// Swift module; nil when the options do not name one.
        let module: String?
        /// Swift names from the top level of the module down to the type.
        let path: [String]
        /// Descriptor of a message; nil for an enum.
        let message: Descriptors.DescriptorProto?
        /// Descriptor of an enum; nil for a message.
        let enumeration: Descriptors.EnumDescriptorProto?

        var isMapEntry: Bool { message?.options?.mapEntry == true }
    }

    private var entries: [String: Entry] = [:]
    /// First Swift name of every type and every name in between, to find what would be shadowed.
    private(set) var swiftNames: Set<String> = []
    private var reachable: [String: Set<String>] = [:]

    init(_ files: [Descriptors.FileDescriptorProto], options: Options) {
        for file in files {
            let package = file.package ?? ""
            let path = file.name ?? ""
            let namespace = options.namespace(of: path).map { [$0] } ?? []
            let scope = Scope(file: path, module: options.module(of: path))
            for message in file.messageType { add(message, prefix: package, path: namespace, scope) }
            for enumeration in file.enumType { add(enumeration, prefix: package, path: namespace, scope) }
        }
        for (name, entry) in entries where entry.message != nil { reachable[name] = embedded(in: name) }
    }

    private struct Scope {
        let file: String
        let module: String?
    }

    private mutating func add(
        _ message: Descriptors.DescriptorProto, prefix: String, path: [String], _ scope: Scope
    ) {
        let name = prefix.isEmpty ? message.name ?? "" : "\(prefix).\(message.name ?? "")"
        let path = path + [Naming.type(message.name ?? "")]
        swiftNames.formUnion(path)
        entries[name] = Entry(
            file: scope.file, module: scope.module, path: path, message: message, enumeration: nil)
        for nested in message.nestedType { add(nested, prefix: name, path: path, scope) }
        for enumeration in message.enumType { add(enumeration, prefix: name, path: path, scope) }
    }

    private mutating func add(
        _ enumeration: Descriptors.EnumDescriptorProto, prefix: String, path: [String], _ scope: Scope
    ) {
        let name = prefix.isEmpty ? enumeration.name ?? "" : "\(prefix).\(enumeration.name ?? "")"
        let path = path + [Naming.type(enumeration.name ?? "")]
        swiftNames.formUnion(path)
        entries[name] = Entry(
            file: scope.file, module: scope.module, path: path, message: nil, enumeration: enumeration)
    }

    /// Looks up a type name as descriptors write it, with a leading dot.
    subscript(typeName: String) -> Entry? {
        entries[typeName.hasPrefix(".") ? String(typeName.dropFirst()) : typeName]
    }

    /// True when a value of `target` holds a value of `message` in place, through fields that are not
    /// repeated: such a field needs storage on the heap.
    func isRecursive(_ target: String, in message: String) -> Bool {
        let target = String(target.drop { $0 == "." })
        return target == message || reachable[target]?.contains(message) == true
    }

    private func embedded(in message: String) -> Set<String> {
        var found: Set<String> = []
        var open = [message]
        while let name = open.popLast() {
            for field in entries[name]?.message?.field ?? [] where field.label != .repeated {
                guard field.type == .message, let target = field.typeName?.drop(while: { $0 == "." }) else {
                    continue
                }
                if found.insert(String(target)).inserted { open.append(String(target)) }
            }
        }
        return found
    }
}
