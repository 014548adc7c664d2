import FrameCodec

/// Compares silo services with those that are released, and finds what would go wrong while both versions run.
///
/// Cells are deployed first, control last. So of a cell's service the server is newer than its caller for a while, of
/// control's service the caller is newer than its server; and within each silo both run side by side. Only services
/// with
/// `(silo.service)` are looked at, and of disabled methods only that they go in order.
public struct SiloEvolution {
    /// One change that is unsafe.
    public struct Problem: Sendable, Hashable, CustomStringConvertible {
        /// `service.Method`, or a field's full name.
        public let element: String
        /// What is wrong and what to do.
        public let text: String

        public var description: String { "\(element): \(text)" }
    }

    private let old: SiloContract
    private let new: SiloContract

    /// - Parameters: serialised `FileDescriptorSet`s, as `buf build` and `protoc --descriptor_set_out` write them.
    /// - Throws: ``WireError`` for what is none.
    public init(released: [UInt8], current: [UInt8]) throws(WireError) {
        old = try SiloContract(released)
        new = try SiloContract(current)
    }

    /// Every unsafe change, in the order of the released files.
    public func problems() -> [Problem] {
        var problems: [Problem] = []
        var seen: Set<String> = []
        for service in old.services {
            guard let current = new.services.first(where: { $0.name == service.name }) else {
                problems += removed(service)
                continue
            }
            problems += compare(service, current)
            for method in service.methods {
                guard let now = current.methods.first(where: { $0.name == method.name }) else {
                    if method.lifecycle != .disabled {
                        problems.append(Self.removal("\(service.options.key).\(method.name)"))
                    }
                    continue
                }
                let pair = SiloMethodEvolution(
                    old: method, new: now, home: service.options.home, key: service.options.key)
                problems += pair.problems(old: old, new: new)
                guard method.lifecycle != .disabled else { continue }
                let messages = SiloMessageEvolution(old: old, new: new, home: service.options.home)
                problems += messages.problems(of: method.request, isRequest: true, &seen)
                problems += messages.problems(of: method.response, isRequest: false, &seen)
            }
        }
        // A message may be part of a request and of a response.
        var told: Set<Problem> = []
        return problems.filter { told.insert($0).inserted }
    }

    private func removed(_ service: SiloContract.Service) -> [Problem] {
        service.methods.filter { $0.lifecycle != .disabled }.map { Self.removal("\(service.options.key).\($0.name)") }
    }

    private static func removal(_ method: String) -> Problem {
        Problem(
            element: method,
            text:
                "was removed while it was in use; release it as LIFECYCLE_DEPRECATED, then as LIFECYCLE_DISABLED, "
                    + "then remove it"
        )
    }

    private func compare(_ old: SiloContract.Service, _ new: SiloContract.Service) -> [Problem] {
        var problems: [Problem] = []
        if old.options.key != new.options.key {
            problems.append(
                Problem(
                    element: old.options.key,
                    text:
                        "its key became \"\(new.options.key)\": switches, stored answers and metrics go by the key; "
                            + "keep it"
                ))
        }
        if old.options.home != new.options.home {
            problems.append(
                Problem(
                    element: old.options.key,
                    text: "moved to another home: calls in flight would reach the wrong silo; add a new service there, "
                        + "move its callers, and retire this one"))
        }
        return problems
    }
}

/// The silo services of a set of files.
struct SiloContract {
    struct Service {
        let name: String
        let options: SiloOptions.ServiceOptions
        let methods: [Method]
    }

    struct Method {
        let name: String
        let request: String
        let response: String
        let options: SiloOptions.MethodOptions

        var lifecycle: SiloOptions.Lifecycle { options.lifecycle == .unspecified ? .active : options.lifecycle }
    }

    private(set) var services: [Service] = []
    /// By full name with a leading dot.
    private(set) var messages: [String: Descriptors.DescriptorProto] = [:]

    init(_ serialized: [UInt8]) throws(WireError) {
        let set = try Descriptors.FileDescriptorSet(
            serializedBytes: serialized, limits: WireLimits(maximumElementByteCount: 1 << 30))
        for file in set.file {
            let prefix = (file.package ?? "").isEmpty ? "" : ".\(file.package ?? "")"
            for message in file.messageType { add(message, prefix) }
            for service in file.service {
                guard let options = service.siloOptions else { continue }
                services.append(
                    Service(
                        name: "\(prefix).\(service.name ?? "")", options: options,
                        methods: service.method.map { method in
                            Method(
                                name: method.name ?? "", request: method.inputType ?? "",
                                response: method.outputType ?? "",
                                options: method.siloOptions ?? SiloOptions.MethodOptions())
                        }))
            }
        }
    }

    private mutating func add(_ message: Descriptors.DescriptorProto, _ prefix: String) {
        let name = "\(prefix).\(message.name ?? "")"
        messages[name] = message
        for nested in message.nestedType { add(nested, name) }
    }

    /// The field that the Swift function returns; nil for the whole message.
    func result(of method: Method) -> Descriptors.FieldDescriptorProto? {
        messages[method.response]?.field.first { $0.name == method.options.returns }
    }
}

extension Descriptors.FieldDescriptorProto {
    /// Whether "not set" can be told from a value.
    var hasPresence: Bool {
        label != .repeated && (type == .message || proto3Optional == true || oneofIndex != nil)
    }
}
