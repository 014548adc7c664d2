/// What every call from another silo passes before it is served: the operator's switches, then stored answers.
public struct SiloInbound: SiloInboundPolicy {
    public let switches: SiloSwitches
    private let answers: StoredAnswers?
    private let counters: SiloCallCounters?

    /// - Parameters:
    ///   - answers: nil keeps none: calls with a key are then run as often as they come.
    ///   - counters: counts calls of deprecated methods; nil counts nothing.
    public init(switches: SiloSwitches, answers: StoredAnswers?, counters: SiloCallCounters? = nil) {
        self.switches = switches
        self.answers = answers
        self.counters = counters
    }

    public func admit(_ call: SiloInboundCall) throws {
        counters?.note(call.method, caller: call.source?.description ?? "rpc0")
        try switches.check(call.method, from: call.source, requestID: call.requestID)
    }

    public func timeLimit(_ method: SiloMethod) -> Duration? { switches.setting(method)?.timeout }

    public func answer(
        _ call: SiloInboundCall, request: [UInt8], _ produce: @Sendable () async throws -> [UInt8]
    ) async throws -> [UInt8] {
        guard let answers, let key = call.idempotencyKey else { return try await produce() }
        return try await answers.answer(call, key: key, request: request, produce)
    }
}
