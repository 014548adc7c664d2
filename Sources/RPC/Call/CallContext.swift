import HTTPTransport
import NIOCore
import ServiceContextModule
import Synchronization

/// What a server's handler and interceptors know of one call, and what they may add to its answer.
///
/// A value: an interceptor hands a changed copy to the next one. The response metadata is shared by all copies
/// and may be set from any task.
public struct CallContext: Sendable {
    private let state: any CallState
    /// Typed values that interceptors attach, such as the authenticated principal or a trace span.
    public var serviceContext: ServiceContext
    /// Who calls, as the interceptor that found out knows it: for the interceptors behind it, without the look-up in
    /// ``serviceContext``.
    package var caller: (any AnyObject & Sendable)?

    init(
        _ state: any CallState, _ serviceContext: ServiceContext = .topLevel, caller: (any AnyObject & Sendable)? = nil
    ) {
        self.state = state
        self.serviceContext = serviceContext
        self.caller = caller
    }

    /// For tests and for calls in process, without a network.
    public init(
        method: MethodDescriptor,
        metadata: Metadata = Metadata(),
        deadline: NIODeadline? = nil,
        remoteAddress: SocketAddress? = nil,
        peerIdentity: TLSPeerIdentity? = nil,
        serviceContext: ServiceContext = .topLevel
    ) {
        self.state = InProcessCall(
            method: method, metadata: metadata, deadline: deadline, remoteAddress: remoteAddress,
            peerIdentity: peerIdentity
        )
        self.serviceContext = serviceContext
    }

    /// The canonical method; the only name that policy may look at.
    public var method: MethodDescriptor { state.method }
    /// Request metadata.
    public var metadata: Metadata { state.metadata }
    /// When the call ends with DEADLINE_EXCEEDED, after the server's own clamp; nil for none.
    public var deadline: NIODeadline? { state.deadline }
    /// The peer's socket address; nil in process.
    public var remoteAddress: SocketAddress? { state.remoteAddress }
    /// Who the peer is by the client certificate that it has proved to own (mutual TLS); nil without one.
    public var peerIdentity: TLSPeerIdentity? { state.peerIdentity }

    /// How many times the client has tried this call before, from `grpc-previous-rpc-attempts` (rule S11): 0 for the
    /// first try. A handler that is not idempotent can look whether an earlier try got through.
    public var previousAttemptCount: Int {
        let digits = metadata.fields.withFirst(.grpcPreviousRPCAttempts) { value in
            (1...9).contains(value.count) ? String(decoding: value, as: UTF8.self) : ""
        }
        return max(0, digits.flatMap { Int($0) } ?? 0)
    }

    /// Whether the last request message that was read had come compressed.
    public var isMessageCompressed: Bool { get async { await state.isMessageCompressed } }

    /// Sends the response's headers now instead of with the first message; what is added to them later is lost.
    ///
    /// For streams whose first message may take long. After it the call cannot be retried by the client (rule S9).
    /// No effect in protocols whose answer is one HTTP body (Connect unary), and in process.
    public func sendResponseMetadata() {
        state.sendHeadNow()
    }

    /// Compresses the messages sent from now on, or leaves them as they are, whatever
    /// ``CompressionPolicy/responses`` says of this call. Turning it on works when the client accepts an encoding and
    /// the answer's head, which leaves with the first message, names one: on before that, each message may then be
    /// either. Never for exempt methods.
    public func compressResponses(_ isOn: Bool) {
        state.compressResponses(isOn)
    }

    /// Time left until the deadline; nil for none, zero when it has passed. Child calls carry this (rule T8).
    public var timeRemaining: Duration? {
        deadline.map { deadline in
            let nanoseconds = (deadline - .now()).nanoseconds
            return .nanoseconds(max(0, nanoseconds))
        }
    }

    /// Adds to the response's headers. No effect once the first message has been sent.
    public func addResponseMetadata(_ name: String, _ value: String) {
        state.answer { _ = $0.headers.add(name, value) }
    }

    /// Adds all of `metadata` to the response's headers; what a peer sent can be echoed.
    public func addResponseMetadata(contentsOf metadata: Metadata) {
        state.answer { $0.headers.add(contentsOf: metadata) }
    }

    /// Adds to the response's trailers.
    public func addTrailingMetadata(_ name: String, _ value: String) {
        state.answer { _ = $0.trailers.add(name, value) }
    }

    /// Says who calls, in words for the access log: never a secret. Costs nothing when no observer wants to know.
    public func noteIdentity(_ identity: @autoclosure () -> String) {
        guard state.isObserved else { return }
        let identity = identity()
        state.answer { $0.note { $0.identity = identity } }
    }

    /// Names the call for the access log. Costs nothing when no observer wants to know.
    public func noteRequestID(_ id: String) {
        if state.isObserved { state.answer { $0.note { $0.requestID = id } } }
    }

    /// Says which trace the call belongs to, for the access log.
    func note(_ trace: TraceContext) {
        if state.isObserved { state.answer { $0.note { $0.trace = trace } } }
    }

    /// Adds bytes to the response's trailers, under a name that ends in `-bin`.
    public func addTrailingMetadata(_ name: String, bytes: [UInt8]) {
        state.answer { _ = $0.trailers.add(name, bytes: bytes) }
    }

    /// What has been added to the response's headers so far.
    public var responseMetadata: Metadata { state.answer { $0.headers } }
    /// What has been added to the response's trailers so far.
    public var trailingMetadata: Metadata { state.answer { $0.trailers } }
}

/// What the copies of a ``CallContext`` share. A call on the wire is its own state, so that it is one allocation.
protocol CallState: AnyObject, Sendable {
    var method: MethodDescriptor { get }
    var metadata: Metadata { get }
    var deadline: NIODeadline? { get }
    var remoteAddress: SocketAddress? { get }
    /// Somebody wants the notes of ``AnswerMetadata``.
    var isObserved: Bool { get }
    var peerIdentity: TLSPeerIdentity? { get }
    var isMessageCompressed: Bool { get async }
    /// Exclusive access to what the handler has added to its answer; from any task.
    func answer<R>(_ body: (inout AnswerMetadata) -> R) -> R
    func sendHeadNow()
    func compressResponses(_ isOn: Bool)
}

/// Metadata that a handler has added to its answer.
struct AnswerMetadata: Sendable {
    var headers = Metadata()
    var trailers = Metadata()
    /// nil while there are none: most calls have none, and copies then cost little.
    var notes: CallNotes?

    mutating func note(_ change: (inout CallNotes) -> Void) {
        var changed = notes ?? CallNotes()
        change(&changed)
        notes = changed
    }
}

/// What interceptors found out about a call, for its observer.
struct CallNotes: Sendable {
    var identity: String?
    var requestID: String?
    var trace: TraceContext?
}

private final class InProcessCall: CallState {
    let method: MethodDescriptor
    let metadata: Metadata
    let deadline: NIODeadline?
    let remoteAddress: SocketAddress?
    var isObserved: Bool { false }
    var isMessageCompressed: Bool { get async { false } }
    let peerIdentity: TLSPeerIdentity?
    private let answerMetadata = Mutex(AnswerMetadata())

    init(
        method: MethodDescriptor, metadata: Metadata, deadline: NIODeadline?, remoteAddress: SocketAddress?,
        peerIdentity: TLSPeerIdentity?
    ) {
        self.peerIdentity = peerIdentity
        self.method = method
        self.metadata = metadata
        self.deadline = deadline
        self.remoteAddress = remoteAddress
    }

    func answer<R>(_ body: (inout AnswerMetadata) -> R) -> R {
        answerMetadata.withLock { body(&$0) }
    }

    func sendHeadNow() {}
    func compressResponses(_ isOn: Bool) {}
}
