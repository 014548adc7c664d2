import FrameCodec

/// The one shape of every handler: a stream of messages in, a stream of messages out. A unary call is the case of
/// one message each way. Runs as the call's task; throwing ends the call with that status, returning ends it with OK.
public typealias CallHandler = @Sendable (_ call: ServerCall, _ context: CallContext) async throws -> Void

/// What serves a call at once: without a task, and without suspending.
///
/// Returns false, having done nothing, when the call needs the ``CallHandler``: the request has not arrived whole.
public typealias ImmediateCallHandler = @Sendable (_ call: ServerCall, _ context: CallContext) throws -> Bool

/// Code around every call of a server: authentication, authorisation, logging, metrics.
///
/// Runs before the request body is read: to refuse a call, throw an ``RPCError`` without calling `next`, and no
/// message is ever decoded. To hand something to the handler, put it into the context's `serviceContext`.
/// Called concurrently for different calls, on an event loop: must not block.
public protocol ServerInterceptor: Sendable {
    func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws

    /// Decides at once, when that needs no waiting: a call whose interceptors all do costs no suspension point for
    /// them.
    ///
    /// On the event loop. To refuse the call, throw; to let it through, change `context` if need be and return true.
    /// When it returns false (the default), ``intercept(_:context:next:)`` is called.
    func interceptNow(_ call: ServerCall, context: inout CallContext) throws -> Bool

    /// The handler of a call that ``interceptNow(_:context:)`` has let through has returned or thrown, or an
    /// interceptor behind this one has refused the call. Once for each such call, from any thread; must not block.
    func didReturn(_ call: ServerCall, context: CallContext)

    /// The error with which such a call ends instead of `error`, which its handler or an interceptor behind this one
    /// has thrown. From any thread; must not block. The default leaves it as it is.
    func replacement(for error: any Error, of call: ServerCall, context: CallContext) -> any Error
}

extension ServerInterceptor {
    public func interceptNow(_ call: ServerCall, context: inout CallContext) throws -> Bool { false }
    public func didReturn(_ call: ServerCall, context: CallContext) {}
    public func replacement(for error: any Error, of call: ServerCall, context: CallContext) -> any Error { error }
}

/// A set of methods that a server can register. Generated service protocols refine it.
public protocol RPCService: Sendable {
    var methods: [RPCMethod] { get }
    /// The .proto file that defines the service, for reflection; nil when there is none.
    var fileDescriptor: FileDescriptor? { get }
}

extension RPCService {
    public var fileDescriptor: FileDescriptor? { nil }
}

/// A method's descriptor and the code that serves it. A class, so that a call carries one reference of it.
public final class RPCMethod: Sendable {
    public let descriptor: MethodDescriptor
    public let handler: CallHandler
    public let immediate: ImmediateCallHandler?

    /// The lowest interface: raw message bytes through `call`, so that any message library can be used.
    ///
    /// - Parameter immediate: tried first, for calls that can be served without suspending.
    public init(
        _ descriptor: MethodDescriptor, immediate: ImmediateCallHandler? = nil, handler: @escaping CallHandler
    ) {
        self.descriptor = descriptor
        self.immediate = immediate
        self.handler = handler
    }

    /// A method that never waits: served on the event loop, which `body` must not block, without a task.
    @inlinable
    public static func unary<Request: Message, Response: Message>(
        _ descriptor: MethodDescriptor,
        _ body: @escaping @Sendable (Request, CallContext) throws -> Response
    ) -> RPCMethod {
        RPCMethod(
            descriptor,
            immediate: { call, context in
                guard let request = try call.receiveWhole(Request.self) else { return false }
                return try call.sendNow(try body(request, context))
            },
            handler: { call, context in
                let response = try body(try await call.receiveOnly(Request.self), context)
                if try !call.sendNow(response) { try await call.send(response) }
            }
        )
    }

    @inlinable
    public static func unary<Request: Message, Response: Message>(
        _ descriptor: MethodDescriptor,
        _ body: @escaping @Sendable (Request, CallContext) async throws -> Response
    ) -> RPCMethod {
        RPCMethod(descriptor) { call, context in
            // Each `await` costs an executor switch even when nothing suspends; the usual call has only one here.
            let request =
                if let whole = try call.receiveWhole(Request.self) { whole } else {
                    try await call.receiveOnly(Request.self)
                }
            let response = try await body(request, context)
            if call.isAnswerKept { call.keep(response) }
            if try !call.sendNow(response) { try await call.send(response) }
        }
    }

    @inlinable
    public static func serverStreaming<Request: Message, Response: Message>(
        _ descriptor: MethodDescriptor,
        _ body: @escaping @Sendable (Request, ResponseWriter<Response>, CallContext) async throws -> Void
    ) -> RPCMethod {
        RPCMethod(descriptor) { call, context in
            let request =
                if let whole = try call.receiveWhole(Request.self) { whole } else {
                    try await call.receiveOnly(Request.self)
                }
            try await body(request, ResponseWriter(call: call), context)
        }
    }

    @inlinable
    public static func clientStreaming<Request: Message, Response: Message>(
        _ descriptor: MethodDescriptor,
        _ body: @escaping @Sendable (RequestStream<Request>, CallContext) async throws -> Response
    ) -> RPCMethod {
        RPCMethod(descriptor) { call, context in
            let response = try await body(RequestStream(call: call), context)
            try await call.send(response)
        }
    }

    @inlinable
    public static func bidirectionalStreaming<Request: Message, Response: Message>(
        _ descriptor: MethodDescriptor,
        _ body: @escaping @Sendable (RequestStream<Request>, ResponseWriter<Response>, CallContext) async throws -> Void
    ) -> RPCMethod {
        RPCMethod(descriptor) { call, context in
            try await body(RequestStream(call: call), ResponseWriter(call: call), context)
        }
    }
}

/// The messages of a client-streaming or bidirectional call, in order. One consumer at a time.
public struct RequestStream<Request: Message>: AsyncSequence, Sendable {
    @usableFromInline
    let call: ServerCall

    @inlinable
    init(call: ServerCall) {
        self.call = call
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        let call: ServerCall

        /// - Throws: ``RPCError`` when the stream is broken, too large, cancelled or past its deadline.
        public mutating func next() async throws -> Request? {
            try await call.receive(Request.self)
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(call: call) }
}

/// Where a handler puts the messages of a streamed answer.
public struct ResponseWriter<Response: Message>: Sendable {
    @usableFromInline
    enum Target: Sendable {
        case call(ServerCall)
        case sink(@Sendable (Response) async throws -> Void)
    }

    @usableFromInline
    let target: Target

    @inlinable
    init(call: ServerCall) {
        target = .call(call)
    }

    /// For tests and for calls in process: every message goes to `sink`.
    public init(sink: @escaping @Sendable (Response) async throws -> Void) {
        target = .sink(sink)
    }

    /// Sends one message; suspends while the client reads too slowly.
    ///
    /// - Throws: ``RPCError`` when the client has gone or the deadline has passed: stop working then.
    @inlinable
    public func send(_ message: Response) async throws {
        switch target {
        case .call(let call):
            // The usual message suspends nowhere and gets no memory of its own.
            if try !call.sendToStream(message) { try await call.send(message) }
        case .sink(let sink): try await sink(message)
        }
    }
}
