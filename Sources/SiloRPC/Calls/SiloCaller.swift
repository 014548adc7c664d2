import NIOCore
import RPC
import Synchronization

/// Policy around a transport: what the delegates call.
///
/// ```
/// switched off? ............ .disabled, nothing is sent
/// too many calls there? .... .unavailable at once
/// attempt:  breaker open? .. .unavailable at once
///           send
///           answered ....... the answer, or the error that the silo made
///           failed ......... again after a random wait, when the method's class, the retries, the budget and the
///                            deadline allow it
/// ```
///
/// | class | again after |
/// |---|---|
/// | read-only, idempotent | every failure of the medium, and where the silo asks for it |
/// | once | only when the call certainly was not processed |
public final class SiloCaller: Sendable {
    private let transport: any SiloTransport
    private let policy: SiloCallPolicy
    private let destinations: Destinations
    /// What operators change while the process runs.
    public let switches: SiloSwitches
    private let counters: SiloCallCounters?

    /// - Parameter counters: counts every attempt; nil counts nothing.
    public init(
        transport: any SiloTransport, policy: SiloCallPolicy = SiloCallPolicy(),
        switches: SiloSwitches = SiloSwitches(),
        counters: SiloCallCounters? = nil
    ) {
        self.counters = counters
        self.transport = transport
        self.policy = policy
        self.switches = switches
        destinations = Destinations(policy)
    }

    /// How long one call may go on, and since when it does.
    private struct Plan {
        let begin: NIODeadline
        let timeout: TimeAmount
        let retries: Int
        let deadline: NIODeadline

        /// Who has less time than the method asks for finds out nothing about the destination when it is over.
        var isPatient: Bool { (deadline - begin).nanoseconds > timeout.nanoseconds / 2 }
    }

    /// - Returns: the encoded response message.
    /// - Throws: ``SiloError``; `CancellationError`.
    public func call(_ call: consuming SiloCall) async throws -> ByteBuffer {
        let method = call.method
        let setting = switches.setting(method)
        let requestID = RequestID.make()
        try SiloSwitches.check(method, setting, from: transport.source, requestID: requestID)
        counters?.note(method, caller: "self")
        let begin = NIODeadline.now()
        let timeout = TimeAmount(setting?.timeout ?? method.timeout)
        let plan = Plan(
            begin: begin, timeout: timeout, retries: setting?.retries ?? method.retries,
            deadline: min(call.deadline, begin + timeout))
        call.metadata.add(known: SiloFieldName.requestID, requestID)
        call.deadline = plan.deadline
        let destination = destinations.state(call.destination)
        if case .full(let limit) = destination.begin() {
            throw SiloError.unavailable(
                call.destination, "maximumConcurrentCalls = \(limit) calls to it are running", retryAfter: nil)
        }
        defer { destination.end() }
        return try await attempts(call, destination, plan)
    }

    private func attempts(_ call: SiloCall, _ destination: DestinationState, _ plan: Plan) async throws -> ByteBuffer {
        var attempt = 1
        var firstError: String?
        while true {
            let start = attempt == 1 ? plan.begin : .now()
            try admit(call, destination, attempt, start)
            do {
                let answer = try await transport.send(call)
                didAnswer(call, destination, plan, attempt, start, firstError)
                return answer
            } catch {
                let failure = CallFailure(error, call)
                firstError = firstError ?? failure.kind
                let delay = try didFail(failure, call, destination, plan, attempt, start, firstError)
                try await Task.sleep(for: delay)
                attempt += 1
            }
        }
    }

    private func admit(
        _ call: SiloCall, _ destination: DestinationState, _ attempt: Int, _ now: NIODeadline
    ) throws(SiloError) {
        guard case .open(let pause) = destination.admit(now) else { return }
        counters?.note(call, attempt: attempt, .held, nil)
        throw SiloError.unavailable(
            call.destination, "its last calls failed; the breaker is open for \(pause) more", retryAfter: pause)
    }

    private func didAnswer(
        _ call: SiloCall, _ destination: DestinationState, _ plan: Plan, _ attempt: Int, _ start: NIODeadline,
        _ firstError: String?
    ) {
        let now = NIODeadline.now()
        destination.didAnswer(now)
        counters?.note(call, attempt: attempt, .answered, Duration(now - start))
        noteTrouble(call, plan, attempt, .answered, firstError, now)
    }

    /// - Returns: how long to wait before the next attempt.
    /// - Throws: the error as the caller gets it, when there is none.
    private func didFail(
        _ failure: CallFailure, _ call: SiloCall, _ destination: DestinationState, _ plan: Plan, _ attempt: Int,
        _ start: NIODeadline, _ firstError: String?
    ) throws -> Duration {
        let now = NIODeadline.now()
        // Who gives up finds out nothing about the destination.
        if failure.outcome != .cancelled, failure.outcome != .late || plan.isPatient {
            failure.isSilence ? destination.didFail(now) : destination.didAnswer(now)
        }
        counters?.note(call, attempt: attempt, failure.outcome, Duration(now - start))
        guard attempt <= plan.retries, failure.mayRepeat(call.method.idempotency), !Task.isCancelled,
            let delay = delay(afterAttempt: attempt, failure, plan.deadline), destination.mayRetry()
        else {
            noteTrouble(call, plan, attempt, failure.outcome, firstError, now)
            throw failure.report
        }
        return delay
    }

    /// Says something of a call that took several attempts, or as long as it has time.
    private func noteTrouble(
        _ call: SiloCall, _ plan: Plan, _ attempts: Int, _ outcome: SiloCallCounters.Outcome, _ firstError: String?,
        _ now: NIODeadline
    ) {
        guard let counters, attempts > 1 || now - plan.begin >= plan.timeout else { return }
        counters.noteTrouble(
            call, attempts: attempts, outcome, firstError: firstError, Duration(now - plan.begin))
    }

    /// nil when there is no time left for another attempt.
    private func delay(
        afterAttempt attempt: Int, _ failure: CallFailure, _ deadline: NIODeadline
    ) -> Duration? {
        var limit = policy.initialBackoff
        for _ in 1..<attempt { limit = min(limit * 2, policy.maximumBackoff) }
        let delay = failure.pushback ?? min(limit, policy.maximumBackoff) * Double.random(in: 0...1)
        return .now() + TimeAmount(delay) < deadline ? delay : nil
    }

    /// For tests and inspection: whether calls to a destination go out.
    public func isOpen(_ destination: SiloAddress) -> Bool {
        destinations.state(destination).breakerState == .closed
    }
}

/// The states of the destinations, made when first called.
private final class Destinations: Sendable {
    private let policy: SiloCallPolicy
    private let states = Mutex<[SiloAddress: DestinationState]>([:])

    init(_ policy: SiloCallPolicy) { self.policy = policy }

    /// There are only as many as the directory has: a delegate resolves before it calls.
    func state(_ address: SiloAddress) -> DestinationState {
        states.withLock { states in
            if let state = states[address] { return state }
            let state = DestinationState(policy, now: .now())
            states[address] = state
            return state
        }
    }
}

/// What one failed attempt means.
struct CallFailure {
    private let error: any Error
    private let call: SiloCall

    init(_ error: any Error, _ call: SiloCall) {
        self.error = error
        self.call = call
    }

    private var rpc: RPCError? { error as? RPCError }

    /// The other side did not answer, or is overloaded: nothing that a service of it has said.
    var isSilence: Bool {
        guard let rpc else { return !(error is SiloError || error is CancellationError) }
        return [.unavailable, .deadlineExceeded, .resourceExhausted].contains(rpc.code)
    }

    /// What kind of error it is, without any of its text.
    var kind: String { rpc.map { "\($0.code)" } ?? "\(type(of: error))" }

    /// For the counters.
    var outcome: SiloCallCounters.Outcome {
        if error is CancellationError { return .cancelled }
        switch rpc?.code {
        case .cancelled where Task.isCancelled: return .cancelled
        case .deadlineExceeded: return .late
        default: return isSilence ? .unavailable : .error
        }
    }

    /// How long the other side asks to wait.
    var pushback: Duration? { rpc?.retryPushback.flatMap { $0 >= .zero ? $0 : nil } }

    func mayRepeat(_ idempotency: SiloMethod.Idempotency) -> Bool {
        guard let rpc else { return false }
        if let pushback = rpc.retryPushback, pushback < .zero { return false }
        if rpc.wasNotProcessed { return rpc.code != .deadlineExceeded }
        // ABORTED: the first attempt with this key is still running there; nothing was begun.
        if rpc.code == .aborted { return rpc.retryPushback != nil }
        return idempotency != .once && (rpc.code == .unavailable || pushback != nil)
    }

    /// The error as the caller of a delegate gets it.
    var report: any Error {
        guard let rpc else { return error }
        if rpc.code == .cancelled, Task.isCancelled { return CancellationError() }
        if let error = SiloError(rpc, of: call.method) { return error }
        let requestID = call.metadata[SiloField.requestID] ?? ""
        switch rpc.code {
        case .unavailable, .resourceExhausted:
            return SiloError.unavailable(call.destination, rpc.message, retryAfter: pushback)
        case .deadlineExceeded: return SiloError.deadlineExceeded(method: call.method.key, requestID: requestID)
        case .unauthenticated, .permissionDenied:
            return SiloError.refused(by: call.destination, "\(rpc.message)")
        default: return SiloError.remote(method: call.method.key, message: "\(rpc)", requestID: requestID)
        }
    }
}

/// Names one call in the logs of both sides: 15 hexadecimal digits, as many as a `String` holds without memory of its
/// own.
enum RequestID {
    private static let digitCount = 15

    static func make() -> String {
        var (bits, _) = SecureRandom.words()
        return String(unsafeUninitializedCapacity: digitCount) { text in
            for place in 0..<digitCount {
                text[place] = digit(UInt8(truncatingIfNeeded: bits & 15))
                bits >>= 4
            }
            return digitCount
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value
    }
}
