import FrameCodec

/// Checks that what a method's resolver looks at exists and can be looked at.
struct SiloResolverReader {
    let context: FileContext
    /// `Service.Method`.
    let element: String
    let home: SiloOptions.Home
    let request: SiloMessage

    func read(_ declared: SiloOptions.MethodOptions) throws(GeneratorError) -> SiloResolver {
        guard home == .cell else {
            guard declared.resolver == nil else {
                throw context.error(
                    element,
                    "has a resolver, but its service lives in control, of which there is one: remove the resolver")
            }
            return .control
        }
        switch declared.resolver {
        case .byOrganizationID(let field)?:
            return .organizationID(field: field, members: try members(field, .int64, "by_organization_id"))
        case .byOrganizationSlug(let field)?:
            return .organizationSlug(field: field, members: try members(field, .string, "by_organization_slug"))
        case .byCellName(let name)?:
            let field = try members(name.field, .string, "by_cell_name")
            let old = name.oldField.isEmpty ? nil : try members(name.oldField, .string, "by_cell_name")
            guard field.count == 1, (old?.count ?? 1) == 1 else {
                throw context.error(element, "by_cell_name names a field of the request itself, without a dot")
            }
            return .cellName(field: name.field, member: field[0], oldMember: old?[0])
        case .singleOrganization(true)?: return .singleOrganization
        default:
            throw context.error(
                element,
                "runs in a cell and does not say in which; add a resolver to (silo.method), such as "
                    + "by_organization_id: \"organization_id\""
            )
        }
    }

    /// Swift names along `a.b`: message fields, then one plain field of the wanted type.
    private func members(
        _ path: String, _ type: Descriptors.FieldDescriptorProto.Type_, _ resolver: String
    ) throws(GeneratorError) -> [String] {
        let names = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        var message = request.name
        var fields = names.first.flatMap { request.descriptor($0) }
        var members: [String] = []
        for (index, name) in names.enumerated() {
            guard let field = fields else {
                throw context.error(
                    element, "\(resolver): \"\(path)\": \(message) has no field \(name); name a field of the request")
            }
            members.append(Naming.member(name))
            if index + 1 == names.count {
                try checkLeaf(field, type, "\(resolver): \"\(path)\"")
            } else {
                guard field.type == .message, field.label != .repeated, field.oneofIndex == nil,
                    let entry = context.index[field.typeName ?? ""], let nested = entry.message
                else {
                    throw context.error(
                        element,
                        "\(resolver): \"\(path)\": \(name) is not a single message; only such fields can be looked into"
                    )
                }
                message = nested.name ?? ""
                fields = nested.field.first { $0.name == names[index + 1] }
            }
        }
        return members
    }

    private func checkLeaf(
        _ field: Descriptors.FieldDescriptorProto, _ type: Descriptors.FieldDescriptorProto.Type_, _ what: String
    ) throws(GeneratorError) {
        guard field.type == type, field.label != .repeated, field.oneofIndex == nil else {
            let wanted = type == .int64 ? "int64" : "string"
            throw context.error(
                element,
                "\(what): \(field.name ?? "") must be a plain \(wanted) field (not repeated, not optional, in no oneof)"
            )
        }
    }
}
