import FrameCodec
import HTTPTransport

/// A service-config text that cannot be used.
public struct ServiceConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Names the place, such as `methodConfig[0].retryPolicy.maxAttempts`.
    public let description: String
}

extension ServiceConfiguration {
    /// Reads gRPC's service-config JSON: `methodConfig` (name, timeout, waitForReady, retryPolicy, hedgingPolicy),
    /// `retryThrottling`, `loadBalancingPolicy` and `loadBalancingConfig`. Members it does not know are skipped.
    ///
    /// - Throws: ``ServiceConfigurationError``
    public init(json: String) throws(ServiceConfigurationError) {
        let root: ConfigObject
        do {
            root = ConfigObject(path: "", members: try Protobuf.Struct(jsonString: json).fields)
        } catch {
            throw ServiceConfigurationError(description: "the service config is not a JSON object: \(error)")
        }
        var methods: [MethodConfiguration] = []
        for object in try root.objects("methodConfig") { methods.append(try Self.method(object)) }
        self.init(methods: methods)
        if let object = try root.object("retryThrottling") {
            let tokens = try object.required("maxTokens", try object.number("maxTokens"))
            let ratio = try object.required("tokenRatio", try object.number("tokenRatio"))
            guard tokens > 0, tokens <= 1000, ratio > 0 else { throw object.error("maxTokens", "is not in 1...1000") }
            retryThrottling = RetryThrottling(maximumTokens: tokens, tokenRatio: ratio)
        }
        loadBalancing = try Self.loadBalancing(root)
    }

    private static func loadBalancing(_ root: ConfigObject) throws(ServiceConfigurationError) -> LoadBalancing? {
        var names = try root.objects("loadBalancingConfig").compactMap { $0.members.keys.first }
        if let name = try root.text("loadBalancingPolicy") { names.append(name.lowercased()) }
        for name in names {
            if name == "round_robin" { return .roundRobin }
            if name == "pick_first" { return .pickFirst }
        }
        return nil
    }

    private static func method(_ object: ConfigObject) throws(ServiceConfigurationError) -> MethodConfiguration {
        var method = MethodConfiguration(names: [])
        for name in try object.objects("name") {
            method.names.append(.init(service: try name.text("service") ?? "", method: try name.text("method") ?? ""))
        }
        method.timeout = try object.duration("timeout")
        method.waitsForReady = try object.flag("waitForReady")
        if let retry = try object.object("retryPolicy") { method.retry = try self.retry(retry) }
        if let hedging = try object.object("hedgingPolicy") {
            guard method.retry == nil else { throw object.error("hedgingPolicy", "stands beside a retryPolicy") }
            method.hedging = HedgingPolicy(
                maximumAttempts: try attempts(hedging), delay: try hedging.duration("hedgingDelay") ?? .zero,
                nonFatalCodes: try hedging.codes("nonFatalStatusCodes"))
        }
        return method
    }

    private static func retry(_ object: ConfigObject) throws(ServiceConfigurationError) -> RetryPolicy {
        let multiplier = try object.required("backoffMultiplier", try object.number("backoffMultiplier"))
        guard multiplier > 0 else { throw object.error("backoffMultiplier", "is not above 0") }
        let codes = try object.codes("retryableStatusCodes")
        guard !codes.isEmpty else { throw object.error("retryableStatusCodes", "is empty") }
        return RetryPolicy(
            maximumAttempts: try attempts(object),
            initialBackoff: try object.required("initialBackoff", try object.duration("initialBackoff")),
            maximumBackoff: try object.required("maxBackoff", try object.duration("maxBackoff")),
            backoffMultiplier: multiplier, retryableCodes: codes)
    }

    private static func attempts(_ object: ConfigObject) throws(ServiceConfigurationError) -> Int {
        let count = try object.required("maxAttempts", try object.number("maxAttempts"))
        guard count >= 2, count == count.rounded() else {
            throw object.error("maxAttempts", "is not a whole number above 1")
        }
        return Int(min(count, 5))
    }
}

/// A JSON object and where it stands.
private struct ConfigObject {
    let path: String
    let members: [String: Protobuf.Value]

    func error(_ name: String, _ problem: String) -> ServiceConfigurationError {
        ServiceConfigurationError(description: "service config: \(path)\(name) \(problem)")
    }

    func required<T>(_ name: String, _ value: T?) throws(ServiceConfigurationError) -> T {
        guard let value else { throw error(name, "is missing") }
        return value
    }

    func text(_ name: String) throws(ServiceConfigurationError) -> String? {
        guard let kind = members[name]?.kind else { return nil }
        guard case .stringValue(let text) = kind else { throw error(name, "is not a string") }
        return text
    }

    func flag(_ name: String) throws(ServiceConfigurationError) -> Bool? {
        guard let kind = members[name]?.kind else { return nil }
        guard case .boolValue(let value) = kind else { throw error(name, "is not a boolean") }
        return value
    }

    func number(_ name: String) throws(ServiceConfigurationError) -> Double? {
        guard let kind = members[name]?.kind else { return nil }
        guard case .numberValue(let value) = kind, value.isFinite else { throw error(name, "is not a number") }
        return value
    }

    /// A protobuf duration as JSON, such as `0.1s`.
    func duration(_ name: String) throws(ServiceConfigurationError) -> Duration? {
        guard let text = try text(name) else { return nil }
        guard text.hasSuffix("s"), let seconds = Double(text.dropLast()), seconds >= 0, seconds < 1e9 else {
            throw error(name, "is not a duration such as \"0.1s\"")
        }
        return .seconds(seconds)
    }

    func object(_ name: String) throws(ServiceConfigurationError) -> ConfigObject? {
        guard let kind = members[name]?.kind else { return nil }
        guard case .structValue(let object) = kind else { throw error(name, "is not an object") }
        return ConfigObject(path: "\(path)\(name).", members: object.fields)
    }

    func objects(_ name: String) throws(ServiceConfigurationError) -> [ConfigObject] {
        var objects: [ConfigObject] = []
        for (index, value) in try list(name).enumerated() {
            guard case .structValue(let object)? = value.kind else {
                throw error(name, "holds something else than objects")
            }
            objects.append(ConfigObject(path: "\(path)\(name)[\(index)].", members: object.fields))
        }
        return objects
    }

    /// Names such as `UNAVAILABLE`, or numbers.
    func codes(_ name: String) throws(ServiceConfigurationError) -> Set<StatusCode> {
        var codes: Set<StatusCode> = []
        for value in try list(name) {
            let known = (1...16).map(StatusCode.init(rawValue:))
            let code: StatusCode? =
                switch value.kind {
                case .stringValue(let text)?: known.first { $0.description == text.uppercased() }
                case .numberValue(let number)?: known.first { Double($0.rawValue) == number }
                default: nil
                }
            guard let code else { throw error(name, "holds something that is no status code") }
            codes.insert(code)
        }
        return codes
    }

    private func list(_ name: String) throws(ServiceConfigurationError) -> [Protobuf.Value] {
        guard let kind = members[name]?.kind else { return [] }
        guard case .listValue(let list) = kind else { throw error(name, "is not a list") }
        return list.values
    }
}
