import RPC
import SiloTestKit
import Testing

@testable import SiloRPC

/// What is counted of calls between silos, and switches that turn a part of them off.
@Suite(.timeLimit(.minutes(5))) struct SiloCallCountersTests {
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
        let lines = log.all.filter { $0.hasPrefix("attempt at") }
        #expect(lines.count == 5)
        #expect(lines[1].contains(#""attempt": 2"#) && lines[1].contains(#""outcome": answered"#))
    }

    /// Lines about calls that were slow or made more than once.
    private func trouble(_ transport: ScriptedTransport, _ switches: SiloSwitches = SiloSwitches()) async -> [String] {
        let log = LogLines()
        let caller = SiloCaller(
            transport: transport, policy: Fixture.quick, switches: switches, counters: counters(log))
        _ = try? await caller.call(Fixture.call(body: Array("a-secret-body".utf8), timeout: .seconds(60)))
        return log.all.filter { $0.hasPrefix("a call of another silo was slow") }
    }

    @Test("a call that no connection was made for at first, and then one: one line with first error, attempts and time")
    func troubleThenGood() async throws {
        let lines = await trouble(
            ScriptedTransport(ScriptedTransport.fail(.unavailable, wasNotProcessed: true), { _ in [1] }))
        let line = try #require(lines.first)
        #expect(lines.count == 1)
        for part in [#""attempts": 2"#, #""firstError": UNAVAILABLE"#, #""outcome": answered"#, #""duration": "#] {
            #expect(line.contains(part), "\(line)")
        }
        #expect(!line.contains("secret") && !line.contains("scripted"))
    }

    @Test("the first error is the one that is told, the last one the one that is thrown")
    func firstError() async throws {
        let lines = await trouble(
            ScriptedTransport(ScriptedTransport.fail(.unavailable), ScriptedTransport.fail(.internalError)))
        #expect(lines.count == 1)
        #expect(lines[0].contains(#""firstError": UNAVAILABLE"#) && lines[0].contains(#""outcome": error"#))
    }

    @Test("a call that takes all of its time is told without a repeat; a quick one, or a plain error, is not")
    func slow() async throws {
        let short = SiloSwitches(["things.Do": try .init(timeout: .milliseconds(1))])
        let lines = await trouble(
            ScriptedTransport({ _ in
                try await Task.sleep(for: .milliseconds(5))
                return [1]
            }), short)
        #expect(lines.count == 1 && lines[0].contains(#""attempts": 1"#) && lines[0].contains(#""firstError": none"#))
        #expect(await trouble(ScriptedTransport({ _ in [1] })).isEmpty)
        #expect(await trouble(ScriptedTransport(ScriptedTransport.fail(.notFound))).isEmpty)
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
            try inbound.admit(SiloInboundCall(method: method, source: source))
            try inbound.admit(SiloInboundCall(method: Fixture.method(), source: source))
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
            func isOff() -> Bool { (try? switches.check(method, from: nil, requestID: id)) == nil }
            #expect(isOff() == isOff())
            if isOff() { off += 1 }
        }
        #expect(off == 300)
        #expect(throws: SiloError.disabled(method: "things.Do", reason: "moving (30 of 100 calls)")) {
            try switches.check(method, from: nil, requestID: "0")
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

    @Test("a switch for one caller: its own side sends nothing, the served side refuses it, others go on")
    func caller() async throws {
        let method = OrganizationMappingServiceMethod.getBySlug
        let us = SiloAddress.cell(try CellName("us"))
        let off = try SiloSwitches.Setting(disabledReason: "too many", disabledCallers: [us])
        try await TestSilos.run(.cell) { silos in
            silos.network.switches.set(method.key, off)
            silos.network.forgetSent()
            await #expect(throws: SiloError.disabled(method: method.key, reason: "too many")) {
                try await silos.here.process.organizationMapping().getBySlug(slug: "none")
            }
            #expect(silos.network.sent.isEmpty)
            let eu = try silos.cell("eu").process.organizationMapping()
            #expect(try await eu.getBySlug(slug: "none") == nil)
            #expect(silos.network.sent.count == 1)
        }
        let inbound = SiloInbound(switches: SiloSwitches([method.key: off]), answers: nil)
        #expect(throws: SiloError.disabled(method: method.key, reason: "too many")) {
            try inbound.admit(SiloInboundCall(method: method, source: us))
        }
        for source in [SiloAddress.cell(try CellName("eu")), .control, nil] {
            try inbound.admit(SiloInboundCall(method: method, source: source))
        }
    }

    @Test("the configuration has the share and the callers")
    func configuration() throws {
        func setting(_ percent: String) throws -> SiloSwitches.Setting? {
            let text = #"{"switches": [{"method": "a.B", "disabled": true\#(percent)}]}"#
            return try SiloConfiguration(json: text).switchSettings()["a.B"]
        }
        #expect(try setting("")?.disabledPercent == 100)
        #expect(try setting(#", "disabledPercent": 7"#)?.disabledPercent == 7)
        #expect(throws: SiloError.self) { try setting(#", "disabledPercent": 101"#) }
        let callers = try setting(#", "disabledCallers": ["control", "cell:us"]"#)?.disabledCallers
        #expect(callers == [.control, .cell(try CellName("us"))])
        #expect(throws: SiloError.self) { try setting(#", "disabledCallers": ["us"]"#) }
    }
}
