import NIOCore
import Synchronization

/// One request and its response on the server.
///
///     readBody: bytes ... bytes, nil            (or throws: reset, closed, truncated, too large, cancelled)
///     sendHead -> send ... send -> finish       (or reset)
///
/// The two directions are independent: the response may begin, and end, before the request body was read.
///
/// `@unchecked Sendable`: `version`, `eventLoop` and `remoteAddress` never change, `head` and `receivedAt` only while nobody but
/// the driver knows the exchange, the connection's `tls` is set before its first exchange; all other state (`State`) is touched
/// on `eventLoop` only, and every method hops there when it is called from elsewhere. Calls from one
/// task keep their order. One task may read while another sends; two concurrent readers, or two concurrent
/// senders, are an error.
public final class HTTPExchange: @unchecked Sendable {
    public let version: HTTPVersion
    public let eventLoop: any EventLoop
    /// The peer's address; nil when the socket has none.
    public let remoteAddress: SocketAddress?

    /// What changes, behind a pointer, as ``HTTP2Engine/state``: no run-time exclusivity checks.
    private let state: UnsafeMutablePointer<State>
    private struct State {
        var head: HTTPRequestHead
        var receivedAt: NIODeadline
        // On the event loop only.
        var inbox = BodyInbox()
        var gate = SendGate()
        /// False when the exchange is over for the protocol.
        var isAttached = true
        var pendingHead: HTTPResponseHead?
        var failure: HTTPStreamError?
        var isFinished = false
        var receivedByteCount = 0
        var sentByteCount = 0
        var task: Task<Void, Never>?
        var isStarted = false
        var hasReturned = false
        var isHandlerCancelled = false
        var isStarting = false
        var deadline: (instant: NIODeadline, handler: any NIOScheduledCallbackHandler & Sendable)?
        var deadlineTimer: NIOScheduledCallback?

        init(head: consuming HTTPRequestHead, receivedAt: UInt64) {
            self.head = head
            self.receivedAt = .uptimeNanoseconds(receivedAt)
        }
    }
    var inbox: BodyInbox {
        _read { yield state.pointee.inbox }
        _modify { yield &state.pointee.inbox }
    }
    var gate: SendGate {
        _read { yield state.pointee.gate }
        _modify { yield &state.pointee.gate }
    }
    var pendingHead: HTTPResponseHead? {
        _read { yield state.pointee.pendingHead }
        _modify { yield &state.pointee.pendingHead }
    }
    var receivedByteCount: Int {
        get { state.pointee.receivedByteCount }
        set { state.pointee.receivedByteCount = newValue }
    }
    private(set) var failure: HTTPStreamError? {
        get { state.pointee.failure }
        set { state.pointee.failure = newValue }
    }
    private(set) var isFinished: Bool {
        get { state.pointee.isFinished }
        set { state.pointee.isFinished = newValue }
    }
    /// Body bytes given to the protocol so far.
    private(set) var sentByteCount: Int {
        get { state.pointee.sentByteCount }
        set { state.pointee.sentByteCount = newValue }
    }
    private(set) var isStarted: Bool {
        get { state.pointee.isStarted }
        set { state.pointee.isStarted = newValue }
    }
    private(set) var hasReturned: Bool {
        get { state.pointee.hasReturned }
        set { state.pointee.hasReturned = newValue }
    }
    private var isAttached: Bool { state.pointee.isAttached }

    /// Constant references are not counted when they are used; ``isAttached`` tells whether they may be.
    private let driver: ExchangeDriver
    private let ownStream: HTTP2Stream?
    /// Only with HTTP/2; nil when the exchange is over for the protocol.
    var stream: HTTP2Stream? { isAttached ? ownStream : nil }
    private let connection: ServerConnection
    private let closed = Atomic<Bool>(false)

    init(
        head: HTTPRequestHead, version: HTTPVersion, connection: ServerConnection, driver: ExchangeDriver,
        stream: HTTP2Stream? = nil, receivedAt: UInt64
    ) {
        self.version = version
        self.connection = connection
        self.driver = driver
        ownStream = stream
        state = .allocate(capacity: 1)
        state.initialize(to: State(head: head, receivedAt: receivedAt))
        eventLoop = connection.loop.eventLoop
        remoteAddress = connection.remoteAddress
    }

    deinit {
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// After the exchange is over for the protocol and its handler has returned, and while the driver holds the only
    /// reference: back to the state of a new object, for the next request of the same stream object.
    ///
    /// - Returns: the head's memory, unless somebody holds a part of it.
    func recycle() -> FieldStorage? {
        state.pointee.inbox = BodyInbox()
        state.pointee.gate = SendGate()
        state.pointee.pendingHead = nil
        state.pointee.failure = nil
        state.pointee.isFinished = false
        state.pointee.receivedByteCount = 0
        state.pointee.sentByteCount = 0
        state.pointee.isStarted = false
        state.pointee.hasReturned = false
        state.pointee.isHandlerCancelled = false
        state.pointee.isStarting = false
        state.pointee.deadline = nil
        closed.store(false, ordering: .relaxed)
        return state.pointee.head.takeStorage()
    }

    func reuse(_ head: consuming HTTPRequestHead, receivedAt: UInt64) {
        state.pointee.head = head
        state.pointee.receivedAt = .uptimeNanoseconds(receivedAt)
        state.pointee.isAttached = true
    }

    public var head: HTTPRequestHead { state.pointee.head }
    /// When the head was complete, by the connection's clock: the read that brought it.
    public var receivedAt: NIODeadline { state.pointee.receivedAt }

    /// The peer has reset this exchange or the connection is gone: nothing sent can arrive. Callable from
    /// anywhere.
    public var isClosed: Bool { closed.load(ordering: .relaxed) }

    /// What TLS has agreed on with the peer; nil in clear text.
    public var tls: TLSSession? { connection.tls }

    /// Who the peer is by its client certificate; nil without one, and in clear text.
    public var peerIdentity: TLSPeerIdentity? { connection.tls?.peerIdentity }

    /// Number of the event loop among those of the server, from 0: for counters that loops must not share.
    public var eventLoopIndex: Int { connection.loop.index }

    /// The head's fields, without a copy of the whole head.
    public var fields: HTTPFields { state.pointee.head.fields }
    /// The head's method, without a copy of the whole head.
    public var method: HTTPMethod { state.pointee.head.method }

    /// Gives the bytes of the request's path to `body`, without a copy of the whole head.
    public func withPath<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        let target = state.pointee.head.target
        return try target.withPath(body)
    }

    // MARK: Request

    /// The next bytes of the request body: everything that has arrived and was not read, at least one byte.
    /// Suspends only when there is nothing. Taking bytes lets the peer send more (back-pressure).
    ///
    /// - Returns: nil at the proper end of the body.
    /// - Throws: ``HTTPStreamError``: reset, connection closed, truncated, too large, cancelled.
    public nonisolated(nonsending) func readBody() async throws(HTTPStreamError) -> ByteBuffer? {
        if eventLoop.inEventLoop, let read = takeBody() { return try Self.unwrap(read) }
        return try Self.unwrap(await waitForBody())
    }

    private nonisolated(nonsending) func waitForBody() async -> BodyRead {
        if Task.isCancelled { return .failed(.cancelled) }
        let ticket = WaitTicket()
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                onEventLoop {
                    if let read = self.takeBody() {
                        continuation.resume(returning: read)
                    } else {
                        self.inbox.wait(continuation, ticket)
                        if self.isAttached { self.driver.readerWaits(self) }
                    }
                }
            }
        } onCancel: {
            onEventLoop { self.inbox.cancelWait(ticket) }
        }
    }

    private static func unwrap(_ read: BodyRead) throws(HTTPStreamError) -> ByteBuffer? {
        switch read {
        case .bytes(let bytes): return bytes
        case .end: return nil
        case .failed(let error): throw error
        }
    }

    private func takeBody() -> BodyRead? {
        guard let read = inbox.take() else { return nil }
        if case .bytes(let bytes) = read { didConsume(bytes.readableBytes) }
        return read
    }

    /// All that was not read of a body whose end has arrived already; nil while more may come, or off the event loop.
    /// A short request that came in one piece is read so without suspending.
    public func takeCompleteBody() -> ByteBuffer? {
        guard eventLoop.inEventLoop, let bytes = inbox.takeComplete() else { return nil }
        didConsume(bytes.readableBytes)
        return bytes
    }

    /// Shows `body` what ``takeCompleteBody()`` would take, in place. The bytes count as read when it returns true.
    ///
    /// - Returns: what `body` returned; false, without a call, while more may come, or off the event loop.
    @discardableResult
    public func withCompleteBody(_ body: (UnsafeRawBufferPointer) throws -> Bool) rethrows -> Bool {
        guard eventLoop.inEventLoop, inbox.isComplete else { return false }
        // A reference of its own: `body` may end the exchange, which drops the inbox's.
        let bytes = inbox.unread
        let isRead = try bytes?.withUnsafeReadableBytes(body) ?? body(UnsafeRawBufferPointer(start: nil, count: 0))
        if isRead { didConsume(inbox.dropUnread()) }
        return isRead
    }

    /// Counts bytes that decompressing has added to this request, against ``HTTPLimits/inflatedBytesPerSecond`` of its
    /// connection. On the event loop only.
    ///
    /// - Returns: nil, or the limit that is passed, by its value.
    package func didInflate(_ byteCount: Int) -> Int? { connection.didInflate(byteCount) }

    private func didConsume(_ count: Int) {
        if count > 0, isAttached { driver.didConsume(count, self) }
    }

    // MARK: Response

    /// Sets status and fields of the response. They leave with the first body bytes or with
    /// ``finish(trailers:)``, so that a short answer is one write. A second call before that replaces the
    /// first; afterwards it does nothing.
    public func sendHead(_ head: HTTPResponseHead) {
        guard eventLoop.inEventLoop else { return eventLoop.execute { self.sendHead(head) } }
        if isAttached, !driver.isHeadSent(self) { pendingHead = head }
    }

    /// Queues body bytes. Suspends while more than ``HTTPLimits/unsentBodyByteCount`` wait to be taken by the
    /// peer. An empty buffer pushes the head out. Without a head the status is 200. For HEAD requests bytes
    /// are dropped.
    ///
    /// - Throws: ``HTTPStreamError`` when nothing can be sent any more: the peer is gone, or this side has
    ///   finished.
    public nonisolated(nonsending) func send(_ bytes: ByteBuffer) async throws(HTTPStreamError) {
        if eventLoop.inEventLoop {
            if let error = queue(bytes) { throw error }
            guard isCongested else { return }
        }
        if let error = await waitForRoom(queueing: eventLoop.inEventLoop ? nil : bytes) { throw error }
    }

    private nonisolated(nonsending) func waitForRoom(queueing bytes: ByteBuffer?) async -> HTTPStreamError? {
        if Task.isCancelled, bytes == nil { return .cancelled }
        let ticket = WaitTicket()
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                onEventLoop {
                    if let bytes, let error = self.queue(bytes) { return continuation.resume(returning: error) }
                    if let failure = self.failure { return continuation.resume(returning: failure) }
                    guard self.isCongested else { return continuation.resume(returning: nil) }
                    self.gate.wait(continuation, ticket)
                }
            }
        } onCancel: {
            onEventLoop { self.gate.cancelWait(ticket) }
        }
    }

    /// Ends the response. Without body and trailers that is one HEADERS frame on HTTP/2 (rule S9); on
    /// HTTP/1.1 a response that is complete now gets a Content-Length. What is left of the request body is
    /// not wanted any more (rules H2b, O2). Calling it again does nothing.
    ///
    /// - Parameter trailers: sent after the body on HTTP/2 and in chunked HTTP/1.1 responses; nil or empty
    ///   for none.
    public func finish(trailers: HTTPFields? = nil) {
        guard eventLoop.inEventLoop else { return eventLoop.execute { self.finish(trailers: trailers) } }
        guard failure == nil, !isFinished else { return }
        isFinished = true
        if isAttached { driver.finish(self, trailers) }
    }

    /// Queues body bytes without back-pressure: for the only message of an answer. Nothing happens when the peer is gone.
    public func enqueue(_ bytes: ByteBuffer) {
        guard eventLoop.inEventLoop else { return eventLoop.execute { self.enqueue(bytes) } }
        _ = queue(bytes)
    }

    /// More waits to be sent than should: whoever sends a stream ought to wait for ``room()``. On the event loop only.
    public var isCongested: Bool { isAttached && driver.isCongested(self) }

    /// Suspends while ``isCongested``.
    ///
    /// - Throws: as ``send(_:)``.
    public nonisolated(nonsending) func room() async throws(HTTPStreamError) {
        if let error = await waitForRoom(queueing: nil) { throw error }
    }

    /// As ``enqueue(_:)``, for `count` bytes that `write` puts in place: no buffer of their own. On the event loop only.
    ///
    /// - Returns: whether the bytes are wanted; `write` is not called otherwise.
    @discardableResult
    public func enqueue(count: Int, _ write: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows -> Bool {
        guard failure == nil, !isFinished, isAttached else { return false }
        eventLoop.preconditionInEventLoop()
        try driver.send(count: count, self, write)
        sentByteCount &+= count
        return true
    }

    /// Queues the last body bytes and ends the response without trailers. Never suspends: for short, final
    /// bytes.
    public func sendLast(_ bytes: ByteBuffer) {
        guard eventLoop.inEventLoop else { return eventLoop.execute { self.sendLast(bytes) } }
        guard queue(bytes) == nil else { return }
        finish()
    }

    /// Cancels the handler's task, for a deadline. The exchange itself goes on: it can still be answered.
    public func cancelHandler() {
        guard eventLoop.inEventLoop else { return eventLoop.execute { self.cancelHandler() } }
        state.pointee.isHandlerCancelled = true
        state.pointee.task?.cancel()
    }

    /// Tells `handler`, on the event loop, when `instant` passes while the exchange's own handler still runs. Once for
    /// an exchange. A handler that never suspends pays nothing for it: the timer starts when it does.
    public func setDeadline(_ instant: NIODeadline, handler: any NIOScheduledCallbackHandler & Sendable) {
        guard eventLoop.inEventLoop else { return eventLoop.execute { self.setDeadline(instant, handler: handler) } }
        guard !hasReturned else { return }
        state.pointee.deadline = (instant, handler)
        if !state.pointee.isStarting { startDeadlineTimer() }
    }

    /// Runs tasks on this exchange's event loop.
    public var taskExecutor: any TaskExecutor { connection.loop.executor }

    /// Gives up: RST_STREAM with `code`; on HTTP/1.1 the connection is closed.
    public func reset(_ code: HTTP2ErrorCode) {
        guard eventLoop.inEventLoop else { return eventLoop.execute { self.reset(code) } }
        guard failure == nil, !isFinished else { return }
        let wasAttached = isAttached
        fail(.cancelled, cancelsTask: false)
        if wasAttached { driver.reset(self, code) }
    }

    private func queue(_ bytes: ByteBuffer) -> HTTPStreamError? {
        if let failure { return failure }
        if isFinished { return .protocolViolation("send after finish") }
        sentByteCount &+= bytes.readableBytes
        if isAttached { driver.send(bytes, self) }
        return nil
    }

    /// The protocol is done with this exchange.
    func detach() { state.pointee.isAttached = false }

    // MARK: From the connection (on the event loop)

    /// False when the exchange has ended already.
    func handlerWillRun() -> Bool {
        guard !isClosed else {
            connection.handlerDidReturn()
            return false
        }
        isStarted = true
        state.pointee.isStarting = true
        return true
    }

    /// The handler goes on later, in a task of its own.
    func handlerDidSuspend(in task: Task<Void, Never>) {
        state.pointee.isStarting = false
        guard !hasReturned else { return }
        state.pointee.task = task
        if failure != nil || state.pointee.isHandlerCancelled { task.cancel() }
        startDeadlineTimer()
    }

    /// Whatever the handler left undone is done now.
    func handlerReturned() {
        guard eventLoop.inEventLoop else { return eventLoop.execute { self.handlerReturned() } }
        hasReturned = true
        state.pointee.isStarting = false
        state.pointee.task = nil
        state.pointee.deadline = nil
        if let timer = state.pointee.deadlineTimer {
            timer.cancel()
            state.pointee.deadlineTimer = nil
        }
        if failure == nil, !isFinished, isAttached { driver.abandoned(self) }
        connection.handlerDidReturn()
    }

    private func startDeadlineTimer() {
        guard let deadline = state.pointee.deadline, !hasReturned else { return }
        state.pointee.deadlineTimer = try? eventLoop.scheduleCallback(at: deadline.instant, handler: deadline.handler)
    }

    /// The peer or the connection is gone.
    func fail(_ error: HTTPStreamError, cancelsTask: Bool = true) {
        guard failure == nil else { return }
        failure = error
        closed.store(true, ordering: .relaxed)
        let dropped = inbox.fail(error)
        didConsume(dropped)
        _ = inbox.wake()
        gate.open(error)
        if cancelsTask { state.pointee.task?.cancel() }
    }

    /// The request body is broken, but the response may still be sent.
    func failBody(_ error: HTTPStreamError, cancelsTask: Bool) {
        let dropped = inbox.fail(error)
        didConsume(dropped)
        _ = inbox.wake()
        if cancelsTask { state.pointee.task?.cancel() }
    }

    /// The peer cannot read the answer for certain any more, but may.
    func cancelTask() { state.pointee.task?.cancel() }

    /// After a push of received bytes or of the end: tells a waiting reader.
    func wakeReader() {
        didConsume(inbox.wake())
    }

    var deadlineInstant: NIODeadline? { state.pointee.deadline?.instant }

    var handlerState: HTTPExchangeSnapshot.HandlerState {
        if hasReturned { return .returned }
        if !isStarted { return .waiting }
        return failure != nil || state.pointee.isHandlerCancelled ? .cancelled : .running
    }

    func onEventLoop(_ body: @escaping @Sendable () -> Void) {
        if eventLoop.inEventLoop { body() } else { eventLoop.execute(body) }
    }
}
