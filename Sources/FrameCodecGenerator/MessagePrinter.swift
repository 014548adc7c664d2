/// Prints one message: properties, initialisers, schema and the list of its fields.
struct MessagePrinter {
    let context: FileContext
    let message: Descriptors.DescriptorProto
    /// Protobuf names from the outermost message to this one.
    let scope: [String]
    /// Path in the source code info.
    let path: [Int32]
    let fields: [FieldModel]
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
    enum Property {
        case field(FieldModel)
        case oneof(OneofModel)
    }

    var properties: [Property] {
        var printed: Set<Int> = []
        return fields.compactMap { field in
            guard let index = field.oneof else { return .field(field) }
            guard printed.insert(index).inserted else { return nil }
            return oneofs.first { $0.fields.first?.oneof == index }.map { .oneof($0) }
        }
    }

    func print(to printer: inout SourcePrinter) throws(GeneratorError) {
        try context.checkExtensions(message.extension, scope.joined(separator: "."))
        printer.documentation(context.comments[path])
        let name = Naming.type(message.name ?? "")
        try printer.block("\(context.access)struct \(name): \(context.runtime("Message")) {") {
            printer throws(GeneratorError) in
            printProperties(to: &printer)
            printInitializers(to: &printer)
            try printDefaults(to: &printer)
            printSchema(to: &printer)
            try printFields(to: &printer)
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
        let assignments = assignments(members, printer)
        let head = "\(context.access)init("
        let oneLine = "\(head)\(parameters.joined(separator: ", "))) { \(assignments[0]) }"
        if assignments.count == 1, printer.fits(oneLine) { return printer.line(oneLine) }
        printer.list(head, parameters, ") {")
        try? printer.indented { printer in
            for line in assignments { printer.line(line) }
        }
        printer.line("}")
    }

    /// `(self.a, self.b) = (a, b)`, as many to a line as fit.
    private func assignments(_ members: [String], _ printer: SourcePrinter) -> [String] {
        var lines: [String] = []
        var names: ArraySlice<String> = members[...]
        while !names.isEmpty {
            var line = ""
            var count = 0
            for end in 1...names.count {
                let some = names.prefix(end)
                let left = some.map { "self.\($0)" }.joined(separator: ", ")
                let right = some.joined(separator: ", ")
                let next = end == 1 ? "\(left) = \(right)" : "(\(left)) = (\(right))"
                guard end == 1 || printer.fits("    " + next) else { break }
                (line, count) = (next, end)
            }
            lines.append(line)
            names = names.dropFirst(count)
        }
        return lines
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

    /// The descriptor has everything but the Swift types, and the visit has those.
    private func printSchema(to printer: inout SourcePrinter) {
        let file = FileDescriptorPrinter.member(context.path)
        printer.line(
            "\(context.access)static let schema = \(context.runtime("MessageSchema"))"
                + "(Self.self, .\(file), \(DescriptorPath.positions(path)))")
    }

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
    /// `@inlinable` lets the compiler make straight code of a visit in every module that encodes or decodes
    /// the message itself; storage of recursive fields is private and does not allow it.
    private func printFields(to printer: inout SourcePrinter) throws(GeneratorError) {
        let generic = context.index.swiftNames.contains("V") ? "Visitor" : "V"
        let visitor = "\(context.runtime("FieldVisitor")) & ~\(context.swift("Copyable"))"
        let isInlinable =
            context.options.visibility == .public && !fields.contains { $0.isRecursive && $0.oneof == nil }
        let head =
            "\(isInlinable ? "@inlinable " : "")\(context.access)mutating func visit<\(generic): \(visitor)>"
            + "(_ v: inout \(generic)) throws(\(generic).Failure) {"
        guard !fields.isEmpty else { return printer.line(head + "}") }
        try printer.block(head) { printer throws(GeneratorError) in
            // The writer goes backwards.
            for field in fields.sorted(by: { $0.number > $1.number }) { printVisit(field, to: &printer) }
        }
    }

    private func printVisit(_ field: FieldModel, to printer: inout SourcePrinter) {
        let arguments = "\(field.number), \(field.codec).self"
        if let index = field.oneof, let oneof = oneofs.first(where: { $0.fields.first?.oneof == index }) {
            let name = oneof.member == "v" ? "self.v" : oneof.member
            return printer.statement(
                "try v.member(\(arguments), &\(name), \(oneof.type).\(field.member))",
                "if case .\(field.member)(let value) = $0 { value } else { nil }")
        }
        let function =
            switch field.shape {
            case .packed: "packed"
            case .map: "map"
            case .implicit, .explicit, .repeated: "field"
            }
        let name =
            field.isRecursive
            ? "_" + field.member.filter { $0 != "`" } : field.member == "v" ? "self.v" : field.member
        printer.line("try v.\(function)(\(arguments), &\(name))")
    }
}
