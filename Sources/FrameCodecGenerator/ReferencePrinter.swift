/// Prints one .proto file as Markdown: services with their methods, messages with their fields, enums.
struct ReferencePrinter {
    let context: FileContext

    func content() -> String {
        var output = "<!-- Made by scripts/generate from \(context.path). Do not edit. -->\n\n# \(context.package)\n"
        for (index, service) in context.file.service.enumerated() {
            print(service, [DescriptorPath.fileService, Int32(index)], to: &output)
        }
        output += "\n## Messages\n"
        for (index, message) in context.file.messageType.enumerated() {
            print(message, [], [DescriptorPath.fileMessage, Int32(index)], to: &output)
        }
        if !context.file.enumType.isEmpty { output += "\n## Enums\n" }
        for (index, enumeration) in context.file.enumType.enumerated() {
            print(enumeration, [], [DescriptorPath.fileEnum, Int32(index)], to: &output)
        }
        return output
    }

    private func print(
        _ service: Descriptors.ServiceDescriptorProto, _ path: [Int32], to output: inout String
    ) {
        output += "\n## Service \(service.name ?? "")\n"
        paragraph(path, to: &output)
        for (index, method) in service.method.enumerated() {
            output += "\n### \(method.name ?? "")\n\n"
            let request = (method.clientStreaming == true ? "stream of " : "") + link(method.inputType)
            let response = (method.serverStreaming == true ? "stream of " : "") + link(method.outputType)
            output += "\(request) -> \(response)\n"
            paragraph(path + [DescriptorPath.serviceMethod, Int32(index)], to: &output)
        }
    }

    private func print(
        _ message: Descriptors.DescriptorProto, _ scope: [String], _ path: [Int32], to output: inout String
    ) {
        // The entry of a map is shown as the type of its field.
        guard message.options?.mapEntry != true else { return }
        let scope = scope + [message.name ?? ""]
        output += "\n### \(scope.joined(separator: "."))\n"
        paragraph(path, to: &output)
        if !message.field.isEmpty { output += "\n| # | field | type | |\n|---|---|---|---|\n" }
        for (index, field) in message.field.enumerated() {
            let comment = context.comments[path + [DescriptorPath.messageField, Int32(index)]]
            let deprecated = field.options?.deprecated == true ? "Deprecated. " : ""
            let type = self.type(of: field, in: message) + choice(of: field, in: message)
            output += "| \(field.number ?? 0) | `\(field.name ?? "")` | \(type) "
            output += "| \(deprecated)\(cell(comment)) |\n"
        }
        for (index, nested) in message.nestedType.enumerated() {
            print(nested, scope, path + [DescriptorPath.messageNested, Int32(index)], to: &output)
        }
        for (index, enumeration) in message.enumType.enumerated() {
            print(enumeration, scope, path + [DescriptorPath.messageEnum, Int32(index)], to: &output)
        }
    }

    private func print(
        _ enumeration: Descriptors.EnumDescriptorProto, _ scope: [String], _ path: [Int32], to output: inout String
    ) {
        output += "\n### \((scope + [enumeration.name ?? ""]).joined(separator: "."))\n"
        paragraph(path, to: &output)
        output += "\n| # | value | |\n|---|---|---|\n"
        for (index, value) in enumeration.value.enumerated() {
            let comment = context.comments[path + [DescriptorPath.enumValue, Int32(index)]]
            output += "| \(value.number ?? 0) | `\(value.name ?? "")` | \(cell(comment)) |\n"
        }
    }

    // MARK: - Types

    private func type(
        of field: Descriptors.FieldDescriptorProto, in message: Descriptors.DescriptorProto
    ) -> String {
        let isRepeated = field.label == .repeated
        let entry = message.nestedType.first {
            $0.options?.mapEntry == true && field.typeName?.hasSuffix(".\($0.name ?? "")") == true
        }
        if let entry, isRepeated, entry.field.count == 2 {
            return "map of \(single(entry.field[0])) to \(single(entry.field[1]))"
        }
        return (isRepeated ? "list of " : field.proto3Optional == true ? "optional " : "") + single(field)
    }

    private func single(_ field: Descriptors.FieldDescriptorProto) -> String {
        if let name = field.typeName, !name.isEmpty { return link(name) }
        guard let type = field.type, let name = type.description.split(separator: "_").last else { return "" }
        return name.lowercased()
    }

    /// ", one of `name`" for a member of a oneof.
    private func choice(
        of field: Descriptors.FieldDescriptorProto, in message: Descriptors.DescriptorProto
    ) -> String {
        guard let index = field.oneofIndex, field.proto3Optional != true,
            message.oneofDecl.indices.contains(Int(index))
        else { return "" }
        return ", one of `\(message.oneofDecl[Int(index)].name ?? "")`"
    }

    /// `Repository` as a link to its heading, which GitHub and others name by its text; types of other files by
    /// their full name.
    private func link(_ typeName: String?) -> String {
        let name = String((typeName ?? "").drop { $0 == "." })
        guard name.hasPrefix(context.package + ".") else { return "`\(name)`" }
        let local = String(name.dropFirst(context.package.count + 1))
        guard context.index[typeName ?? ""]?.file == context.path else { return "`\(name)`" }
        return "[\(local)](#\(local.lowercased().filter { $0 != "." }))"
    }

    // MARK: - Comments

    private func paragraph(_ path: [Int32], to output: inout String) {
        let comment = context.comments[path]
        if !comment.isEmpty { output += "\n\(escaped(comment))\n" }
    }

    private func cell(_ comment: String) -> String {
        escaped(comment).split(separator: "\n").joined(separator: " ").split(separator: "|").joined(separator: "\\|")
    }

    /// `<` begins a tag in Markdown.
    private func escaped(_ text: String) -> String {
        text.split(separator: "<", omittingEmptySubsequences: false).joined(separator: "&lt;")
    }
}
