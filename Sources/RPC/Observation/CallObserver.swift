import HTTPTransport
import NIOCore

/// Told of every call that has ended, whatever its end: an access log, an audit.
public protocol CallObserver: Sendable {
    /// On the call's event loop, after the answer was handed to the transport: must not block.
    func callDidEnd(_ call: EndedCall)
}

/// A call that has ended. Valid only inside ``CallObserver/callDidEnd(_:)``.
public struct EndedCall: Sendable {
    private let exchange: HTTPExchange
    private let served: ServedMethod
    private let traffic: CallTraffic
    private let notes: CallNotes
    /// Why it failed; nil for OK.
    public let error: RPCError?

    init(exchange: HTTPExchange, method: ServedMethod, error: RPCError?, traffic: CallTraffic, notes: CallNotes) {
        self.exchange = exchange
        self.served = method
        self.error = error
        self.traffic = traffic
        self.notes = notes
    }

    /// nil when the path is no method.
    public var method: MethodDescriptor? { served.descriptor.service.isEmpty ? nil : served.descriptor }
    /// The path as received.
    public var path: String { exchange.withPath { String(decoding: $0, as: UTF8.self) } }
    /// The real `grpc-status`.
    public var code: StatusCode { error?.code ?? .ok }
    public var remoteAddress: SocketAddress? { exchange.remoteAddress }
    public var httpVersion: HTTPVersion { exchange.version }
    /// Request metadata; may hold secrets.
    public var metadata: Metadata { Metadata(fields: exchange.fields) }
    /// Of the request, as received.
    public var contentType: String { exchange.fields.first(.contentType) ?? "" }
    public var userAgent: String? { exchange.fields.first(.userAgent) }
    /// Who called, from ``CallContext/noteIdentity(_:)``.
    public var identity: String? { notes.identity }
    /// Who the peer is by its client certificate; nil without one.
    public var peerIdentity: TLSPeerIdentity? { exchange.peerIdentity }
    /// The call's name, from ``CallContext/noteRequestID(_:)``.
    public var requestID: String? { notes.requestID }
    /// The trace it belonged to, from ``TraceContextInterceptor``.
    public var trace: TraceContext? { notes.trace }
    /// From the head's arrival to the status.
    public var duration: Duration { .nanoseconds(traffic.duration.nanoseconds) }
    public var requestMessageCount: Int { traffic.requestMessageCount }
    public var requestByteCount: Int { traffic.requestByteCount }
    public var responseMessageCount: Int { traffic.responseMessageCount }
    public var responseByteCount: Int { traffic.responseByteCount }
}
