import RPC
import SiloTestKit
import Testing

@testable import SiloRPC

/// What is counted of calls between silos, and switches that turn a part of them off.
@Suite struct SiloCallCountersTests {
    typealias Fixture = CallFixture

    private func counters(_ log: LogLines = LogLines()) -> SiloCallCounters { SiloCallCounters(logger: log.logger) }

    @Test("every attempt is counted by its outcome, the repeats besides, and has a line at debug")
    func attempts() async throws {
        let log = LogLines()
        let counters = counters(log)
        let transport = ScriptedTransport(
            ScriptedTransport.fail(.unavailable), { _ in [1] }, ScriptedTransport.fail(.notFound),
            ScriptedTransport.fail(.deadlineExceeded), { _ in throw CancellationError() })
        let caller = SiloCaller(transport: transport, policy: Fixture.quick, counters: counters)
        _ = try await caller.call(Fixture.call())
        for _ in 0..<3 { _ = try? await caller.call(Fixture.call()) }
        let way = SiloCallCounters.Way(method: "things.Do", destination: Fixture.us1)
        let attempts = try #require(counters.attempts[way])
        #expect(attempts.outcomes == [.unavailable: 1, .answered: 1, .error: 1, .late: 1, .cancelled: 1])
        #expect(attempts.repeats == 1)
        #expect(attempts.durationCounts.reduce(0, +) == 5)
        #expect(log.all.count == 5)
        #expect(log.all[1].contains(#""attempt": 2"#) && log.all[1].contains(#""outcome": answered"#))
    }

    @Test("what the breaker holds back is counted, without a duration")
    func held() async throws {
        let counters = counters()
        var policy = Fixture.quick
        (policy.breakerFailures, policy.breakerPause) = (1, .seconds(1000))
        let caller = SiloCaller(
            transport: ScriptedTransport(ScriptedTransport.fail(.unavailable)), policy: policy, counters: counters)
        for _ in 0..<3 { _ = try? await caller.call(Fixture.call(Fixture.method(.once))) }
        let attempts = try #require(counters.attempts.values.first)
        #expect(attempts.outcomes == [.unavailable: 1, .held: 2])
        #expect(attempts.durationCounts.reduce(0, +) == 1)
    }

    @Test("calls of a deprecated method are counted at both sides, and logged once for each caller")
    func deprecated() async throws {
        let log = LogLines()
        let counters = counters(log)
        let method = Fixture.method(lifecycle: .deprecated)
        let caller = SiloCaller(transport: ScriptedTransport({ _ in [1] }), policy: Fixture.quick, counters: counters)
        for _ in 0..<3 { _ = try await caller.call(Fixture.call(method)) }
        let inbound = SiloInbound(switches: SiloSwitches(), answers: nil, counters: counters)
        for source in [SiloAddress.control, .control, Fixture.us1, nil] {
            try inbound.admit(SiloInboundCall(method: method, source: source) { [] })
            try inbound.admit(SiloInboundCall(method: Fixture.method(), source: source) { [] })
        }
        func count(_ name: String) -> Int? {
            counters.deprecatedCalls[SiloCallCounters.Deprecated(method: "things.Do", caller: name)]
        }
        #expect([count("self"), count("control"), count("cell:us1"), count("rpc0")] == [3, 2, 1, 1])
        let lines = log.all.filter { $0.contains("deprecated") }
        #expect(lines.count == 4 && lines[0].contains(#""caller": self"#) && lines[0].contains(#""method": things.Do"#))
    }

    // MARK: - A part of the calls

    @Test("a switch for a part of the calls: both sides choose the same ones, by the request id")
    func share() throws {
        let switches = SiloSwitches(["things.Do": try .init(disabledReason: "moving", disabledPercent: 30)])
        let method = Fixture.method()
        var off = 0
        for number in 0..<1000 as Range<UInt64> {
            let id = String(number, radix: 16)
            func isOff() -> Bool { (try? switches.check(method, requestID: id)) == nil }
            #expect(isOff() == isOff())
            if isOff() { off += 1 }
        }
        #expect(off == 300)
        #expect(throws: SiloError.disabled(method: "things.Do", reason: "moving (30 of 100 calls)")) {
            try switches.check(method, requestID: "0")
        }
        for percent in [0, 101, -1] {
            #expect(throws: SiloError.self) { try SiloSwitches.Setting(disabledReason: "x", disabledPercent: percent) }
        }
    }

    @Test("a call that passes at the caller's side passes at the served side too")
    func bothSides() async throws {
        try await TestSilos.run(.cell) { silos in
            let method = OrganizationMappingServiceMethod.getBySlug
            let half = try SiloSwitches.Setting(disabledReason: "half", disabledPercent: 50)
            silos.network.switches.set(method.key, half)
            let mapping = try silos.here.process.organizationMapping()
            silos.network.forgetSent()
            var (passed, refused) = (0, 0)
            for _ in 0..<60 {
                do {
                    _ = try await mapping.getBySlug(slug: "none")
                    passed += 1
                } catch SiloError.disabled { refused += 1 }
            }
            #expect(passed > 0 && refused > 0)
            #expect(silos.network.sent.count == passed, "what is off is not sent, what is sent is served")
        }
    }

    @Test("the configuration has the share")
    func configuration() throws {
        func setting(_ percent: String) throws -> SiloSwitches.Setting? {
            let text = #"{"switches": [{"method": "a.B", "disabled": true\#(percent)}]}"#
            return try SiloConfiguration(json: text).switchSettings()["a.B"]
        }
        #expect(try setting("")?.disabledPercent == 100)
        #expect(try setting(#", "disabledPercent": 7"#)?.disabledPercent == 7)
        #expect(throws: SiloError.self) { try setting(#", "disabledPercent": 101"#) }
    }
}
