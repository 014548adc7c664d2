import HTTPTransport
import NIOCore

/// What came of a unary call, or of one attempt at it.
struct UnaryResult: Sendable {
    /// Set when there is no failure.
    var message = ByteBuffer()
    var failure: AttemptFailure?
    var responseMetadata = Metadata()
    var trailing = Metadata()
    var attempts = 1

    func after(_ attempts: Int) -> UnaryResult {
        var result = self
        result.attempts = attempts
        return result
    }
}

/// One attempt at a unary call: state on the event loop of its connection, woken when everything has arrived, so that
/// the caller's task sleeps once from sending to the whole answer.
///
/// `@unchecked Sendable`: everything mutable is touched on the event loop only, once the exchange has begun.
final class UnaryAttempt: HTTPResponseReceiver, @unchecked Sendable {
    private var reader: ResponseReader
    private let deadline: NIODeadline?
    private var continuation: UnsafeContinuation<UnaryResult, Never>?
    private var message: ByteBuffer?
    private var result: UnaryResult?

    init(_ responses: ResponseTerms, _ context: ClientCallContext) {
        reader = ResponseReader(responses, context.method)
        deadline = context.deadline
    }

    /// Before the exchange begins.
    func begin(_ continuation: UnsafeContinuation<UnaryResult, Never>) { self.continuation = continuation }

    func didReceiveHead(_ head: HTTPResponseHead, _ exchange: HTTPClientExchange) {
        attempt(exchange) { () throws(RPCError) in try reader.readHead(head) }
    }

    func didReceiveBody(_ bytes: ByteBuffer, _ exchange: HTTPClientExchange) {
        attempt(exchange) { () throws(RPCError) in
            try reader.append(bytes)
            try takeMessages()
        }
    }

    func didReceiveEnd(trailers: HTTPFields?, _ exchange: HTTPClientExchange) {
        attempt(exchange) { () throws(RPCError) in
            try reader.finish(trailers: trailers)
            try takeMessages()
            result = try reader.takeResult(message)
        }
    }

    func didFail(_ error: HTTPStreamError, _ exchange: HTTPClientExchange) {
        fail(ClientFailure.error(error, deadline: deadline), wasRefused: error.isSafeToRetry)
    }

    /// More than one message is an error (rule P11).
    private func takeMessages() throws(RPCError) {
        while let next = try reader.next() {
            guard message == nil else {
                throw RPCError(.unimplemented, "\(reader.method.path) answered with more than one message")
            }
            message = next
        }
    }

    private func attempt(_ exchange: HTTPClientExchange, _ step: () throws(RPCError) -> Void) {
        guard result == nil else { return }
        do throws(RPCError) {
            try step()
        } catch {
            fail(ClientFailure.adjusted(error, deadline: deadline))
            exchange.cancel()
        }
    }

    private func fail(_ error: RPCError, wasRefused: Bool = false) {
        guard result == nil else { return }
        let failure = AttemptFailure(error: error, isCommitted: reader.isCommitted, wasRefused: wasRefused)
        result = UnaryResult(failure: failure, responseMetadata: reader.responseMetadata, trailing: error.metadata)
    }

    func wake() {
        guard let result = result.take() else { return }
        continuation.take()?.resume(returning: result)
    }
}

/// Broken streams and lost connections, as a client's status.
enum ClientFailure {
    static let pastDeadline = RPCError(.deadlineExceeded, "the call's deadline has passed")

    static func error(_ error: HTTPStreamError, deadline: NIODeadline?) -> RPCError {
        adjusted(RPCError(error.statusCode, "\(error)"), deadline: deadline)
    }

    /// CANCELLED at or after the deadline is DEADLINE_EXCEEDED, told by this side's own clock (rule T6).
    static func adjusted(_ error: RPCError, deadline: NIODeadline?) -> RPCError {
        guard error.code == .cancelled, let deadline, deadline <= .now() else { return error }
        return pastDeadline
    }

    static func error(_ error: HTTPPoolError) -> RPCError {
        let code: StatusCode =
            switch error {
            case .unavailable, .shutDown: .unavailable
            case .deadlineExceeded: .deadlineExceeded
            case .cancelled: .cancelled
            case .tooManyWaiting: .resourceExhausted
            }
        var failure = RPCError(code, "\(error)")
        failure.wasNotProcessed = true
        return failure
    }
}
