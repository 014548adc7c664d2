import FrameCodec
import HTTPTransport

/// How calls are repeated one after the other. Source: gRFC A6.
public struct RetryPolicy: Sendable, Hashable {
    /// The first one included; 2...5, more counts as 5.
    public var maximumAttempts: Int
    public var initialBackoff: Duration
    public var maximumBackoff: Duration
    public var backoffMultiplier: Double
    /// What is worth another attempt.
    public var retryableCodes: Set<StatusCode>

    public init(
        maximumAttempts: Int, initialBackoff: Duration = .milliseconds(100), maximumBackoff: Duration = .seconds(5),
        backoffMultiplier: Double = 2, retryableCodes: Set<StatusCode> = [.unavailable]
    ) {
        self.maximumAttempts = min(max(1, maximumAttempts), 5)
        self.initialBackoff = initialBackoff
        self.maximumBackoff = maximumBackoff
        self.backoffMultiplier = backoffMultiplier
        self.retryableCodes = retryableCodes
    }

    /// The wait before the attempt after `attempt`: exponential, 20 % more or less. `random` is from -1 to 1.
    func delay(afterAttempt attempt: Int, random: Double) -> Duration {
        var delay = initialBackoff
        for _ in 1..<max(1, attempt) { delay = min(delay * backoffMultiplier, maximumBackoff) }
        return min(delay, maximumBackoff) * (1 + 0.2 * random)
    }
}

/// How a call is sent several times at once, for unary methods that may run twice. Source: gRFC A6.
public struct HedgingPolicy: Sendable, Hashable {
    /// 2...5, more counts as 5.
    public var maximumAttempts: Int
    /// The next attempt starts when there is no answer after this.
    public var delay: Duration
    /// Codes that do not end the call while other attempts run or may start.
    public var nonFatalCodes: Set<StatusCode>

    public init(maximumAttempts: Int, delay: Duration, nonFatalCodes: Set<StatusCode> = [.unavailable]) {
        self.maximumAttempts = min(max(1, maximumAttempts), 5)
        self.delay = delay
        self.nonFatalCodes = nonFatalCodes
    }
}

/// What holds for some methods. The most specific one counts: method, then service, then all.
public struct MethodConfiguration: Sendable, Hashable {
    /// Which methods. Empty fields mean "every": a service's every method, or every service.
    public struct Name: Sendable, Hashable {
        public var service: String
        public var method: String

        public init(service: String = "", method: String = "") {
            self.service = service
            self.method = method
        }
    }

    public var names: [Name]
    /// Longest time of a call; a caller's own timeout counts if it is shorter.
    public var timeout: Duration?
    public var waitsForReady: Bool?
    public var retry: RetryPolicy?
    /// Instead of `retry`.
    public var hedging: HedgingPolicy?

    public init(
        names: [Name] = [Name()], timeout: Duration? = nil, waitsForReady: Bool? = nil, retry: RetryPolicy? = nil,
        hedging: HedgingPolicy? = nil
    ) {
        self.names = names
        self.timeout = timeout
        self.waitsForReady = waitsForReady
        self.retry = retry
        self.hedging = hedging
    }
}

/// Stops retries and hedging when a server is in trouble. Source: gRFC A6, "Throttling Retry Attempts and Hedged RPCs".
public struct RetryThrottling: Sendable, Hashable {
    /// 1...1000. Each failure takes one, retries stop at half.
    public var maximumTokens: Double
    /// What each success gives back.
    public var tokenRatio: Double

    public init(maximumTokens: Double, tokenRatio: Double) {
        self.maximumTokens = min(max(1, maximumTokens), 1000)
        self.tokenRatio = max(0, tokenRatio)
    }
}

/// A service owner's advice to clients, in Swift or from gRPC's service-config JSON.
public struct ServiceConfiguration: Sendable, Hashable {
    public var methods: [MethodConfiguration]
    public var retryThrottling: RetryThrottling?
    /// nil takes the channel's.
    public var loadBalancing: LoadBalancing?

    public init(
        methods: [MethodConfiguration] = [], retryThrottling: RetryThrottling? = nil,
        loadBalancing: LoadBalancing? = nil
    ) {
        self.methods = methods
        self.retryThrottling = retryThrottling
        self.loadBalancing = loadBalancing
    }
}

/// Looks the configuration of a method up.
struct MethodConfigurations: Sendable {
    private let byName: [MethodConfiguration.Name: MethodConfiguration]

    init(_ service: ServiceConfiguration) {
        var byName: [MethodConfiguration.Name: MethodConfiguration] = [:]
        for method in service.methods {
            for name in method.names where byName[name] == nil { byName[name] = method }
        }
        self.byName = byName
    }

    func callAsFunction(_ method: MethodDescriptor) -> MethodConfiguration? {
        guard !byName.isEmpty else { return nil }
        return byName[.init(service: method.service, method: method.method)] ?? byName[.init(service: method.service)]
            ?? byName[.init()]
    }
}
