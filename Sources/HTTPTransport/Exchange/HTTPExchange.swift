import NIOCore
import Synchronization

/// One request and its response on the server.
///
///     readBody: bytes ... bytes, nil            (or throws: reset, closed, truncated, too large, cancelled)
///     sendHead -> send ... send -> finish       (or reset)
///
/// The two directions are independent: the response may begin, and end, before the request body was read.
///
/// `@unchecked Sendable`: `version`, `eventLoop` and `remoteAddress` never change, `head` and `receivedAt` only while
/// nobody but the driver knows the exchange, the connection's `tls` is set before its first exchange; all other state
/// (`State`) is touched on `eventLoop` only, and every method hops there when it is called from elsewhere. Calls from
/// one task keep their order. One task may read while another sends; two concurrent readers, or two concurrent
/// senders, are an error.
public final class HTTPExchange: @unchecked Sendable {
    public let version: HTTPVersion
    public let eventLoop: any EventLoop
    /// The peer's address; nil when the socket has none.
    public let remoteAddress: SocketAddress?

    /// What changes, behind a pointer, as ``HTTP2Engine/state``: no run-time exclusivity checks.
    let state: UnsafeMutablePointer<State>
    struct Deadline {
        let instant: NIODeadline
        let handler: any NIOScheduledCallbackHandler & Sendable
    }

    struct State {
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
        var deadline: Deadline?
        var deadlineTimer: NIOScheduledCallback?
        /// Some of the last two and `task` may be there: only of handlers that wait.
        var mayHoldWait = false

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
    var failure: HTTPStreamError? {
        get { state.pointee.failure }
        set { state.pointee.failure = newValue }
    }
    var isFinished: Bool {
        get { state.pointee.isFinished }
        set { state.pointee.isFinished = newValue }
    }
    /// Body bytes given to the protocol so far.
    var sentByteCount: Int {
        get { state.pointee.sentByteCount }
        set { state.pointee.sentByteCount = newValue }
    }
    var isStarted: Bool {
        get { state.pointee.isStarted }
        set { state.pointee.isStarted = newValue }
    }
    var hasReturned: Bool {
        get { state.pointee.hasReturned }
        set { state.pointee.hasReturned = newValue }
    }
    var isAttached: Bool { state.pointee.isAttached }

    /// Constant references are not counted when they are used; ``isAttached`` tells whether they may be.
    let driver: ExchangeDriver
    private let ownStream: HTTP2Stream?
    /// The same, to be looked at without counting references.
    let uncountedStream: Unmanaged<HTTP2Stream>?
    /// Only with HTTP/2; nil when the exchange is over for the protocol.
    var stream: HTTP2Stream? { isAttached ? ownStream : nil }
    let connection: ServerConnection
    let closed = Atomic<Bool>(false)

    init(
        head: HTTPRequestHead, version: HTTPVersion, connection: ServerConnection, driver: ExchangeDriver,
        stream: HTTP2Stream? = nil, receivedAt: UInt64
    ) {
        self.version = version
        self.connection = connection
        self.driver = driver
        ownStream = stream
        uncountedStream = stream.map { .passUnretained($0) }
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
        state.pointee.inbox.reset()
        state.pointee.gate = SendGate()
        if state.pointee.pendingHead != nil { state.pointee.pendingHead = nil }
        state.pointee.failure = nil
        state.pointee.isFinished = false
        state.pointee.receivedByteCount = 0
        state.pointee.sentByteCount = 0
        state.pointee.isStarted = false
        state.pointee.hasReturned = false
        state.pointee.isHandlerCancelled = false
        state.pointee.isStarting = false
        closed.store(false, ordering: .relaxed)
        return state.pointee.head.takeStorage()
    }

    func reuse(_ head: consuming HTTPRequestHead, receivedAt: UInt64) {
        state.pointee.head = consume head
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
    var isHeadRequest: Bool { state.pointee.head.method.isHead }

    /// Gives the bytes of the request's path to `body`, without a copy of the whole head.
    public func withPath<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try state.pointee.head.target.withPath(body)
    }

    /// The protocol is done with this exchange.
    func detach() { state.pointee.isAttached = false }

    func onEventLoop(_ body: @escaping @Sendable () -> Void) {
        if eventLoop.inEventLoop { body() } else { eventLoop.execute(body) }
    }
}
