import FrameCodec

/// The messages of a streamed answer. One consumer; leaving the loop early and dropping the stream cancels the call.
public struct ResponseStream<Response: Message>: AsyncSequence, Sendable {
    private let guarded: CancelWhenDropped
    /// The call, for its metadata.
    public var call: ClientCall { guarded.call }

    init(call: ClientCall) {
        guarded = CancelWhenDropped(call: call)
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let guarded: CancelWhenDropped

        /// - Throws: ``RPCError``, the call's outcome when it is not OK.
        public mutating func next() async throws -> Response? {
            let call = guarded.call
            return try await call.withCancellation { try await call.receive(Response.self) }
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(guarded: guarded) }
}

/// Where the messages of a streamed request go.
public struct RequestWriter<Request: Message>: Sendable {
    let call: ClientCall

    /// Sends one message; suspends while the server reads too slowly.
    ///
    /// - Parameter isCompressed: false leaves this message as it is in a call that compresses; see
    ///   ``ClientCall/send(_:isCompressed:)``.
    public func send(_ message: Request, isCompressed: Bool = true) async throws {
        try await call.send(message, isCompressed: isCompressed)
    }

    /// No more messages from this side.
    public func finish() async { call.finishRequest() }
}

private final class CancelWhenDropped: Sendable {
    let call: ClientCall
    init(call: ClientCall) { self.call = call }
    deinit { call.cancel() }
}
