import HTTPTransport
import NIOCore

// What interceptors may look at before the handler: the request as it travelled.
extension ServerCall {
    /// The parts of a request's head that say what is asked, as they were sent.
    public struct RequestLine: Sendable, Equatable {
        public let method: String
        /// Path and query.
        public let target: [UInt8]
        /// Empty without one.
        public let contentType: String
    }

    public var requestLine: RequestLine {
        RequestLine(
            method: exchange.method.description, target: exchange.withPath { Array($0) },
            contentType: exchange.fields.first(.contentType) ?? ""
        )
    }

    /// Reads the request to its end; the handler gets all of it afterwards. Nothing happens when that was done before.
    ///
    /// - Parameter show: gets the body's bytes as they travelled: frames, compression and base64 included.
    /// - Throws: `RPCError` as ``nextMessage()``, and RESOURCE_EXHAUSTED when the messages of a stream are together
    ///   larger than `maximumRequestMessageByteCount`.
    public func readAhead(_ show: @escaping @Sendable (ByteBuffer) -> Void = { _ in }) async throws {
        guard exchange.eventLoop.inEventLoop else { return try await onEventLoop { try await self.readAhead(show) } }
        let limit = configuration.values.maximumRequestMessageByteCount
        while !inbound.hasEnded {
            try await fill(show)
            guard inbound.unreadByteCount <= limit + FrameReadAhead.headroom else {
                throw RPCError(
                    .resourceExhausted, "a request that is read ahead exceeds maximumRequestMessageByteCount (\(limit))"
                )
            }
        }
    }

    /// The first message of the request, which is read to its end; the handler gets it too. nil when there is none.
    ///
    /// - Throws: as ``readAhead(_:)``.
    public func peekMessage() async throws -> ByteBuffer? {
        guard exchange.eventLoop.inEventLoop else { return try await onEventLoop { try await self.peekMessage() } }
        try await readAhead()
        var copy = inbound
        return try copy.next()
    }
}

private enum FrameReadAhead {
    /// The five bytes around a message of the largest size.
    static let headroom = 5
}
