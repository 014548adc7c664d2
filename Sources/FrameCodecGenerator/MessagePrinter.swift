/// Prints one message: properties, initialisers, schema and the three functions of the codec.
struct MessagePrinter {
    let context: FileContext
    let message: Descriptors.DescriptorProto
    /// Protobuf names from the outermost message to this one.
    let scope: [String]
    /// Path in the source code info.
    let path: [Int32]
    private let fields: [FieldModel]
    private let oneofs: [OneofModel]

    /// A `oneof` as an enum and a property.
    struct OneofModel {
        let name: String
        let member: String
        let type: String
        let documentation: String
        let fields: [FieldModel]
    }

    init(
        _ message: Descriptors.DescriptorProto, enclosing: [String], path: [Int32], context: FileContext
    ) throws(GeneratorError) {
        self.context = context
        self.message = message
        self.path = path
        scope = enclosing + [message.name ?? ""]
        let builder = FieldModelBuilder(context: context, scope: scope, message: message)
        var fields: [FieldModel] = []
        for (index, field) in message.field.enumerated() {
            let comment = context.comments[path + [DescriptorPath.messageField, Int32(index)]]
            fields.append(try builder.build(field, documentation: comment))
        }
        self.fields = fields
        oneofs = message.oneofDecl.enumerated().map { index, oneof in
            Self.oneof(oneof.name ?? "", index, fields, path, context)
        }.filter { !$0.fields.isEmpty }
        try checkNames()
    }

    private static func oneof(
        _ name: String, _ index: Int, _ fields: [FieldModel], _ path: [Int32], _ context: FileContext
    ) -> OneofModel {
        let type = Naming.type(Naming.upperCamelCase(name))
        return OneofModel(
            name: name,
            member: Naming.member(name),
            // A nested enum must not hide a type that the fields use.
            type: context.index.swiftNames.contains(type) ? type + "Oneof" : type,
            documentation: context.comments[path + [DescriptorPath.messageOneof, Int32(index)]],
            fields: fields.filter { $0.oneof == index }
        )
    }

    private func checkNames() throws(GeneratorError) {
        var seen: [String: String] = [:]
        let members =
            fields.filter { $0.oneof == nil }.map { ($0.member, $0.name) }
            + oneofs.map { ($0.member, $0.name) }
        for (member, name) in members {
            if let other = seen.updateValue(name, forKey: member) {
                throw context.error(
                    scope.joined(separator: "."),
                    "\(other) and \(name) would both be called \(member) in Swift; rename one")
            }
        }
    }

    /// Properties in the order of the .proto, a oneof at its first field.
    private enum Property {
        case field(FieldModel)
        case oneof(OneofModel)
    }

    private var properties: [Property] {
        var printed: Set<Int> = []
        return fields.compactMap { field in
            guard let index = field.oneof else { return .field(field) }
            guard printed.insert(index).inserted else { return nil }
            return oneofs.first { $0.fields.first?.oneof == index }.map { .oneof($0) }
        }
    }

    func print(to printer: inout SourcePrinter) throws(GeneratorError) {
        printer.documentation(context.comments[path])
        let name = Naming.type(message.name ?? "")
        try printer.block("\(context.access)struct \(name): \(context.runtime("Message")) {") {
            printer throws(GeneratorError) in
            printProperties(to: &printer)
            printInitializers(to: &printer)
            try printDefaults(to: &printer)
            printSchema(to: &printer)
            try printSize(to: &printer)
            try printEncode(to: &printer)
            try printMerge(to: &printer)
            try printOneofs(to: &printer)
            try printNested(to: &printer)
        }
    }

    private func printProperties(to printer: inout SourcePrinter) {
        for property in properties {
            switch property {
            case .field(let field):
                printer.documentation(field.documentation)
                let wrapper = field.isRecursive ? "@\(context.runtime("Indirect")) " : ""
                let value = field.isRecursive || field.initialValue != "nil" ? " = \(field.initialValue)" : ""
                printer.line("\(wrapper)\(context.access)var \(field.member): \(field.propertyType)\(value)")
            case .oneof(let oneof):
                printer.documentation(oneof.documentation)
                printer.line("\(context.access)var \(oneof.member): \(oneof.type)?")
            }
        }
        printer.line("\(context.access)var unknownFields = \(context.runtime("UnknownFields"))()")
    }

    private func printInitializers(to printer: inout SourcePrinter) {
        printer.line()
        printer.line("\(context.access)init() {}")
        guard !fields.isEmpty else { return }
        var parameters: [String] = []
        var members: [String] = []
        for property in properties {
            switch property {
            case .field(let field):
                parameters.append("\(field.member): \(field.propertyType) = \(field.initialValue)")
                members.append(field.member)
            case .oneof(let oneof):
                parameters.append("\(oneof.member): \(oneof.type)? = nil")
                members.append(oneof.member)
            }
        }
        printer.line()
        printer.list("\(context.access)init(", parameters, ") {")
        try? printer.indented { printer in
            for member in members { printer.line("self.\(member) = \(member)") }
        }
        printer.line("}")
    }

    /// proto2 defaults: `optimizeForOrDefault`.
    private func printDefaults(to printer: inout SourcePrinter) throws(GeneratorError) {
        for field in fields where field.declaredDefault != nil && field.oneof == nil {
            guard let value = field.declaredDefault else { continue }
            let plain = field.member.filter { $0 != "`" }
            printer.line()
            printer.line("/// `\(plain)`, or its default value when it is not set.")
            printer.line(
                "\(context.access)var \(plain)OrDefault: \(field.valueType) { \(field.member) ?? \(value) }")
        }
    }

    private func printSchema(to printer: inout SourcePrinter) {
        printer.line()
        let name = SwiftLiteral.string(context.fullName(scope.joined(separator: ".")))
        let names =
            oneofs.isEmpty
            ? "" : ", oneofs: [\(realOneofNames.map { SwiftLiteral.string($0) }.joined(separator: ", "))]"
        let head =
            "\(context.access)static let schema = \(context.runtime("MessageSchema"))(\(name)\(names), ["
        guard !fields.isEmpty else { return printer.line(head + "])") }
        printer.line(head)
        try? printer.indented { printer in
            for field in fields { printer.line(field.schemaEntry + ",") }
        }
        printer.line("])")
    }

    /// Invented oneofs of `optional` come last in a descriptor, so the indices of the real ones stay.
    private var realOneofNames: [String] { oneofs.map(\.name) }

    private func printNested(to printer: inout SourcePrinter) throws(GeneratorError) {
        for (index, enumeration) in message.enumType.enumerated() {
            printer.line()
            try EnumPrinter(
                enumeration, enclosing: scope, path: path + [DescriptorPath.messageEnum, Int32(index)],
                context: context
            ).print(to: &printer)
        }
        for (index, nested) in message.nestedType.enumerated() where nested.options?.mapEntry != true {
            printer.line()
            try MessagePrinter(
                nested, enclosing: scope, path: path + [DescriptorPath.messageNested, Int32(index)],
                context: context
            ).print(to: &printer)
        }
    }

    private func printOneofs(to printer: inout SourcePrinter) throws(GeneratorError) {
        for oneof in oneofs {
            printer.line()
            let sendable = "\(context.swift("Sendable")), \(context.swift("Hashable"))"
            try printer.block("\(context.access)enum \(oneof.type): \(sendable) {") {
                printer throws(GeneratorError) in
                for field in oneof.fields {
                    printer.documentation(field.documentation)
                    printer.line(
                        "\(field.isRecursive ? "indirect " : "")case \(field.member)(\(field.valueType))")
                }
            }
        }
    }
}

// MARK: - The codec

extension MessagePrinter {
    private func property(of field: FieldModel) -> String {
        guard let index = field.oneof, let oneof = oneofs.first(where: { $0.fields.first?.oneof == index })
        else {
            return field.access
        }
        return ["size", "writer", "reader", "tag", "value", "current"].contains(oneof.member)
            ? "self.\(oneof.member)" : oneof.member
    }

    private func printSize(to printer: inout SourcePrinter) throws(GeneratorError) {
        printer.line()
        guard !fields.isEmpty else {
            return printer.line(
                "\(context.access)var encodedByteCount: \(context.swift("Int")) { unknownFields.byteCount }")
        }
        let head = "\(context.access)var encodedByteCount: \(context.swift("Int")) {"
        try printer.block(head) { printer throws(GeneratorError) in
            printer.line("var size = unknownFields.byteCount")
            for field in fields {
                let function = field.shape == .packed ? "sizePacked" : "size"
                if field.oneof != nil {
                    printer.statement(
                        "if case .\(field.member)(let value)? = \(property(of: field))",
                        "size += \(field.codec).sizePresent(\(field.number), value)")
                } else {
                    printer.line("size += \(field.codec).\(function)(\(field.number), \(field.access))")
                }
            }
            printer.line("return size")
        }
    }

    private func printEncode(to printer: inout SourcePrinter) throws(GeneratorError) {
        printer.line()
        let writer = context.runtime("WireWriter")
        try printer.block("\(context.access)func encode(into writer: inout \(writer)) {") {
            printer throws(GeneratorError) in
            printer.line("writer.write(unknownFields)")
            for field in fields.sorted(by: { $0.number > $1.number }) {
                let function = field.shape == .packed ? "writePacked" : "write"
                if field.oneof != nil {
                    printer.statement(
                        "if case .\(field.member)(let value)? = \(property(of: field))",
                        "\(field.codec).writePresent(\(field.number), value, &writer)")
                } else {
                    printer.line("\(field.codec).\(function)(\(field.number), \(field.access), &writer)")
                }
            }
        }
    }

    private func printMerge(to printer: inout SourcePrinter) throws(GeneratorError) {
        printer.line()
        let head =
            "\(context.access)mutating func merge(from reader: inout \(context.runtime("WireReader"))) "
            + "throws(\(context.runtime("WireError"))) {"
        let unknown = "try reader.readUnknown(tag, into: &unknownFields)"
        try printer.block(head) { printer throws(GeneratorError) in
            guard !fields.isEmpty else {
                return printer.line("while let tag = try reader.nextTag() { \(unknown) }")
            }
            try printer.block("while let tag = try reader.nextTag() {") { printer throws(GeneratorError) in
                printer.line("switch tag {")
                for field in fields { printCase(field, to: &printer) }
                printer.line("default: \(unknown)")
                printer.line("}")
            }
        }
    }

    private func printCase(_ field: FieldModel, to printer: inout SourcePrinter) {
        let tag = field.tag(wireType: field.wireType)
        if field.isPackable, field.shape == .repeated || field.shape == .packed {
            printer.line(
                "case \(tag), \(field.tag(wireType: 2)): "
                    + "try \(field.codec).readPackable(&\(field.access), tag, &reader)")
        } else if field.oneof == nil {
            printer.line("case \(tag): try \(field.codec).read(&\(field.access), &reader)")
        } else if field.isMessage {
            let oneof = property(of: field)
            printer.line("case \(tag):")
            try? printer.indented { printer in
                printer.line("var value = \(field.valueType)()")
                printer.line("if case .\(field.member)(let current)? = \(oneof).take() { value = current }")
                printer.line("try \(field.codec).read(&value, &reader)")
                printer.line("\(oneof) = .\(field.member)(value)")
            }
        } else {
            printer.line(
                "case \(tag): \(property(of: field)) = .\(field.member)(try \(field.codec).read(&reader))")
        }
    }
}
