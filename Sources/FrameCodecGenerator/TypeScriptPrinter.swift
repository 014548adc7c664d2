/// Prints one .proto file as TypeScript: interfaces, a table of their fields, clients of the services, and the few
/// hundred lines that speak protobuf and gRPC-Web (``TypeScriptRuntime``). Needs no library.
struct TypeScriptPrinter {
    let context: FileContext

    /// - Throws: ``GeneratorError``: two types of one name, or a stream of requests, which gRPC-Web does not have.
    func content() throws(GeneratorError) -> String {
        let types = try reachableTypes()
        var output = """
            // Made by protoc-gen-framecodec from \(context.path). Do not edit.
            // Types and a gRPC-Web client for browsers, Node.js 18 and later, Deno and Bun; needs no library.

            """
        output += TypeScriptRuntime.text
        output += "\n// " + String(repeating: "-", count: 100) + " messages\n"
        for (name, fullName) in types {
            guard let entry = context.index[fullName] else { continue }
            if let message = entry.message { print(message, name, fullName, to: &output) }
            if let enumeration = entry.enumeration { print(enumeration, name, fullName, to: &output) }
        }
        output += "\nconst enums: Record<string, Record<string, number>> = {\n"
        for (name, fullName) in types {
            guard let values = context.index[fullName]?.enumeration?.value else { continue }
            let pairs = values.map { "\($0.name ?? ""): \($0.number ?? 0)" }
            output += wrapped("  \(name): {", pairs, "},")
        }
        output += "};\n\nconst fields: Record<string, Row[]> = {\n"
        for (name, fullName) in types {
            guard let message = context.index[fullName]?.message else { continue }
            output += wrapped("  \(name): [", message.field.map { row($0) }, "],")
        }
        output += "};\n\nlink(fields, enums);\n"
        for (index, service) in context.file.service.enumerated() {
            try print(service, [DescriptorPath.fileService, Int32(index)], to: &output)
        }
        return output
    }

    // MARK: Types

    /// What the file declares and what that refers to, by TypeScript name, in the order of the names.
    private func reachableTypes() throws(GeneratorError) -> [(name: String, fullName: String)] {
        var found: [String: String] = [:]
        var waiting: [String] = []
        func add(_ fullName: String) throws(GeneratorError) {
            let name = self.name(fullName)
            guard let known = found[name] else {
                found[name] = fullName
                return waiting.append(fullName)
            }
            guard known == fullName else {
                throw context.error(fullName, "TypeScript would call \(known) and this the same: \(name)")
            }
        }
        for message in context.file.messageType { try add("." + context.fullName(message.name ?? "")) }
        for enumeration in context.file.enumType { try add("." + context.fullName(enumeration.name ?? "")) }
        for service in context.file.service {
            for method in service.method {
                try add(method.inputType ?? "")
                try add(method.outputType ?? "")
            }
        }
        while let fullName = waiting.popLast() {
            for field in context.index[fullName]?.message?.field ?? [] {
                if let type = field.typeName, !type.isEmpty { try add(type) }
            }
        }
        return found.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// `TypeName`, `Outer_Inner` for nested types.
    private func name(_ fullName: String) -> String {
        let words = fullName.split(separator: ".")
        // Packages are written in lower case.
        return words.drop { $0.first?.isLowercase == true }.joined(separator: "_")
    }

    private func print(
        _ message: Descriptors.DescriptorProto, _ name: String, _ fullName: String, to output: inout String
    ) {
        guard message.options?.mapEntry != true else { return }
        let path = self.path(fullName)
        output += "\n" + comment(path, indent: "") + "export interface \(name) {\n"
        for (index, field) in message.field.enumerated() {
            let isAbsent = isOptional(field)
            output += comment(path.map { $0 + [DescriptorPath.messageField, Int32(index)] }, indent: "  ")
            output += "  \(jsonName(field))\(isAbsent ? "?" : ""): \(type(of: field));\n"
        }
        output += "}\n"
    }

    private func print(
        _ enumeration: Descriptors.EnumDescriptorProto, _ name: String, _ fullName: String, to output: inout String
    ) {
        output += "\n" + comment(path(fullName), indent: "") + "export type \(name) =\n"
        output += enumeration.value.map { "  | \"\($0.name ?? "")\"\n" }.joined()
        output += "  /** A value that is newer than this file. */\n  | number;\n"
    }

    /// Where a type of this file is; nil for others, whose comments are not at hand.
    private func path(_ fullName: String) -> [Int32]? {
        guard context.index[fullName]?.file == context.path else { return nil }
        let local = fullName.drop { $0 == "." }.dropFirst(context.package.isEmpty ? 0 : context.package.count + 1)
        if let index = context.file.messageType.firstIndex(where: { $0.name == String(local) }) {
            return [DescriptorPath.fileMessage, Int32(index)]
        }
        let index = context.file.enumType.firstIndex { $0.name == String(local) }
        return index.map { [DescriptorPath.fileEnum, Int32($0)] }
    }

    /// protoc fills it in.
    private func jsonName(_ field: Descriptors.FieldDescriptorProto) -> String { field.jsonName ?? field.name ?? "" }

    private func isOptional(_ field: Descriptors.FieldDescriptorProto) -> Bool {
        field.label != .repeated && (field.type == .message || field.oneofIndex != nil)
    }

    private func entry(of field: Descriptors.FieldDescriptorProto) -> Descriptors.DescriptorProto? {
        guard let entry = context.index[field.typeName ?? ""], entry.isMapEntry else { return nil }
        return entry.message
    }

    private func type(of field: Descriptors.FieldDescriptorProto) -> String {
        if let entry = entry(of: field), entry.field.count == 2 { return "Record<string, \(single(entry.field[1]))>" }
        return single(field) + (field.label == .repeated ? "[]" : "")
    }

    private func single(_ field: Descriptors.FieldDescriptorProto) -> String {
        switch field.type {
        case .int64, .uint64, .sint64, .fixed64, .sfixed64: "bigint"
        case .string: "string"
        case .bytes: "Uint8Array"
        case .bool: "boolean"
        case .message, .enum, .group: name(field.typeName ?? "")
        default: "number"
        }
    }

    /// `[1, "organizationId", 3]`, then 1 for repeated, 2 for presence, 4 for a map, and the name of the type.
    private func row(_ field: Descriptors.FieldDescriptorProto) -> String {
        let flags = entry(of: field) != nil ? 4 : field.label == .repeated ? 1 : isOptional(field) ? 2 : 0
        var words = ["\(field.number ?? 0)", "\"\(jsonName(field))\"", "\(field.type?.rawValue ?? 0)"]
        let type = (field.typeName ?? "").isEmpty ? "" : name(field.typeName ?? "")
        if flags != 0 || !type.isEmpty { words.append("\(flags)") }
        if !type.isEmpty { words.append("\"\(type)\"") }
        return "[\(words.joined(separator: ", "))]"
    }

    // MARK: Services

    private func print(
        _ service: Descriptors.ServiceDescriptorProto, _ path: [Int32], to output: inout String
    ) throws(GeneratorError) {
        let name = service.name ?? ""
        output += "\n" + comment(path, indent: "") + "export class \(name)Client extends Channel {\n"
        for (index, method) in service.method.enumerated() {
            let title = method.name ?? ""
            guard method.clientStreaming != true else {
                throw context.error("\(name).\(title)", "gRPC-Web has no stream of requests")
            }
            let (input, result) = (self.name(method.inputType ?? ""), self.name(method.outputType ?? ""))
            let isStream = method.serverStreaming == true
            if index > 0 { output += "\n" }
            output += comment(path + [DescriptorPath.serviceMethod, Int32(index)], indent: "  ")
            output += "  \(title.prefix(1).lowercased() + title.dropFirst())(\n"
            output += "    request: Init<\(input)>, options: CallOptions = {},\n"
            output += "  ): \(isStream ? "AsyncIterable" : "Promise")<\(result)> {\n"
            output += "    return this.\(isStream ? "stream" : "unary")<\(result)>(\n"
            output += "      \"/\(context.fullName(name))/\(title)\",\n"
            output += "      \"\(input)\", request, \"\(result)\", options,\n"
            output += "    );\n  }\n"
        }
        output += "}\n"
    }

    // MARK: Text

    private func comment(_ path: [Int32]?, indent: String) -> String {
        guard let path else { return "" }
        let text = context.comments[path].split(separator: "*/", omittingEmptySubsequences: false).joined(
            separator: "* /")
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        switch lines.count {
        case 0: return ""
        case 1: return lines[0].isEmpty ? "" : "\(indent)/** \(lines[0]) */\n"
        default:
            return "\(indent)/**\n" + lines.map { "\(indent) *\($0.isEmpty ? "" : " ")\($0)\n" }.joined()
                + "\(indent) */\n"
        }
    }

    /// Items in lines of at most 120 characters.
    private func wrapped(_ start: String, _ items: [String], _ end: String) -> String {
        let line = start + items.joined(separator: ", ") + end
        guard line.count > 120 else { return line + "\n" }
        var output = start + "\n"
        var current = "   "
        for item in items {
            if current.count + item.count + 2 > 120 {
                output += current + "\n"
                current = "   "
            }
            current += " \(item),"
        }
        return output + current + "\n  " + end + "\n"
    }
}
