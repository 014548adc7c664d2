/// Prints one silo service: protocol, declared methods, delegate, dispatch.
struct SiloPrinter {
    let context: FileContext
    let service: SiloService

    private var access: String { context.access }
    private var name: String { service.name }
    private var methods: String { name + "Method" }

    func print(to printer: inout SourcePrinter) throws(GeneratorError) {
        context.require(module: "RPC")
        context.require(module: "SiloRPC")
        try printProtocol(to: &printer)
        printer.line()
        try printMethods(to: &printer)
        printer.line()
        try printDelegate(to: &printer)
        printer.line()
        try SiloDispatchPrinter(context: context, service: service, methods: methods).print(to: &printer)
    }

    // MARK: - Protocol

    private func printProtocol(to printer: inout SourcePrinter) throws(GeneratorError) {
        printer.documentation(service.documentation)
        try printer.block("\(access)protocol \(name): Sendable {") { printer throws(GeneratorError) in
            for method in service.methods {
                documentation(method, to: &printer)
                printer.list("func \(method.function)(", parameters(method, defaults: false), ") \(effects(method))")
            }
        }
        try printDefaultArguments(to: &printer)
    }

    /// A protocol's functions have no default arguments; the shorter calls are an extension.
    private func printDefaultArguments(to printer: inout SourcePrinter) throws(GeneratorError) {
        let methods = service.methods.filter { $0.parameters.contains { !$0.defaultValue.isEmpty } }
        guard !methods.isEmpty else { return }
        printer.line()
        printer.documentation("The same with what need not be said left out.")
        try printer.block("extension \(name) {") { printer throws(GeneratorError) in
            for method in methods {
                let given = method.parameters.filter(\.defaultValue.isEmpty)
                let all = method.parameters.map { parameter in
                    "\(parameter.member): "
                        + (parameter.defaultValue.isEmpty
                            ? parameter.member : String(parameter.defaultValue.dropFirst(3)))
                }
                let head = given.map { "\($0.member): \($0.type)" }
                printer.list("\(access)func \(method.function)(", head, ") \(effects(method)) {")
                try printer.indented { printer throws(GeneratorError) in
                    printer.list("try await \(method.function)(", all, ")")
                }
                printer.line("}")
            }
        }
    }

    private func documentation(_ method: SiloMethodModel, to printer: inout SourcePrinter) {
        printer.documentation(method.documentation)
        if method.lifecycle != "active" {
            if !method.documentation.isEmpty { printer.line("///") }
            printer.documentation(method.lifecycle == "deprecated" ? "Deprecated." : "Disabled: always refused.")
        }
    }

    private func parameters(_ method: SiloMethodModel, defaults: Bool) -> [String] {
        method.parameters.map { "\($0.member): \($0.type)" + (defaults ? $0.defaultValue : "") }
    }

    private func effects(_ method: SiloMethodModel) -> String {
        switch method.result {
        case .nothing: "async throws"
        case .message: "async throws -> \(method.response)"
        case .property(_, let type): "async throws -> \(type)"
        }
    }

    // MARK: - Declared methods

    private func printMethods(to printer: inout SourcePrinter) throws(GeneratorError) {
        printer.documentation("What is declared of the methods of `\(name)`.")
        try printer.block("\(access)enum \(methods) {") { printer throws(GeneratorError) in
            for method in service.methods {
                printer.line("\(access)static let \(method.function) = SiloMethod(")
                try printer.indented { printer throws(GeneratorError) in
                    printer.list("MethodDescriptor(", descriptor(method), "),")
                    for line in declaration(method) { printer.line(line) }
                }
                printer.line(")")
            }
            printer.list("\(access)static let all: [SiloMethod] = [", service.methods.map(\.function), "]")
        }
    }

    private func descriptor(_ method: SiloMethodModel) -> [String] {
        let idempotency = ["readOnly": ".noSideEffects", "idempotent": ".idempotent"][method.idempotency] ?? ".unknown"
        return [
            "service: \(SwiftLiteral.string(service.fullName))", "method: \(SwiftLiteral.string(method.name))",
            "kind: .unary", "idempotency: \(idempotency)"
        ]
    }

    private func declaration(_ method: SiloMethodModel) -> [String] {
        let home = service.home == .control ? "control" : "cell"
        let resolver: String =
            switch method.resolver {
            case .control: "nil"
            case .organizationID(let field, _): ".organizationID(field: \(SwiftLiteral.string(field)))"
            case .organizationSlug(let field, _): ".organizationSlug(field: \(SwiftLiteral.string(field)))"
            case .cellName(let field, _, _): ".cellName(field: \(SwiftLiteral.string(field)))"
            case .singleOrganization: ".singleOrganization"
            }
        return [
            "serviceKey: \(SwiftLiteral.string(service.key)), home: .\(home), resolver: \(resolver),",
            "returnsNoneIfUnmapped: \(method.returnsNone), idempotency: .\(method.idempotency),",
            "timeout: .milliseconds(\(method.timeoutMilliseconds)), retries: \(method.retries), "
                + "lifecycle: .\(method.lifecycle)"
        ]
    }

    // MARK: - Delegate

    private func printDelegate(to printer: inout SourcePrinter) throws(GeneratorError) {
        printer.documentation("Calls `\(name)` where it lives: here, or in another silo.")
        try printer.block("\(access)struct \(name)Delegate: \(name) {") { printer throws(GeneratorError) in
            printer.line("private let link: SiloLink<any \(name)>")
            printer.line()
            printer.documentation(
                "- Parameter local: the service itself; needed where it lives.\n- Throws: ``SiloError`` without it "
                    + "there."
            )
            let head = "\(access)init(_ silo: Silo, local: (any \(name))? = nil) throws(SiloError) {"
            try printer.block(head) { printer throws(GeneratorError) in
                let home = service.home == .control ? "control" : "cell"
                printer.line("link = try SiloLink(")
                try printer.indented { printer throws(GeneratorError) in
                    printer.line("silo, key: \(SwiftLiteral.string(service.key)), home: .\(home), local: local,")
                    printer.line("handlers: { \(name)Dispatch.handlers($0, silo) }")
                }
                printer.line(")")
            }
            for method in service.methods {
                printer.line()
                documentation(method, to: &printer)
                try printDelegateFunction(method, to: &printer)
            }
        }
    }

    /// Names with an underscore cannot be those of a parameter.
    private func printDelegateFunction(
        _ method: SiloMethodModel, to printer: inout SourcePrinter
    ) throws(GeneratorError) {
        let arguments = method.parameters.map { "\($0.member): \($0.member)" }
        let local = "return try await _service.\(method.function)("
        printer.list("\(access)func \(method.function)(", parameters(method, defaults: false), ") \(effects(method)) {")
        try printer.indented { printer throws(GeneratorError) in
            try printer.block("if let _service = link.direct {") { printer throws(GeneratorError) in
                printer.list(local, arguments, ")")
            }
            let route = ["\(methods).\(method.function)", target(method)]
            let function = method.returnsNone ? "routeOrNil" : "route"
            printer.list("let _route = try await link.\(function)(", route, ")")
            if method.returnsNone { printer.line("guard let _route else { return nil }") }
            printer.line("switch _route {")
            printer.line("case .local(let _service):")
            try printer.indented { printer throws(GeneratorError) in printer.list(local, arguments, ")") }
            printer.line("case .remote(let _hop):")
            try printer.indented { printer throws(GeneratorError) in
                let isUsed = if case .nothing = method.result { false } else { true }
                printer.list("let _request = \(method.request)(", arguments, ")")
                printer.line(
                    "let \(isUsed ? "_answer" : "_"): \(method.response) = try await link.call(_hop, _request)")
                switch method.result {
                case .nothing: break
                case .message: printer.line("return _answer")
                case .property(let member, _): printer.line("return _answer.\(member)")
                }
            }
            printer.line("}")
        }
        printer.line("}")
    }

    private func target(_ method: SiloMethodModel) -> String {
        switch method.resolver {
        case .control: ".control"
        case .organizationID(_, let members): ".organizationID(\(chain(members, or: "0")))"
        case .organizationSlug(_, let members): ".organizationSlug(\(chain(members, or: "\"\"")))"
        case .cellName(_, let member, let old):
            old.map { ".cellName(\($0).isEmpty ? \(member) : \($0))" } ?? ".cellName(\(member))"
        case .singleOrganization: ".singleOrganization"
        }
    }

    /// `update.organizationID`; deeper message fields are optional: `a.b?.organizationID ?? 0`.
    private func chain(_ members: [String], or absent: String) -> String {
        guard members.count > 2 else { return members.joined(separator: ".") }
        return "\(members[0]).\(members.dropFirst().joined(separator: "?.")) ?? \(absent)"
    }
}
