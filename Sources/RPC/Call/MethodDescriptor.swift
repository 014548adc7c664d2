import FrameCodec

/// What both sides know of a method without its message types. Equal when the paths are.
public struct MethodDescriptor: Sendable, Hashable {
    /// Which side sends a stream of messages.
    public enum Kind: Sendable, Hashable {
        case unary, clientStreaming, serverStreaming, bidirectionalStreaming
    }

    /// What repeating a call does; protobuf's `idempotency_level` option.
    public enum Idempotency: Sendable, Hashable {
        case unknown, noSideEffects, idempotent
    }

    private let names: Names
    public let kind: Kind
    public let idempotency: Idempotency

    /// Full service name with its package, such as `sentry.integrations.scm.v1.ScmService`.
    public var service: String { names.service }
    /// Method name without the service.
    public var method: String { names.method }
    /// `/service/method`: the canonical name that routing and policy see (rule M1).
    public var path: String { names.path }

    public init(service: String, method: String, kind: Kind, idempotency: Idempotency = .unknown) {
        self.names = Names(service: service, method: method)
        self.kind = kind
        self.idempotency = idempotency
    }

    public static func == (left: MethodDescriptor, right: MethodDescriptor) -> Bool {
        left.names === right.names || left.path == right.path
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(path)
    }

    /// Behind a reference, because a descriptor is copied several times in every call.
    private final class Names: Sendable {
        let service: String
        let method: String
        let path: String

        init(service: String, method: String) {
            self.service = service
            self.method = method
            path = "/\(service)/\(method)"
        }
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
