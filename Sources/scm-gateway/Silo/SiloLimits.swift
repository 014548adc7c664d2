import HTTPTransport
import SiloRPC

/// How much goes between silos at a time.
struct SiloLimits: Sendable {
    /// Requests of the public that control hands on to one cell at a time.
    var maximumProxiedExchanges = SiloHTTPClient.Configuration().maximumProxiedExchanges
    /// Of these, one organization's.
    var maximumProxiedExchangesPerOrganization = SiloHTTPClient.Configuration().maximumProxiedExchangesPerOrganization
    /// Calls of this silo's own to one other silo at a time.
    var maximumConcurrentCalls = SiloCallPolicy().maximumConcurrentCalls
    /// Calls with one key that are remembered against replays.
    var nonceCountPerKey = SiloVerifier.Configuration().nonceCountPerKey

    private static let all: [(name: String, path: any WritableKeyPath<SiloLimits, Int> & Sendable)] = [
        ("maximumProxiedExchanges", \.maximumProxiedExchanges),
        ("maximumProxiedExchangesPerOrganization", \.maximumProxiedExchangesPerOrganization),
        ("maximumConcurrentCalls", \.maximumConcurrentCalls), ("nonceCountPerKey", \.nonceCountPerKey),
    ]

    static let names = all.map(\.name)

    mutating func set(_ name: String, to value: Double) throws(HTTPLimitError) {
        guard (1...100_000_000).contains(value), let (_, path) = Self.all.first(where: { $0.name == name }) else {
            throw HTTPLimitError("limit \(name) cannot be \(value)")
        }
        self[keyPath: path] = Int(value)
    }
}
