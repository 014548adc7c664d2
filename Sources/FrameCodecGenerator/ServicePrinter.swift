/// Prints one service: its protocol, descriptors, router table and client.
struct ServicePrinter {
    let context: FileContext
    let service: Descriptors.ServiceDescriptorProto
    let path: [Int32]

    private struct Method {
        let name: String
        let function: String
        let request: String
        let response: String
        /// As the cases of `MethodDescriptor.Kind`.
        let kind: String
        let idempotency: String
        let documentation: String
    }

    private func methods() throws(GeneratorError) -> [Method] {
        var methods: [Method] = []
        for (index, method) in service.method.enumerated() {
            let name = method.name ?? ""
            let element = "\(service.name ?? "").\(name)"
            let kind: String =
                switch (method.clientStreaming == true, method.serverStreaming == true) {
                case (false, false): "unary"
                case (true, false): "clientStreaming"
                case (false, true): "serverStreaming"
                case (true, true): "bidirectionalStreaming"
                }
            let idempotency: String? =
                switch method.options?.idempotencyLevel {
                case .noSideEffects?: "noSideEffects"
                case .idempotent?: "idempotent"
                default: nil
                }
            methods.append(
                Method(
                    name: name,
                    function: Naming.method(name),
                    request: try context.reference(method.inputType ?? "", from: [], element: element),
                    response: try context.reference(method.outputType ?? "", from: [], element: element),
                    kind: kind,
                    idempotency: idempotency.map { ", .\($0)" } ?? "",
                    documentation: context.comments[path + [DescriptorPath.serviceMethod, Int32(index)]]
                ))
        }
        return methods
    }

    func print(to printer: inout SourcePrinter) throws(GeneratorError) {
        context.require(module: "RPC")
        let methods = try methods()
        try printProtocol(methods, to: &printer)
        printer.line()
        try printDescriptors(methods, to: &printer)
        printer.line()
        try printDefaults(methods, to: &printer)
        printer.line()
        try printClient(methods, to: &printer)
    }

    private var name: String { Naming.type(service.name ?? "") }
    private var descriptors: String { (service.name ?? "") + "Method" }

    private func signature(_ method: Method) -> String {
        let call: String =
            switch method.kind {
            case "unary": "_ request: \(method.request), context: CallContext"
            case "serverStreaming":
                "_ request: \(method.request), responses: ResponseWriter<\(method.response)>, "
                    + "context: CallContext"
            case "clientStreaming": "_ requests: RequestStream<\(method.request)>, context: CallContext"
            default:
                "_ requests: RequestStream<\(method.request)>, "
                    + "responses: ResponseWriter<\(method.response)>, context: CallContext"
            }
        return "(\(call)) async throws" + (returnsMessage(method) ? " -> \(method.response)" : "")
    }

    private func returnsMessage(_ method: Method) -> Bool {
        method.kind == "unary" || method.kind == "clientStreaming"
    }

    /// `func name(parameters) async throws -> Result`, in two or three lines when it is too long for one.
    private func printFunction(
        _ head: String, _ signature: String, _ tail: String, to printer: inout SourcePrinter
    ) {
        if printer.fits(head + signature + tail) { return printer.line(head + signature + tail) }
        let parameters = signature.drop { $0 == "(" }.prefix { $0 != ")" }
        printer.line(head + "(")
        try? printer.indented { printer in printer.line(String(parameters)) }
        printer.line(signature.drop { $0 != ")" } + tail)
    }

    private func printProtocol(_ methods: [Method], to printer: inout SourcePrinter) throws(GeneratorError) {
        printer.documentation(context.comments[path])
        try printer.block("\(context.access)protocol \(name): RPCService {") {
            printer throws(GeneratorError) in
            for method in methods {
                printer.documentation(method.documentation)
                printFunction("func \(method.function)", signature(method), "", to: &printer)
            }
        }
    }

    private func printDescriptors(_ methods: [Method], to printer: inout SourcePrinter) throws(GeneratorError)
    {
        let access = context.access
        let fullName = SwiftLiteral.string(context.fullName(service.name ?? ""))
        printer.documentation("The methods of `\(name)`, for routing, policy and tools.")
        try printer.block("\(access)enum \(descriptors) {") { printer throws(GeneratorError) in
            for method in methods {
                printer.line(
                    "\(access)static let \(method.function) = descriptor(\(SwiftLiteral.string(method.name)), "
                        + ".\(method.kind)\(method.idempotency))")
            }
            printer.line()
            printer.line("private static func descriptor(")
            try printer.indented { printer throws(GeneratorError) in
                printer.line(
                    "_ method: \(context.swift("String")), _ kind: MethodDescriptor.Kind, "
                        + "_ idempotency: MethodDescriptor.Idempotency = .unknown")
            }
            try printer.block(") -> MethodDescriptor {") { printer throws(GeneratorError) in
                printer.line(
                    "MethodDescriptor(service: \(fullName), method: method, kind: kind, idempotency: idempotency)")
            }
            printer.line()
            printer.list("\(access)static let all: [MethodDescriptor] = [", methods.map(\.function), "]")
            printer.line()
            try printer.block("\(access)static let types: [MethodTypes] = [", close: "]") {
                printer throws(GeneratorError) in
                for method in methods {
                    printer.list(
                        ".init(",
                        [
                            "descriptor: \(method.function)", "request: \(method.request).self",
                            "response: \(method.response).self"
                        ],
                        "),")
                }
            }
        }
    }

    private func printDefaults(_ methods: [Method], to printer: inout SourcePrinter) throws(GeneratorError) {
        printer.documentation("Every method answers UNIMPLEMENTED until the service has its own.")
        try printer.block("extension \(name) {") { printer throws(GeneratorError) in
            for method in methods {
                let body = " { throw RPCError.unimplemented(\(descriptors).\(method.function)) }"
                let head = "\(context.access)func \(method.function)"
                if printer.fits(head + signature(method) + body) {
                    printer.line(head + signature(method) + body)
                } else {
                    printFunction(head, signature(method), " {", to: &printer)
                    try printer.indented { printer in
                        printer.line("throw RPCError.unimplemented(\(descriptors).\(method.function))")
                    }
                    printer.line("}")
                }
            }
            printer.line()
            let type = context.runtime("FileDescriptor")
            let file = FileDescriptorPrinter.member(context.path)
            printer.line("\(context.access)var fileDescriptor: \(type)? { .\(file) }")
            try printer.block("\(context.access)var methods: [RPCMethod] {") {
                printer throws(GeneratorError) in
                try printer.block("[", close: "]") { printer throws(GeneratorError) in
                    for method in methods { printRoute(method, to: &printer) }
                }
            }
        }
    }

    private func printRoute(_ method: Method, to printer: inout SourcePrinter) {
        let call: String =
            switch method.kind {
            case "unary", "clientStreaming": "try await self.\(method.function)($0, context: $1)"
            default: "try await self.\(method.function)($0, responses: $1, context: $2)"
            }
        let head = ".\(method.kind)(\(descriptors).\(method.function)) {"
        if printer.fits("\(head) \(call) },") { return printer.line("\(head) \(call) },") }
        printer.line(head)
        try? printer.indented { printer in printer.line(call) }
        printer.line("},")
    }

    private func printClient(_ methods: [Method], to printer: inout SourcePrinter) throws(GeneratorError) {
        let access = context.access
        printer.documentation("Calls `\(context.fullName(service.name ?? ""))` through a channel.")
        try printer.block("\(access)struct \(service.name ?? "")Client: Sendable {") {
            printer throws(GeneratorError) in
            printer.line("\(access)let channel: RPCChannel")
            printer.line("\(access)init(channel: RPCChannel) { self.channel = channel }")
            for method in methods {
                printer.line()
                printer.documentation(method.documentation)
                printClientFunction(method, to: &printer)
            }
        }
    }

    private func printClientFunction(_ method: Method, to printer: inout SourcePrinter) {
        let options = "options: CallOptions = CallOptions()"
        let writer = "RequestWriter<\(method.request)>"
        let stream = "ResponseStream<\(method.response)>"
        let (parameters, result, arguments): ([String], String, String) =
            switch method.kind {
            case "unary":
                (["_ request: \(method.request)", options], method.response, "request, options: options")
            case "serverStreaming":
                (["_ request: \(method.request)", options], stream, "request, options: options")
            case "clientStreaming":
                (
                    [options, "_ requests: @Sendable (\(writer)) async throws -> Void"], method.response,
                    "options: options, requests"
                )
            default: ([options], "(requests: \(writer), responses: \(stream))", "options: options")
            }
        printer.list("\(context.access)func \(method.function)(", parameters, ") async throws -> \(result) {")
        try? printer.indented { printer in
            printer.line("try await channel.\(method.kind)(\(descriptors).\(method.function), \(arguments))")
        }
        printer.line("}")
    }
}
