import FrameCodec

/// Reads one service's declaration and refuses what could go wrong later, with a text that says what to do.
struct SiloServiceReader {
    let context: FileContext
    let service: Descriptors.ServiceDescriptorProto
    let options: SiloOptions.ServiceOptions
    /// Path in the source code info.
    let path: [Int32]

    private var name: String { service.name ?? "" }

    func read() throws(GeneratorError) -> SiloService {
        try checkKey()
        guard options.home == .control || options.home == .cell else {
            throw context.error(name, "says no home; add home: HOME_CONTROL or home: HOME_CELL to (silo.service)")
        }
        var methods: [SiloMethodModel] = []
        for (index, method) in service.method.enumerated() {
            let comment = context.comments[path + [DescriptorPath.serviceMethod, Int32(index)]]
            methods.append(try read(method, comment))
        }
        return SiloService(
            name: Naming.type(name), fullName: context.fullName(name), key: options.key, home: options.home,
            methods: methods, documentation: context.comments[path]
        )
    }

    private func checkKey() throws(GeneratorError) {
        let isAllowed = options.key.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
        }
        guard isAllowed, (1...48).contains(options.key.utf8.count) else {
            throw context.error(
                name,
                "(silo.service) has key \"\(options.key)\"; give it a unique key of 1 to 48 characters a-z, 0-9 and _ "
                    + "that never changes"
            )
        }
    }

    private func read(
        _ method: Descriptors.MethodDescriptorProto, _ comment: String
    ) throws(GeneratorError) -> SiloMethodModel {
        let element = "\(name).\(method.name ?? "")"
        guard method.clientStreaming != true, method.serverStreaming != true else {
            throw context.error(
                element, "methods of silo services are unary; return a page and a cursor instead of a stream")
        }
        let declared = method.siloOptions ?? SiloOptions.MethodOptions()
        let request = try SiloMessage(method.inputType ?? "", element: element, context: context)
        let response = try SiloMessage(method.outputType ?? "", element: element, context: context)
        let resolver = try SiloResolverReader(
            context: context, element: element, home: options.home, request: request
        ).read(declared)
        let result = try result(of: response, declared.returns, element)
        try checkNone(declared, response, element)
        return SiloMethodModel(
            name: method.name ?? "", function: Naming.method(method.name ?? ""), request: request.type,
            response: response.type, parameters: try request.parameters(root: resolver.root), result: result,
            resolver: resolver, returnsNone: declared.noneIfMappingNotFound,
            idempotency: Self.idempotency(declared.idempotency),
            timeoutMilliseconds: declared.timeoutMs == 0 ? 5000 : declared.timeoutMs, retries: declared.retries ?? 2,
            lifecycle: Self.lifecycle(declared.lifecycle), documentation: comment
        )
    }

    private func result(
        of response: SiloMessage, _ returns: String, _ element: String
    ) throws(GeneratorError) -> SiloResult {
        if returns.isEmpty { return response.isEmpty ? .nothing : .message }
        guard let field = try response.field(returns) else {
            throw context.error(element, "returns: \"\(returns)\": \(response.name) has no such field")
        }
        return .property(member: field.member, type: field.propertyType)
    }

    private func checkNone(
        _ declared: SiloOptions.MethodOptions, _ response: SiloMessage, _ element: String
    ) throws(GeneratorError) {
        guard declared.noneIfMappingNotFound else { return }
        guard options.home == .cell else {
            throw context.error(
                element, "none_if_mapping_not_found is for cells' methods; control looks nothing up: remove the flag")
        }
        let field = declared.returns.isEmpty ? nil : try response.field(declared.returns)
        guard let field, case .explicit = field.shape else {
            throw context.error(
                element,
                "none_if_mapping_not_found needs an optional result; let `returns` name a message field or an optional "
                    + "field of \(response.name), or remove the flag"
            )
        }
    }

    private static func idempotency(_ value: SiloOptions.Idempotency) -> String {
        switch value {
        case .readOnly: "readOnly"
        case .byKey: "idempotent"
        default: "once"
        }
    }

    private static func lifecycle(_ value: SiloOptions.Lifecycle) -> String {
        switch value {
        case .deprecated: "deprecated"
        case .disabled: "disabled"
        default: "active"
        }
    }
}
