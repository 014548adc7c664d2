import FrameCodec
import HTTPTransport
import NIOCore
import Synchronization

/// One call as its caller sees it, in raw message bytes: messages out, messages in, then the outcome.
///
/// ```
/// waiting for head --head--> reading --end of body--> ended(outcome)
///        |                      |                        ^
///        | broken, may be tried again: next attempt      |
///        +---- broken ----------+------------------------+
/// ```
///
/// One sender and one receiver at a time; they may be different tasks. Another attempt is made by the receiver, when it
/// learns that the first one failed before the server answered.
public final class ClientCall: Sendable {
    public var method: MethodDescriptor { context.method }

    private struct Attempt {
        let connection: HTTPClientConnection
        let exchange: HTTPClientExchange
    }

    private struct State {
        var attempt: Attempt?
        var reader: ResponseReader
        var retry: RetryState
        var replay: ReplayBuffer
        var hasHead = false
        var isCancelled = false
        var ended: ResponseReader.Outcome?
        var responseMetadata = Metadata()
    }

    private enum Step {
        case message(ByteBuffer)
        case ended(ResponseReader.Outcome)
        case readHead(HTTPClientExchange)
        case readBody(HTTPClientExchange)
    }

    private let context: ClientCallContext
    private let channel: ChannelCore
    private let state: Mutex<State>

    init(_ context: ClientCallContext, _ channel: ChannelCore, _ method: MethodConfiguration?) {
        self.context = context
        self.channel = channel
        state = Mutex(
            State(
                reader: ResponseReader(channel.responses, context.method),
                retry: RetryState(method?.retry, channel.throttle),
                replay: ReplayBuffer(limit: channel.configuration.replayByteCount)))
    }

    /// The response's headers, once they have arrived.
    public var responseMetadata: Metadata { get async { receivedHeaders } }
    /// The response's trailers, once the call has ended.
    public var trailingMetadata: Metadata { get async { state.withLock { $0.ended?.trailing ?? Metadata() } } }

    private var receivedHeaders: Metadata { state.withLock { $0.responseMetadata } }

    // MARK: Out

    /// Sends one message; suspends while the server reads too slowly.
    ///
    /// - Parameter isCompressed: false leaves this message as it is in a call that compresses
    ///   (``CallOptions/compression``), because it would not get smaller, or holds a secret. Each message says for
    ///   itself (rule P3); only the body of a unary Connect call, which has no frame, is always as the call says.
    ///   Default true.
    /// - Throws: ``RPCError`` when the call cannot take it any more. The outcome of the call is told to the receiver.
    public func send<M: Message>(_ message: M, isCompressed: Bool = true) async throws {
        try await send(body: channel.encoder.body(message, context, isCompressed: isCompressed))
    }

    /// Sends one message given as its bytes.
    public func send(bytes: ByteBuffer, isCompressed: Bool = true) async throws {
        try await send(body: channel.encoder.body(bytes: bytes, context, isCompressed: isCompressed))
    }

    private func send(body: ByteBuffer) async throws {
        let attempt = state.withLock { state -> Attempt? in state.replay.add(body) ? state.attempt : nil }
        guard let attempt else { return }
        do {
            try await attempt.exchange.send(body)
        } catch {
            // Kept for another attempt, or the server has answered already: its answer says more than the lost write.
            if state.withLock({ $0.replay.isOpen || $0.hasHead && $0.ended == nil }) { return }
            if (try? await attempt.exchange.responseHead()) != nil { return }
            throw ClientFailure.error(error, deadline: context.deadline)
        }
    }

    /// No more messages from this side.
    public func finishSending() async { finishRequest() }

    func finishRequest() {
        state.withLock { $0.replay.finish() ? $0.attempt : nil }?.exchange.finish()
    }

    /// Gives the call up; the server's handler is told.
    public func cancel() {
        let attempt = state.withLock { state in
            state.isCancelled = true
            return state.attempt
        }
        attempt?.exchange.cancel()
    }

    // MARK: In

    /// The next message's bytes; nil when the call has ended well.
    ///
    /// - Throws: ``RPCError``, the call's outcome when it is not OK.
    public func nextMessage() async throws -> ByteBuffer? {
        while true {
            do {
                switch try state.withLock({ try Self.step(&$0) }) {
                case .message(let bytes): return bytes
                case .ended(let outcome):
                    if let error = outcome.error { throw Ended(error: error) }
                    return nil
                case .readHead(let exchange):
                    let head = try await exchange.responseHead()
                    try state.withLock { try Self.take(head, &$0) }
                case .readBody(let exchange):
                    try await readBody(exchange)
                }
            } catch let ended as Ended {
                throw ended.error
            } catch let error as RPCError {
                // The outcome was good, what is behind it is not: nothing can be told to the server any more.
                if state.withLock({ $0.ended.map { $0.error == nil } ?? false }) { throw error }
                await didFail(AttemptFailure(error: ClientFailure.adjusted(error, deadline: context.deadline)))
            } catch let error as HTTPStreamError {
                let failure = ClientFailure.error(error, deadline: context.deadline)
                await didFail(AttemptFailure(error: failure, wasRefused: error.isSafeToRetry))
            }
        }
    }

    /// The outcome, on its way out.
    private struct Ended: Error { let error: RPCError }

    private static func step(_ state: inout State) throws(RPCError) -> Step {
        // First: what the reader could not take it would refuse again, for ever.
        if let outcome = state.ended, outcome.error != nil { return .ended(outcome) }
        if let message = try state.reader.next() { return .message(message) }
        if let outcome = state.ended { return .ended(outcome) }
        guard let exchange = state.attempt?.exchange else {
            throw RPCError(.cancelled, "the call has no attempt")
        }
        return state.hasHead ? .readBody(exchange) : .readHead(exchange)
    }

    private static func take(_ head: HTTPResponseHead, _ state: inout State) throws(RPCError) {
        state.hasHead = true
        defer { state.responseMetadata = state.reader.responseMetadata }
        try state.reader.readHead(head)
        if state.reader.isCommitted { state.replay.close() }
    }

    private func readBody(_ exchange: HTTPClientExchange) async throws {
        if let chunk = try await exchange.readBody() {
            return try state.withLock { try $0.reader.append(chunk) }
        }
        let trailers = await exchange.trailers
        let outcome = try state.withLock { state -> ResponseReader.Outcome? in
            try state.reader.finish(trailers: trailers)
            return state.reader.outcome
        }
        if let error = outcome?.error { throw error }
        end(outcome ?? .init())
    }

    /// The next message; nil when the call has ended well.
    public func receive<M: Message>(_ type: M.Type) async throws -> M? {
        guard let bytes = try await nextMessage() else { return nil }
        do {
            return try channel.configuration.wire.codec.decode(type, bytes, of: method)
        } catch {
            cancel()
            throw error
        }
    }

    /// The only message of a unary answer (rule P11).
    public func receiveOnly<M: Message>(_ type: M.Type) async throws -> M {
        guard let message = try await receive(type) else {
            throw RPCError(.unimplemented, "\(method.path) answered OK without a message")
        }
        guard try await nextMessage() == nil else {
            cancel()
            throw RPCError(.unimplemented, "\(method.path) answered with more than one message")
        }
        return message
    }

    /// Runs `body`; cancelling the task cancels the call.
    func withCancellation<R>(_ body: () async throws -> R) async throws -> R {
        try await withTaskCancellationHandler(operation: body) { cancel() }
    }

    // MARK: Attempts

    /// Makes the first attempt.
    ///
    /// - Throws: ``RPCError`` when none can be started.
    func start() async throws {
        do {
            try await startAttempt()
        } catch {
            await didFail(error)
            if let error = state.withLock({ $0.ended?.error }) { throw error }
        }
    }

    private func startAttempt() async throws(AttemptError) {
        let connection: HTTPClientConnection
        do throws(HTTPPoolError) {
            connection = try await channel.pool.lease(waitForReady: context.waitsForReady, deadline: context.deadline)
        } catch {
            throw AttemptError(failure: AttemptFailure(error: ClientFailure.error(error)))
        }
        let head = channel.encoder.head(context, attempt: state.withLock { $0.retry.attempt })
        do throws(HTTPStreamError) {
            let exchange = try await connection.start(head, isLeased: true)
            if let deadline = context.deadline { exchange.cancel(at: deadline) }
            let isCancelled = state.withLock { state in
                state.attempt = Attempt(connection: connection, exchange: exchange)
                return state.isCancelled
            }
            if isCancelled { exchange.cancel() }
        } catch {
            let failure = ClientFailure.error(error, deadline: context.deadline)
            throw AttemptError(failure: AttemptFailure(error: failure, wasRefused: error.isSafeToRetry))
        }
    }

    private struct AttemptError: Error { let failure: AttemptFailure }

    private func didFail(_ error: any Error) async {
        if let error = error as? AttemptError { await didFail(error.failure) }
    }

    /// An attempt failed: makes the next one, or ends the call.
    private func didFail(_ failure: AttemptFailure) async {
        var failure = failure
        while true {
            let delay = state.withLock { state -> Duration? in
                failure.isCommitted = state.reader.isCommitted || !state.replay.isOpen
                guard state.ended == nil, !state.isCancelled else { return nil }
                return state.retry.delay(after: failure, deadline: context.deadline)
            }
            guard let delay, await wait(delay) else {
                return end(.init(error: failure.error, trailing: failure.error.metadata))
            }
            do throws(AttemptError) {
                state.withLock { state in
                    state.attempt = nil
                    state.hasHead = false
                    state.reader = ResponseReader(channel.responses, method)
                    state.replay.beginReplay()
                }
                try await startAttempt()
                return await replay()
            } catch {
                state.withLock { $0.replay.abandonReplay() }
                failure = error.failure
            }
        }
    }

    private func wait(_ delay: Duration) async -> Bool {
        guard delay > .zero else { return !Task.isCancelled }
        return (try? await Task.sleep(for: delay)) != nil
    }

    /// Sends again what was sent before. A failure shows when the answer is read.
    private func replay() async {
        guard let exchange = state.withLock({ $0.attempt?.exchange }) else { return }
        while let body = state.withLock({ $0.replay.nextToReplay() }) {
            guard (try? await exchange.send(body)) != nil else {
                return state.withLock { $0.replay.abandonReplay() }
            }
        }
        if state.withLock({ $0.replay.isFinished }) { exchange.finish() }
    }

    private func end(_ outcome: ResponseReader.Outcome) {
        let isFirst = state.withLock { state in
            guard state.ended == nil else { return false }
            state.ended = outcome
            state.replay.close()
            return true
        }
        guard isFirst else { return }
        let (exchange, attempts) = state.withLock { ($0.attempt?.exchange, $0.retry.attempt) }
        if outcome.error != nil { exchange?.cancel() } else { channel.throttle?.didSucceed() }
        context.end(
            ClientCallEnd(
                error: outcome.error, responseMetadata: receivedHeaders, trailingMetadata: outcome.trailing,
                attempts: attempts))
    }
}
