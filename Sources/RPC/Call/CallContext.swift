import HTTPTransport
import NIOCore
import ServiceContextModule
import Synchronization

/// What a server's handler and interceptors know of one call, and what they may add to its answer.
///
/// A value: an interceptor hands a changed copy to the next one. The response metadata is shared by all copies
/// and may be set from any task.
public struct CallContext: Sendable {
    private let shared: Shared
    /// Typed values that interceptors attach, such as the authenticated principal or a trace span.
    public var serviceContext: ServiceContext

    /// For servers, and for tests that call a service without a network.
    public init(
        method: MethodDescriptor,
        metadata: Metadata = Metadata(),
        deadline: NIODeadline? = nil,
        remoteAddress: SocketAddress? = nil,
        serviceContext: ServiceContext = .topLevel
    ) {
        self.shared = Shared(method: method, metadata: metadata, deadline: deadline, remoteAddress: remoteAddress)
        self.serviceContext = serviceContext
    }

    /// The canonical method; the only name that policy may look at.
    public var method: MethodDescriptor { shared.method }
    /// Request metadata.
    public var metadata: Metadata { shared.metadata }
    /// When the call ends with DEADLINE_EXCEEDED, after the server's own clamp; nil for none.
    public var deadline: NIODeadline? { shared.deadline }
    /// The peer's socket address; nil in process.
    public var remoteAddress: SocketAddress? { shared.remoteAddress }

    /// Time left until the deadline; nil for none, zero when it has passed. Child calls carry this (rule T8).
    public var timeRemaining: Duration? {
        deadline.map { deadline in
            let nanoseconds = (deadline - .now()).nanoseconds
            return .nanoseconds(max(0, nanoseconds))
        }
    }

    /// Adds to the response's headers. No effect once the first message has been sent.
    public func addResponseMetadata(_ name: String, _ value: String) {
        shared.answer.withLock { _ = $0.headers.add(name, value) }
    }

    /// Adds to the response's trailers.
    public func addTrailingMetadata(_ name: String, _ value: String) {
        shared.answer.withLock { _ = $0.trailers.add(name, value) }
    }

    /// What has been added to the response's headers so far.
    public var responseMetadata: Metadata { shared.answer.withLock { $0.headers } }
    /// What has been added to the response's trailers so far.
    public var trailingMetadata: Metadata { shared.answer.withLock { $0.trailers } }

    private final class Shared: Sendable {
        let method: MethodDescriptor
        let metadata: Metadata
        let deadline: NIODeadline?
        let remoteAddress: SocketAddress?
        let answer = Mutex((headers: Metadata(), trailers: Metadata()))

        init(method: MethodDescriptor, metadata: Metadata, deadline: NIODeadline?, remoteAddress: SocketAddress?) {
            self.method = method
            self.metadata = metadata
            self.deadline = deadline
            self.remoteAddress = remoteAddress
        }
    }
}
