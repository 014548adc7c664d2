import FrameCodec

/// The request or the response of a silo method.
struct SiloMessage {
    /// Protobuf name within its package.
    let name: String
    /// Swift name.
    let type: String
    private let context: FileContext
    private let printer: MessagePrinter?

    init(_ typeName: String, element: String, context: FileContext) throws(GeneratorError) {
        self.context = context
        type = try context.reference(typeName, from: [], element: element)
        name = String(typeName.split(separator: ".").last ?? "")
        if typeName == ".google.protobuf.Empty" {
            printer = nil
            return
        }
        guard
            let index = context.file.messageType.firstIndex(where: { "." + context.fullName($0.name ?? "") == typeName }
            )
        else {
            throw context.error(
                element,
                "its messages must stand in the same file, at the top level (or be google.protobuf.Empty); "
                    + "\(typeName) does not"
            )
        }
        printer = try MessagePrinter(
            context.file.messageType[index], enclosing: [], path: [DescriptorPath.fileMessage, Int32(index)],
            context: context
        )
    }

    var isEmpty: Bool { printer?.message.field.isEmpty ?? true }

    func descriptor(_ field: String) -> Descriptors.FieldDescriptorProto? {
        printer?.message.field.first { $0.name == field }
    }

    func field(_ name: String) throws(GeneratorError) -> FieldModel? {
        printer?.fields.first { $0.name == name && $0.oneof == nil }
    }

    /// - Parameter root: Swift name of the field that the resolver looks into: it must be given.
    func parameters(root: String?) throws(GeneratorError) -> [SiloParameter] {
        guard let printer else { return [] }
        var parameters: [SiloParameter] = []
        for property in printer.properties {
            switch property {
            case .field(let field):
                let isMarked = descriptor(field.name)?.isRequiredArgument == true
                if isMarked, field.shape != .explicit {
                    throw context.error(
                        "\(name).\(field.name)", "(silo.required) is for message and optional fields; remove it")
                }
                let isRequired = isMarked || field.member == root
                parameters.append(
                    SiloParameter(
                        field: field.name, member: field.member,
                        type: isRequired ? field.valueType : field.propertyType,
                        defaultValue: isRequired || field.shape == .implicit ? "" : " = \(field.initialValue)",
                        isRequired: isRequired
                    ))
            case .oneof(let oneof):
                parameters.append(
                    SiloParameter(
                        field: oneof.name, member: oneof.member, type: "\(type).\(oneof.type)?",
                        defaultValue: " = nil", isRequired: false
                    ))
            }
        }
        return parameters
    }
}
