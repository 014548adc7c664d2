import FrameCodec

/// Turns field descriptors into ``FieldModel``s.
struct FieldModelBuilder {
    let context: FileContext
    /// Protobuf names of the enclosing messages, outermost first.
    let scope: [String]
    let message: Descriptors.DescriptorProto

    private struct Kind {
        var codec: String
        var type: String
        var defaultValue: String
        var isPackable: Bool
    }

    func build(_ field: Descriptors.FieldDescriptorProto, documentation: String) throws(GeneratorError)
        -> FieldModel
    {
        let name = field.name ?? ""
        let element = (scope + [name]).joined(separator: ".")
        let kind = try kind(of: field, element)
        let shape = try shape(of: field, kind, element)
        let isMessage = field.type == .message && shape != .map
        return FieldModel(
            number: Int(field.number ?? 0),
            name: name,
            member: Naming.member(name),
            shape: shape,
            codec: kind.codec,
            valueType: kind.type,
            defaultValue: kind.defaultValue,
            isRecursive: isMessage && shape == .explicit
                && context.index.isRecursive(
                    field.typeName ?? "", in: context.fullName(scope.joined(separator: "."))),
            oneof: field.proto3Optional == true ? nil : field.oneofIndex.map { Int($0) },
            declaredDefault: try declaredDefault(field, kind.type, element),
            documentation: Self.documentation(documentation, field)
        )
    }

    private static func documentation(_ comment: String, _ field: Descriptors.FieldDescriptorProto) -> String
    {
        guard field.options?.deprecated == true else { return comment }
        return comment.isEmpty ? "Deprecated." : comment + "\n\nDeprecated."
    }

    private func shape(
        of field: Descriptors.FieldDescriptorProto, _ kind: Kind, _ element: String
    ) throws(GeneratorError) -> FieldModel.Shape {
        if field.label == .required, !context.options.requiredAsOptional {
            throw context.error(
                element,
                "required fields are not supported; make it optional, or pass the parameter required=optional"
            )
        }
        if field.label == .repeated {
            if let type = field.typeName, context.index[type]?.isMapEntry == true { return .map }
            let packs = field.options?.packed ?? context.isProto3
            return kind.isPackable && packs ? .packed : .repeated
        }
        let isExplicit =
            field.type == .message || field.proto3Optional == true || field.oneofIndex != nil
            || !context.isProto3
        return isExplicit ? .explicit : .implicit
    }

    private func kind(
        of field: Descriptors.FieldDescriptorProto, _ element: String
    ) throws(GeneratorError) -> Kind {
        guard let type = field.type else { throw context.error(element, "the field has no type") }
        if let scalar = scalar(type) { return scalar }
        let typeName = field.typeName ?? ""
        if type == .enum, let entry = context.index[typeName] {
            let reference = try context.reference(typeName, from: scope, element: element)
            return Kind(
                codec: "\(context.runtime("EnumField"))<\(reference)>", type: reference,
                defaultValue: try enumDefault(entry, reference), isPackable: true)
        }
        guard type == .message else {
            throw context.error(element, "groups are not supported; use a nested message instead")
        }
        if let entry = context.index[typeName], entry.isMapEntry { return try map(entry, element) }
        let reference = try context.reference(typeName, from: scope, element: element)
        return Kind(
            codec: "\(context.runtime("MessageField"))<\(reference)>", type: reference,
            defaultValue: "\(reference)()", isPackable: false)
    }

    private func enumDefault(_ entry: TypeIndex.Entry, _ reference: String) throws(GeneratorError) -> String {
        guard let enumeration = entry.enumeration,
            let zero = enumeration.value.firstIndex(where: { $0.number == 0 })
        else { return "\(reference)()" }
        return "."
            + Naming.enumCases(enumeration.value.map { $0.name ?? "" }, of: enumeration.name ?? "")[zero]
    }

    private func map(_ entry: TypeIndex.Entry, _ element: String) throws(GeneratorError) -> Kind {
        guard let fields = entry.message?.field, fields.count == 2 else {
            throw context.error(element, "the map entry does not have a key and a value")
        }
        let key = try kind(of: fields[0], element)
        let value = try kind(of: fields[1], element)
        return Kind(
            codec: "\(context.runtime("MapField"))<\(key.codec), \(value.codec)>",
            type: "[\(key.type): \(value.type)]",
            defaultValue: "[:]", isPackable: false)
    }

    private func scalar(_ type: Descriptors.FieldDescriptorProto.Type_) -> Kind? {
        switch type {
        case .double: number("Double", "Double")
        case .float: number("Float", "Float")
        case .int64: number("Int64", "Int64")
        case .uint64: number("UInt64", "UInt64")
        case .int32: number("Int32", "Int32")
        case .fixed64: number("Fixed64", "UInt64")
        case .fixed32: number("Fixed32", "UInt32")
        case .uint32: number("UInt32", "UInt32")
        case .sfixed32: number("SFixed32", "Int32")
        case .sfixed64: number("SFixed64", "Int64")
        case .sint32: number("SInt32", "Int32")
        case .sint64: number("SInt64", "Int64")
        case .bool: scalar("Bool", context.swift("Bool"), "false", isPackable: true)
        case .string: scalar("String", context.swift("String"), "\"\"", isPackable: false)
        case .bytes: scalar("Bytes", "[\(context.swift("UInt8"))]", "[]", isPackable: false)
        default: nil
        }
    }

    private func number(_ codec: String, _ type: String) -> Kind {
        scalar(codec, context.swift(type), "0", isPackable: true)
    }

    private func scalar(
        _ codec: String, _ type: String, _ defaultValue: String, isPackable: Bool
    ) -> Kind {
        Kind(
            codec: context.runtime(codec + "Field"), type: type, defaultValue: defaultValue,
            isPackable: isPackable)
    }

    /// proto2 `[default = ...]`: descriptors hold it as text.
    private func declaredDefault(
        _ field: Descriptors.FieldDescriptorProto, _ type: String, _ element: String
    ) throws(GeneratorError) -> String? {
        guard let text = field.defaultValue else { return nil }
        switch field.type {
        case .string?: return SwiftLiteral.string(text)
        case .bytes?:
            throw context.error(
                element, "default values of bytes fields are not supported; leave the default out")
        case .enum?:
            guard let enumeration = field.typeName.flatMap({ context.index[$0]?.enumeration }),
                let position = enumeration.value.firstIndex(where: { $0.name == text })
            else { throw context.error(element, "the default value \(text) is not in the enum") }
            return "."
                + Naming.enumCases(enumeration.value.map { $0.name ?? "" }, of: enumeration.name ?? "")[
                    position]
        case .float?, .double?:
            switch text {
            case "inf": return ".infinity"
            case "-inf": return "-.infinity"
            case "nan": return ".nan"
            default: return text
            }
        default: return text
        }
    }
}
