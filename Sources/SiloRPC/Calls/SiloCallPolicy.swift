/// How calls to other silos behave when something fails. One set for every destination; each destination has its own
/// counters.
public struct SiloCallPolicy: Sendable, Hashable {
    /// Calls to one destination at a time; one more fails at once. Default 256.
    public var maximumConcurrentCalls = 256
    /// The wait before a repetition is anything up to this, doubled with each: full jitter. Default 50 ms.
    public var initialBackoff: Duration = .milliseconds(50)
    /// Default 2 s.
    public var maximumBackoff: Duration = .seconds(2)
    /// Repetitions as a part of all calls to a destination, so that they cannot become an avalanche. Default 0.1.
    public var retryShare = 0.1
    /// Repetitions that may be made without calls before. Default 10.
    public var retryReserve = 10.0
    /// Failures within ``breakerWindow`` that open the breaker, when they are also more than half of all calls. Default
    /// 16.
    public var breakerFailures = 16
    /// Default 10 s.
    public var breakerWindow: Duration = .seconds(10)
    /// How long nothing is sent, then one call tries. Default 1 s.
    public var breakerPause: Duration = .seconds(1)

    public init() {}
}
