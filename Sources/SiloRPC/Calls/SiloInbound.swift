/// What every call from another silo passes before it is served: the operator's switches, then stored answers.
public struct SiloInbound: SiloInboundPolicy {
    public let switches: SiloSwitches
    private let answers: StoredAnswers?

    /// - Parameter answers: nil keeps none: calls with a key are then run as often as they come.
    public init(switches: SiloSwitches, answers: StoredAnswers?) {
        self.switches = switches
        self.answers = answers
    }

    public func admit(_ call: SiloInboundCall) throws { try switches.check(call.method) }

    public func answer(
        _ call: SiloInboundCall, _ produce: @Sendable () async throws -> [UInt8]
    ) async throws -> [UInt8] {
        guard let answers, let key = call.idempotencyKey else { return try await produce() }
        return try await answers.answer(call, key: key, produce)
    }
}
