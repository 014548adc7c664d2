import NIOCore
import RPC
import Synchronization
import Testing

@testable import SiloRPC

@Suite(.timeLimit(.minutes(5))) struct SiloCallerTests {
    typealias Fixture = CallFixture

    static let ok: ScriptedTransport.Step = { _ in [1] }

    func caller(
        _ transport: ScriptedTransport, _ policy: SiloCallPolicy = Fixture.quick,
        _ switches: SiloSwitches = SiloSwitches()
    ) -> SiloCaller {
        SiloCaller(transport: transport, policy: policy, switches: switches)
    }

    /// Whether an attempt that failed so is made again, by class: read-only, idempotent, once.
    @Test(arguments: [
        (ScriptedTransport.fail(.unavailable), [true, true, false]),
        (ScriptedTransport.fail(.unavailable, wasNotProcessed: true), [true, true, true]),
        (ScriptedTransport.fail(.resourceExhausted), [false, false, false]),
        (ScriptedTransport.fail(.resourceExhausted, pushback: .milliseconds(1)), [true, true, false]),
        (ScriptedTransport.fail(.unavailable, pushback: .seconds(-1)), [false, false, false]),
        (ScriptedTransport.fail(.aborted, pushback: .milliseconds(1)), [true, true, true]),
        (ScriptedTransport.fail(.deadlineExceeded), [false, false, false]),
        (ScriptedTransport.fail(.internalError), [false, false, false]),
        (ScriptedTransport.fail(.unauthenticated), [false, false, false]),
    ] as [(ScriptedTransport.Step, [Bool])])
    func `what is repeated depends on the class`(failure: @escaping ScriptedTransport.Step, expected: [Bool])
        async throws
    {
        for (idempotency, isRepeated) in zip([.readOnly, .idempotent, .once] as [SiloMethod.Idempotency], expected) {
            let transport = ScriptedTransport(failure, Self.ok)
            let answer = try? await caller(transport).call(Fixture.call(Fixture.method(idempotency)))
            #expect(transport.calls.count == (isRepeated ? 2 : 1), "\(idempotency)")
            #expect((answer.map { $0 == [1] } ?? false) == isRepeated)
        }
    }

    @Test func `attempts share request id and deadline, and end with the retries`() async throws {
        let transport = ScriptedTransport(ScriptedTransport.fail(.unavailable))
        await #expect(throws: SiloError.self) {
            try await caller(transport).call(Fixture.call(Fixture.method(retries: 3)))
        }
        #expect(transport.calls.count == 4)
        #expect(Set(transport.calls.map { $0.metadata[SiloField.requestID] }).count == 1)
        #expect(transport.calls[0].metadata[SiloField.requestID]?.count == 15)
        #expect(Set(transport.calls.map(\.deadline)).count == 1)
    }

    @Test func `no attempt begins after the deadline`() async throws {
        let transport = ScriptedTransport(ScriptedTransport.fail(.unavailable, pushback: .seconds(60)), Self.ok)
        await #expect(throws: SiloError.self) { try await caller(transport).call(Fixture.call(timeout: .seconds(30))) }
        #expect(transport.calls.count == 1)
    }

    @Test func `repetitions have a budget`() async throws {
        var policy = Fixture.quick
        policy.retryReserve = 3
        policy.retryShare = 0
        policy.breakerFailures = 1000
        let transport = ScriptedTransport(ScriptedTransport.fail(.unavailable))
        let caller = caller(transport, policy)
        for _ in 0..<10 { _ = try? await caller.call(Fixture.call(Fixture.method(retries: 1))) }
        #expect(transport.calls.count == 13)
    }

    @Test func `a disabled method sends nothing, here, by declaration and by service`() async throws {
        let transport = ScriptedTransport(Self.ok)
        let switches = SiloSwitches()
        let caller = caller(transport, Fixture.quick, switches)
        for name in ["things.Do", "things"] {
            switches.replace([name: try .init(disabledReason: "moving")])
            await #expect(throws: SiloError.disabled(method: "things.Do", reason: "moving")) {
                try await caller.call(Fixture.call())
            }
        }
        switches.replace(["things.Other": try .init(disabledReason: "moving")])
        #expect(try await caller.call(Fixture.call()) == [1], "another method")
        await #expect(throws: SiloError.self) {
            try await caller.call(Fixture.call(Fixture.method(lifecycle: .disabled)))
        }
        #expect(transport.calls.count == 1)
    }

    @Test func `timeout and retries: declared, overridden, overridden for another method, invalid`() async throws {
        let method = Fixture.method()
        let switches = SiloSwitches()
        #expect(switches.timeout(method) == .seconds(30) && switches.retries(method) == 2)
        switches.set("things.Do", try .init(timeout: .seconds(1), retries: 0))
        #expect(switches.timeout(method) == .seconds(1) && switches.retries(method) == 0)
        switches.replace(["things.Other": try .init(timeout: .seconds(1), retries: 0)])
        #expect(switches.timeout(method) == .seconds(30) && switches.retries(method) == 2)
        #expect(throws: SiloError.self) { try SiloSwitches.Setting(timeout: .zero) }
        #expect(throws: SiloError.self) { try SiloSwitches.Setting(retries: 11) }
        switches.set("things.Do", try .init(timeout: .seconds(1), retries: 0))
        let transport = ScriptedTransport(ScriptedTransport.fail(.unavailable))
        _ = try? await caller(transport, Fixture.quick, switches).call(Fixture.call())
        #expect(transport.calls.count == 1)
        #expect(try #require(transport.calls.first).deadline < .now() + .seconds(2))
    }

    @Test func `more calls than allowed at a time fail at once`() async throws {
        var policy = Fixture.quick
        policy.maximumConcurrentCalls = 1
        let gate = AsyncStream.makeStream(of: Void.self)
        let started = AsyncStream.makeStream(of: Void.self)
        let transport = ScriptedTransport(
            { _ in
                started.continuation.finish()
                for await _ in gate.stream {}
                return [1]
            }, Self.ok)
        let caller = caller(transport, policy)
        async let first = caller.call(Fixture.call())
        for await _ in started.stream {}
        await #expect(throws: SiloError.self) { try await caller.call(Fixture.call()) }
        gate.continuation.finish()
        #expect(try await first == [1])
        #expect(try await caller.call(Fixture.call()) == [1], "the place is free again")
    }

    @Test func `a caller that gives up the call that tries says nothing of the silo`() async throws {
        var policy = Fixture.quick
        (policy.breakerFailures, policy.breakerPause) = (1, .milliseconds(1))
        let transport = ScriptedTransport(
            ScriptedTransport.fail(.unavailable), { _ in throw CancellationError() }, Self.ok)
        let caller = caller(transport, policy)
        _ = try? await caller.call(Fixture.call(Fixture.method(.once)))
        #expect(!caller.isOpen(Fixture.us1))
        try await Task.sleep(for: .milliseconds(5))
        await #expect(throws: CancellationError.self) { try await caller.call(Fixture.call(Fixture.method(.once))) }
        #expect(transport.calls.count == 2)
        #expect(!caller.isOpen(Fixture.us1), "nobody has answered")
        try await Task.sleep(for: .milliseconds(5))
        #expect(try await caller.call(Fixture.call()) == [1])
        #expect(caller.isOpen(Fixture.us1))
    }

    @Test func `who has little time says nothing of the silo, who has the method's does`() async throws {
        var policy = Fixture.quick
        policy.breakerFailures = 1
        let late = caller(ScriptedTransport(ScriptedTransport.fail(.deadlineExceeded)), policy)
        for _ in 0..<3 { _ = try? await late.call(Fixture.call(timeout: .seconds(10))) }
        #expect(late.isOpen(Fixture.us1))
        _ = try? await late.call(Fixture.call(timeout: .seconds(60)))
        #expect(!late.isOpen(Fixture.us1))
    }

    @Test func `errors that the silo has made are told as they are, others not`() async throws {
        let error: @Sendable (any RPCErrorConvertible) -> ScriptedTransport.Step = { error in
            { _ in throw error.rpcError }
        }
        let cell = try CellName("us1")
        for expected in [
            SiloError.wrongCell(expected: cell, actual: nil), .wrongCell(expected: cell, actual: try CellName("eu1")),
            .wrongSilo(method: "things.Do", asked: .control), .disabled(method: "things.Do", reason: "why"),
            .validation(code: "too-long", message: "the name is too long"), .mappingNotFound("no"),
            .cellResolution("no"),
            .outcomeUnknown(method: "things.Do"), .notFound("x"), .exists("x"), .invalid("x"), .forbidden("x"),
        ] {
            let transport = ScriptedTransport(error(expected))
            let thrown = await #expect(throws: SiloError.self) { try await caller(transport).call(Fixture.call()) }
            #expect(thrown == expected)
            #expect(transport.calls.count == 1)
        }
        let transport = ScriptedTransport(ScriptedTransport.fail(.deadlineExceeded))
        let late = await #expect(throws: SiloError.self) { try await caller(transport).call(Fixture.call()) }
        guard case .deadlineExceeded = late else { return #expect(Bool(false), "\(String(describing: late))") }
    }
}

@Suite(.timeLimit(.minutes(5))) struct CircuitBreakerTests {
    static let start = NIODeadline.now()

    static var policy: SiloCallPolicy {
        var policy = SiloCallPolicy()
        policy.breakerFailures = 3
        return policy
    }

    @Test func `it opens, lets one call try, and closes when that is answered`() {
        var breaker = CircuitBreaker(Self.policy, now: Self.start)
        for _ in 0..<3 {
            #expect(breaker.admit(Self.start) == nil)
            breaker.didFail(Self.start)
        }
        #expect(breaker.admit(Self.start) == .seconds(1))
        let later = Self.start + .seconds(1)
        #expect(breaker.admit(later) == nil, "the one that tries")
        #expect(breaker.admit(later) == .seconds(1), "the next one waits")
        breaker.didFail(later)
        #expect(breaker.admit(later + .milliseconds(500)) == .milliseconds(500))
        let last = later + .seconds(1)
        #expect(breaker.admit(last) == nil)
        breaker.didAnswer(last)
        #expect(breaker.state == .closed && breaker.admit(last) == nil)
    }

    @Test func `time alone lets the next call try, also when the one that tried never ended`() {
        var breaker = CircuitBreaker(Self.policy, now: Self.start)
        for _ in 0..<3 { breaker.didFail(Self.start) }
        #expect(breaker.admit(Self.start + .seconds(1)) == nil)
        #expect(breaker.admit(Self.start + .seconds(2)) == nil)
    }

    @Test func `few failures among many answers, and old ones, do not open it`() {
        var breaker = CircuitBreaker(Self.policy, now: Self.start)
        for _ in 0..<10 { breaker.didAnswer(Self.start) }
        for _ in 0..<9 { breaker.didFail(Self.start) }
        #expect(breaker.state == .closed)
        var slow = CircuitBreaker(Self.policy, now: Self.start)
        for second in 0..<10 { slow.didFail(Self.start + .seconds(Int64(second * 6))) }
        #expect(slow.state == .closed)
    }
}
