import NIOCore

/// One request and its response on the client.
///
///     new -> begun -> running -> over               (begun: HTTP/1.1 lets it wait for its turn)
///      |       |
///      +-------+-- cancelled, or the connection takes no more: never started
///
///     send ... send -> finish                       (request body)
///     responseHead -> readBody ... nil -> trailers  (response; may overlap with sending)
///
/// `@unchecked Sendable`: every `var` is touched on the connection's event loop only, once the initializer has
/// returned. Public methods hop there; `begin`, `sendWhole` and what the driver calls (the `did...` methods) run there
/// already.
public final class HTTPClientExchange: @unchecked Sendable {
    /// The event loop of the connection.
    public let eventLoop: any EventLoop
    private let driver: any ClientDriver

    // On the event loop only.
    var inbox = BodyInbox()
    var gate = SendGate()
    var stream: HTTP2Stream?
    let head: HTTPRequestHead
    private var hasBegun = false
    /// Cancelled before it was begun.
    private var isAbandoned = false
    private var starter: UnsafeContinuation<HTTPStreamError?, Never>?
    /// Sent as soon as it has started, with the end; nil when the caller sends.
    private var wholeBody: ByteBuffer?
    private let deadline: NIODeadline?
    /// Takes what arrives instead of a reader; let go of at the end.
    private var receiver: (any HTTPResponseReceiver)?
    private var lease: ClientConnectionState?
    private var response: Result<HTTPResponseHead, HTTPStreamError>?
    private var responseWaiter: UnsafeContinuation<Result<HTTPResponseHead, HTTPStreamError>, Never>?
    private var responseTicket: WaitTicket?
    /// Where it is in the connection's ``ExchangeDeadlines``.
    var deadlinePlace: Int?
    var receivedTrailers: HTTPFields?
    var receivedByteCount = 0
    private(set) var failure: HTTPStreamError?
    private(set) var isSendingDone = false
    private(set) var isReceivingDone = false

    /// - Parameters:
    ///   - lease: where the caller's place was counted; it is given back when the exchange has ended, or cannot start.
    ///   - body: the whole of it, when the caller sends no pieces.
    ///   - deadline: when it is cancelled; counts from the start.
    init(
        _ head: consuming HTTPRequestHead, eventLoop: any EventLoop, driver: any ClientDriver,
        lease: ClientConnectionState?, body: ByteBuffer? = nil, deadline: NIODeadline? = nil,
        receiver: (any HTTPResponseReceiver)? = nil
    ) {
        self.head = head
        self.receiver = receiver
        self.lease = lease
        self.eventLoop = eventLoop
        self.driver = driver
        self.deadline = deadline
        wholeBody = body
    }

    // MARK: Start

    /// Hands the request to the connection.
    ///
    /// - Parameter starter: told nil once the head is on its way, or why it will never be.
    func begin(_ starter: UnsafeContinuation<HTTPStreamError?, Never>? = nil) {
        self.starter = starter
        hasBegun = true
        if isAbandoned { didNotStart(.cancelled) } else { driver.start(self) }
    }

    /// Sends the request that this was made with. From any thread, without waiting.
    package func sendAll() { onEventLoop { self.begin() } }

    func didStart() {
        if let deadline { driver.deadlines.set(deadline, for: self) }
        starter.take()?.resume(returning: nil)
        if let body = wholeBody.take() { sendWhole(body) }
    }

    func didNotStart(_ error: HTTPStreamError) {
        releaseLease()
        fail(error)
        starter.take()?.resume(returning: error)
    }

    // MARK: Request

    /// Queues body bytes; suspends while more than ``HTTPLimits/unsentBodyByteCount`` wait to be taken by the
    /// peer. Bytes sent after an HTTP/2 server has answered in full are dropped without an error.
    ///
    /// - Throws: ``HTTPStreamError`` when the stream or connection is gone, or the task is cancelled while
    ///   waiting.
    public func send(_ bytes: ByteBuffer) async throws(HTTPStreamError) {
        if Task.isCancelled { throw .cancelled }
        let ticket = WaitTicket()
        let error: HTTPStreamError? = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                onEventLoop {
                    if let failure = self.failure { return continuation.resume(returning: failure) }
                    if self.isSendingDone {
                        return continuation.resume(returning: .protocolViolation("send after finish"))
                    }
                    self.driver.send(bytes, self)
                    guard self.driver.isCongested(self) else { return continuation.resume(returning: nil) }
                    self.gate.wait(continuation, ticket)
                }
            }
        } onCancel: {
            onEventLoop { self.gate.cancelWait(ticket) }
        }
        if let error { throw error }
    }

    /// As ``sendWhole(_:)``, from any thread.
    func enqueueWhole(_ bytes: ByteBuffer) { onEventLoop { self.sendWhole(bytes) } }

    /// The whole request body and its end, on the event loop, without waiting for room: for bodies whose size the
    /// caller has bounded.
    func sendWhole(_ bytes: ByteBuffer) {
        guard failure == nil, !isSendingDone else { return }
        isSendingDone = true
        if bytes.readableBytes > 0 { driver.queue(bytes, self) }
        driver.finish(self)
    }

    /// End of the request body. Calling it again does nothing.
    public func finish() {
        onEventLoop {
            guard self.failure == nil, !self.isSendingDone else { return }
            self.isSendingDone = true
            self.driver.finish(self)
        }
    }

    // MARK: Response

    /// Status and fields of the final response; 1xx answers are skipped. May be asked again.
    public func responseHead() async throws(HTTPStreamError) -> HTTPResponseHead {
        if Task.isCancelled { throw .cancelled }
        let ticket = WaitTicket()
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                onEventLoop { self.waitForHead(continuation, ticket) }
            }
        } onCancel: {
            onEventLoop { self.cancelHeadWait(ticket) }
        }
        return try result.get()
    }

    private func waitForHead(
        _ continuation: UnsafeContinuation<Result<HTTPResponseHead, HTTPStreamError>, Never>,
        _ ticket: WaitTicket
    ) {
        if let response { return continuation.resume(returning: response) }
        if ticket.isCancelled { return continuation.resume(returning: .failure(.cancelled)) }
        guard responseWaiter == nil else {
            return continuation.resume(returning: .failure(.protocolViolation("two readers of one response")))
        }
        responseWaiter = continuation
        responseTicket = ticket
    }

    private func cancelHeadWait(_ ticket: WaitTicket) {
        ticket.isCancelled = true
        guard responseTicket === ticket, let waiter = responseWaiter else { return }
        responseWaiter = nil
        responseTicket = nil
        waiter.resume(returning: .failure(.cancelled))
    }

    /// The next bytes of the response body, at least one; nil at its proper end. Taking bytes lets the server
    /// send more (back-pressure).
    ///
    /// - Throws: ``HTTPStreamError``: reset, refused, connection closed, truncated, too large, cancelled.
    public func readBody() async throws(HTTPStreamError) -> ByteBuffer? {
        if Task.isCancelled { throw .cancelled }
        let ticket = WaitTicket()
        let read: BodyRead = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                onEventLoop {
                    guard let read = self.inbox.take() else { return self.inbox.wait(continuation, ticket) }
                    if case .bytes(let bytes) = read { self.driver.consumed(bytes.readableBytes, self) }
                    continuation.resume(returning: read)
                }
            }
        } onCancel: {
            onEventLoop { self.inbox.cancelWait(ticket) }
        }
        switch read {
        case .bytes(let bytes): return bytes
        case .end: return nil
        case .failed(let error): throw error
        }
    }

    /// The trailer fields. Complete once ``readBody()`` has returned nil; nil when there were none.
    public var trailers: HTTPFields? {
        get async {
            await withUnsafeContinuation { continuation in
                onEventLoop { continuation.resume(returning: self.receivedTrailers) }
            }
        }
    }

    /// Gives up: RST_STREAM(CANCEL), or closing the connection on HTTP/1.1. Waiting calls throw `.cancelled`.
    /// Does nothing when the response is complete.
    public func cancel() {
        onEventLoop {
            guard self.hasBegun else { return self.isAbandoned = true }
            guard self.failure == nil, !(self.isReceivingDone && self.isSendingDone) else { return }
            self.fail(.cancelled)
            self.driver.cancel(self)
        }
    }

    /// Gives up then, as ``cancel()``, unless everything is over before. Calling it again replaces the time.
    package func cancel(at deadline: NIODeadline) {
        onEventLoop {
            guard self.failure == nil, !(self.isReceivingDone && self.isSendingDone) else { return }
            self.driver.deadlines.set(deadline, for: self)
        }
    }

    // MARK: From the driver (on the event loop)

    func didReceiveHead(_ head: HTTPResponseHead) {
        if let receiver { receiver.didReceiveHead(head, self) } else { resolve(.success(head)) }
    }

    func didReceive(_ bytes: ByteBuffer) {
        if let receiver {
            driver.consumed(bytes.readableBytes, self)
            return receiver.didReceiveBody(bytes, self)
        }
        inbox.append(bytes)
        wakeReader()
        inbox.compact()
    }

    /// The exchange's place in the connection is free again. Runs once.
    func releaseLease() {
        if deadlinePlace != nil { driver.deadlines.remove(self) }
        guard let lease else { return }
        self.lease = nil
        lease.release()
    }

    func didReceiveEnd(trailers: HTTPFields?) {
        guard failure == nil, !isReceivingDone else { return }
        receivedTrailers = trailers
        isReceivingDone = true
        if let receiver {
            self.receiver = nil
            receiver.didReceiveEnd(trailers: trailers, self)
            return driver.wake(receiver)
        }
        if response == nil { resolve(.failure(.protocolViolation("the response has no head"))) }
        inbox.end()
        wakeReader()
        gate.open()
    }

    func fail(_ error: HTTPStreamError) {
        guard failure == nil else { return }
        failure = error
        if let receiver {
            self.receiver = nil
            receiver.didFail(error, self)
            driver.wake(receiver)
        }
        resolve(.failure(error))
        if !isReceivingDone {
            driver.consumed(inbox.fail(error), self)
            wakeReader()
        }
        gate.open(error)
    }

    private func resolve(_ result: Result<HTTPResponseHead, HTTPStreamError>) {
        guard response == nil else { return }
        response = result
        guard let waiter = responseWaiter else { return }
        responseWaiter = nil
        responseTicket = nil
        waiter.resume(returning: result)
    }

    private func wakeReader() {
        let taken = inbox.wake()
        if taken > 0 { driver.consumed(taken, self) }
    }

    private func onEventLoop(_ body: @escaping @Sendable () -> Void) {
        if eventLoop.inEventLoop { body() } else { eventLoop.execute(body) }
    }
}
