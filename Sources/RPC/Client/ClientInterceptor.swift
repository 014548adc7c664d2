import Compression
import HTTPTransport
import NIOCore
import ServiceContextModule
import Synchronization

/// One call as interceptors see it, before it is sent.
public struct ClientCallContext: Sendable {
    public let method: MethodDescriptor
    /// Metadata of this call, the channel's own not included.
    public var metadata: Metadata
    /// When the call ends with DEADLINE_EXCEEDED. The server is told what is left when an attempt begins.
    public var deadline: NIODeadline?
    public var serviceContext: ServiceContext
    var waitsForReady: Bool
    var compression: CompressionAlgorithm?
    private let watchers: CallWatchers?

    init(
        _ method: MethodDescriptor, _ options: CallOptions, timeout: Duration?, waitsForReady: Bool,
        compression: CompressionAlgorithm?, isWatched: Bool
    ) {
        self.method = method
        metadata = options.metadata
        let end = timeout.map { NIODeadline.now() + TimeAmount($0) }
        deadline = end.map { end in options.deadline.map { min($0, end) } ?? end } ?? options.deadline
        serviceContext = options.serviceContext
        self.waitsForReady = waitsForReady
        self.compression = options.forbidsCompression ? nil : options.compression ?? compression
        watchers = isWatched ? CallWatchers() : nil
    }

    /// Calls `body` once, when the call has ended, streams included. May run on an event loop: must not block.
    public func whenEnded(_ body: @escaping @Sendable (ClientCallEnd) -> Void) { watchers?.add(body) }

    func end(_ end: @autoclosure () -> ClientCallEnd) {
        if let watchers { watchers.tell(end()) }
    }
}

/// How a call went.
public struct ClientCallEnd: Sendable {
    /// nil is OK.
    public let error: RPCError?
    public let responseMetadata: Metadata
    public let trailingMetadata: Metadata
    /// How many attempts were made, transparent ones not counted.
    public let attempts: Int
}

/// Code around every call of a channel, unary and streaming alike: credentials, trace context, logging, metrics.
///
/// `next` gives a unary call's whole answer, or a stream that has been started; how a stream ends is told to
/// ``ClientCallContext/whenEnded(_:)``. To refuse a call, throw an ``RPCError`` instead of calling `next`; to add
/// metadata, hand a changed context on. `next` may be called once. Retries happen inside it.
public protocol ClientInterceptor: Sendable {
    func intercept<Answer: Sendable>(
        _ context: ClientCallContext, next: ClientCallHandler<Answer>
    ) async throws -> Answer
}

/// What a ``ClientInterceptor`` calls to go on.
public typealias ClientCallHandler<Answer: Sendable> = @Sendable (ClientCallContext) async throws -> Answer

/// Who wants to know that a call has ended.
private final class CallWatchers: Sendable {
    private enum State {
        case running([@Sendable (ClientCallEnd) -> Void])
        case ended(ClientCallEnd)
    }

    private let state = Mutex(State.running([]))

    func add(_ body: @escaping @Sendable (ClientCallEnd) -> Void) {
        let end = state.withLock { state -> ClientCallEnd? in
            switch state {
            case .ended(let end): return end
            case .running(let bodies):
                state = .running(bodies + [body])
                return nil
            }
        }
        if let end { body(end) }
    }

    func tell(_ end: ClientCallEnd) {
        let bodies = state.withLock { state -> [@Sendable (ClientCallEnd) -> Void] in
            guard case .running(let bodies) = state else { return [] }
            state = .ended(end)
            return bodies
        }
        for body in bodies { body(end) }
    }
}
