import FrameCodec

/// What both sides know of a method without its message types.
public struct MethodDescriptor: Sendable, Hashable {
    /// Which side sends a stream of messages.
    public enum Kind: Sendable, Hashable {
        case unary, clientStreaming, serverStreaming, bidirectionalStreaming
    }

    /// What repeating a call does; protobuf's `idempotency_level` option.
    public enum Idempotency: Sendable, Hashable {
        case unknown, noSideEffects, idempotent
    }

    /// Full service name with its package, such as `sentry.integrations.scm.v1.ScmService`.
    public let service: String
    /// Method name without the service.
    public let method: String
    public let kind: Kind
    public let idempotency: Idempotency
    /// `/service/method`: the canonical name that routing and policy see (rule M1).
    public let path: String

    public init(service: String, method: String, kind: Kind, idempotency: Idempotency = .unknown) {
        self.service = service
        self.method = method
        self.kind = kind
        self.idempotency = idempotency
        self.path = "/\(service)/\(method)"
    }
}

/// A method with its message types, for tools that work on JSON or bytes.
public struct MethodTypes: Sendable {
    public let descriptor: MethodDescriptor
    public let request: any Message.Type
    public let response: any Message.Type

    public init(descriptor: MethodDescriptor, request: any Message.Type, response: any Message.Type) {
        self.descriptor = descriptor
        self.request = request
        self.response = response
    }
}
