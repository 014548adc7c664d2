import HTTPTransport
import NIOCore

/// Makes unary calls: attempts, retries, hedging. One message each way, in the body's bytes.
///
/// A class, so that a call carries one reference of it.
final class UnaryCaller: Sendable {
    let pool: HTTPConnectionPool
    let encoder: RequestEncoder
    let responses: ResponseTerms
    let throttle: RetryThrottle?

    init(pool: HTTPConnectionPool, encoder: RequestEncoder, responses: ResponseTerms, throttle: RetryThrottle?) {
        self.pool = pool
        self.encoder = encoder
        self.responses = responses
        self.throttle = throttle
    }

    func call(_ context: ClientCallContext, body: ByteBuffer, _ method: MethodConfiguration?) async -> UnaryResult {
        if let hedging = method?.hedging, hedging.maximumAttempts > 1 {
            return await Hedge(caller: self, context: context, body: body, policy: hedging).run()
        }
        var retry = RetryState(method?.retry, throttle)
        while true {
            var result = await attempt(context, body: body, retry.attempt)
            result.attempts = retry.attempt
            guard let failure = result.failure else {
                throttle?.didSucceed()
                return result
            }
            guard let delay = retry.delay(after: failure, deadline: context.deadline), await wait(delay) else {
                return result
            }
        }
    }

    /// - Returns: false when the caller's task was cancelled meanwhile.
    private func wait(_ delay: Duration) async -> Bool {
        guard delay > .zero else { return !Task.isCancelled }
        return (try? await Task.sleep(for: delay)) != nil
    }

    func attempt(_ context: ClientCallContext, body: ByteBuffer, _ number: Int) async -> UnaryResult {
        if let deadline = context.deadline, deadline <= .now() {
            return UnaryResult(failure: AttemptFailure(error: ClientFailure.pastDeadline))
        }
        let connection: HTTPClientConnection
        if let open = pool.leaseNow() {
            connection = open
        } else {
            do throws(HTTPPoolError) {
                connection = try await pool.lease(waitForReady: context.waitsForReady, deadline: context.deadline)
            } catch {
                return UnaryResult(failure: AttemptFailure(error: ClientFailure.error(error)))
            }
        }
        let attempt = UnaryAttempt(responses, context)
        let exchange: HTTPClientExchange
        do {
            let get = encoder.getHead(context, message: body, attempt: number)
            let content = get == nil ? body : ByteBuffer()
            let head = try encoder.signed(get ?? encoder.head(context, attempt: number), content)
            exchange = connection.exchange(head, body: content, deadline: context.deadline, receiver: attempt)
        } catch {
            connection.giveLeaseBack()
            return UnaryResult(failure: AttemptFailure(error: ClientFailure.unsigned(error, context.method)))
        }
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                attempt.begin(continuation)
                exchange.sendAll()
            }
        } onCancel: {
            exchange.cancel()
        }
    }
}

/// Several attempts at once: the first good or fatal answer counts, the others are cancelled. Source: gRFC A6.
///
///     attempt 1 |------------------------ (slow)
///     attempt 2   delay |---x not fatal, no pushback: the next one at once
///     attempt 3             |---x not fatal, pushback: the next one after that time
///     attempt 4                   pushback |------- answer: the others are cancelled
private struct Hedge {
    private enum Event: Sendable {
        case answer(UnaryResult)
        /// Only the timer that was started last counts.
        case delayPassed(timer: Int)
    }

    let caller: UnaryCaller
    let context: ClientCallContext
    let body: ByteBuffer
    let policy: HedgingPolicy

    func run() async -> UnaryResult {
        await withTaskGroup(of: Event.self) { group in
            var started = 0
            var running = 0
            var timer = 0
            var mayStart = true
            var last = UnaryResult(
                failure: AttemptFailure(error: RPCError(.cancelled, "cancelled before the first attempt")))

            func wait(_ group: inout TaskGroup<Event>, _ delay: Duration) {
                timer += 1
                let number = timer
                group.addTask {
                    try? await Task.sleep(for: delay)
                    return .delayPassed(timer: number)
                }
            }

            func startNext(_ group: inout TaskGroup<Event>) {
                started += 1
                running += 1
                let number = started
                group.addTask { .answer(await attempt(number)) }
                if started < policy.maximumAttempts { wait(&group, policy.delay) }
            }

            startNext(&group)
            while let event = await group.next() {
                let isAllowed = mayStart && started < policy.maximumAttempts && caller.throttle?.allowsRetries ?? true
                switch event {
                case .delayPassed(let number):
                    guard number == timer else { continue }
                    if isAllowed, !Task.isCancelled {
                        startNext(&group)
                    } else if running == 0 {
                        group.cancelAll()
                        return last.after(started)
                    }
                case .answer(let result):
                    running -= 1
                    last = result
                    guard let failure = result.failure else {
                        caller.throttle?.didSucceed()
                        group.cancelAll()
                        return result.after(started)
                    }
                    guard policy.nonFatalCodes.contains(failure.error.code), !failure.isCommitted else {
                        group.cancelAll()
                        return result.after(started)
                    }
                    _ = caller.throttle?.didFail()
                    mayStart = mayStart && isInTime(failure.pushback)
                    if isAllowed, mayStart, !Task.isCancelled {
                        if case .after(let delay) = failure.pushback { wait(&group, delay) } else { startNext(&group) }
                    } else if running == 0 {
                        group.cancelAll()
                        return last.after(started)
                    }
                }
            }
            return last.after(started)
        }
    }

    /// What the server certainly did nothing for is sent again, and is no attempt that failed (rules H2c, S7).
    private func attempt(_ number: Int) async -> UnaryResult {
        for _ in 0..<RetryState.maximumTransparentRetries {
            let result = await caller.attempt(context, body: body, number)
            guard result.failure?.wasRefused == true, !Task.isCancelled else { return result }
        }
        return await caller.attempt(context, body: body, number)
    }

    /// Whether another attempt may be made, and before the deadline (rule S10).
    private func isInTime(_ pushback: AttemptFailure.Pushback) -> Bool {
        switch pushback {
        case .none: true
        case .never: false
        case .after(let delay): context.deadline.map { .now() + TimeAmount(delay) < $0 } ?? true
        }
    }
}
