import RPC

/// The served side of a silo service: an RPC service whose methods check that they run in the right place. Generated.
public protocol SiloServiceDispatch: RPCService {
    /// What is declared of every method, in the order of the .proto.
    var siloMethods: [SiloMethod] { get }
    /// What serves every method, in the same order.
    var handlers: [SiloHandler] { get }
}

extension SiloServiceDispatch {
    public var methods: [RPCMethod] { handlers.map(\.rpcMethod) }
}

/// All silo services of a process, by method.
public struct SiloServices: Sendable {
    public let dispatches: [any SiloServiceDispatch]
    private let handlers: [String: SiloHandler]

    /// - Throws: ``SiloError/configuration(_:)`` when two services have one key.
    public init(_ dispatches: [any SiloServiceDispatch]) throws(SiloError) {
        var owners: [String: String] = [:]
        for dispatch in dispatches {
            guard let method = dispatch.siloMethods.first else { continue }
            let service = method.descriptor.service
            if let other = owners.updateValue(service, forKey: method.serviceKey) {
                throw .configuration(
                    "\(service) and \(other) both have the key \"\(method.serviceKey)\"; keys are unique")
            }
        }
        self.dispatches = dispatches
        let all = dispatches.flatMap(\.handlers)
        handlers = Dictionary(all.map { ($0.method.path, $0) }) { first, _ in first }
    }

    /// Every declared method.
    public var methods: [SiloMethod] { dispatches.flatMap(\.siloMethods) }

    /// What serves `/package.Service/Method`; nil for what is no silo method of this process.
    public func handler(path: String) -> SiloHandler? { handlers[path] }
}
