/// Prints the served side of a silo service.
struct SiloDispatchPrinter {
    let context: FileContext
    let service: SiloService
    /// Name of the enum of declared methods.
    let methods: String

    func print(to printer: inout SourcePrinter) throws(GeneratorError) {
        let access = context.access
        let name = service.name
        printer.documentation("Serves `\(name)` to other silos: give it to the RPC server of its home.")
        try printer.block("\(access)struct \(name)Dispatch: SiloServiceDispatch {") { printer throws(GeneratorError) in
            printer.line("\(access)let handlers: [SiloHandler]")
            printer.line()
            try printer.block("\(access)init(_ service: any \(name), silo: Silo) {") { printer in
                printer.line("handlers = Self.handlers(service, silo)")
            }
            printer.line()
            let file = FileDescriptorPrinter.member(context.path)
            printer.line("\(access)var siloMethods: [SiloMethod] { \(methods).all }")
            printer.line("\(access)var fileDescriptor: \(context.runtime("FileDescriptor"))? { .\(file) }")
            printer.line()
            let head = "static func handlers(_ service: any \(name), _ silo: Silo) -> [SiloHandler] {"
            try printer.block(head) { printer throws(GeneratorError) in
                try printer.block("[", close: "]") { printer throws(GeneratorError) in
                    for method in service.methods { try printHandler(method, to: &printer) }
                }
            }
        }
    }

    private func printHandler(_ method: SiloMethodModel, to printer: inout SourcePrinter) throws(GeneratorError) {
        let usesRequest = !method.parameters.isEmpty
        let declared = ["\(methods).\(method.function)", "silo", "target: { \(target(method)) }"]
        printer.list("SiloHandler(", declared, ") {")
        try printer.indented { printer throws(GeneratorError) in
            printer.list("(", ["\(usesRequest ? "request" : "_"): \(method.request)"], ") -> \(method.response) in")
            let arguments = method.parameters.map { parameter in
                let value = "request.\(parameter.member)"
                let plain = SwiftLiteral.string(parameter.field)
                return "\(parameter.member): "
                    + (parameter.isRequired ? "try SiloArgument.required(\(value), \(plain))" : value)
            }
            let call = "try await service.\(method.function)("
            switch method.result {
            case .nothing:
                printer.list(call, arguments, ")")
                printer.line("return \(method.response)()")
            case .message:
                printer.list("\(call)", arguments, ")")
            case .property(let member, _):
                printer.list("\(method.response)(\(member): \(call)", arguments, "))")
            }
        }
        printer.line("},")
    }

    /// From the request message, whose message fields may be absent.
    private func target(_ method: SiloMethodModel) -> String {
        switch method.resolver {
        case .control: "_ in .control"
        case .organizationID(_, let members): "request in .organizationID(\(chain(members, or: "0")))"
        case .organizationSlug(_, let members): "request in .organizationSlug(\(chain(members, or: "\"\"")))"
        case .cellName(_, let member, let old):
            old.map { "request in .cellName(request.\($0).isEmpty ? request.\(member) : request.\($0))" }
                ?? "request in .cellName(request.\(member))"
        case .singleOrganization: "_ in .singleOrganization"
        }
    }

    private func chain(_ members: [String], or absent: String) -> String {
        guard members.count > 1 else { return "request.\(members[0])" }
        return "request.\(members.joined(separator: "?.")) ?? \(absent)"
    }
}
