import NIOCore

/// What the request has in common with others.
extension HTTPExchange {
    /// Whether the head, byte for byte, has come in other requests of the connection, one after the other: only then is
    /// a ``headNote`` worth being made. On the event loop only.
    package var isHeadRepeated: Bool { state.pointee.head.fields.storage?.isRepeated ?? false }

    /// What a service has made of the head, for the next request with the same one. On the event loop only.
    package var headNote: (any AnyObject & Sendable)? {
        get { state.pointee.head.fields.storage?.note }
        set { state.pointee.head.fields.storage?.note = newValue }
    }
}

/// The request's body, as the handler reads it.
extension HTTPExchange {
    /// The next bytes of the request body: everything that has arrived and was not read, at least one byte.
    /// Suspends only when there is nothing. Taking bytes lets the peer send more (back-pressure).
    ///
    /// - Returns: nil at the proper end of the body.
    /// - Throws: ``HTTPStreamError``: reset, connection closed, truncated, too large, cancelled.
    public nonisolated(nonsending) func readBody() async throws(HTTPStreamError) -> ByteBuffer? {
        if eventLoop.inEventLoop, let read = takeBody() { return try Self.unwrap(read) }
        return try Self.unwrap(await waitForBody())
    }

    private nonisolated(nonsending) func waitForBody() async -> BodyRead {
        if Task.isCancelled { return .failed(.cancelled) }
        let ticket = WaitTicket()
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                onEventLoop {
                    if let read = self.takeBody() {
                        continuation.resume(returning: read)
                    } else {
                        self.inbox.wait(continuation, ticket)
                        if self.isAttached { self.driver.readerWaits(self) }
                    }
                }
            }
        } onCancel: {
            onEventLoop { self.inbox.cancelWait(ticket) }
        }
    }

    private static func unwrap(_ read: BodyRead) throws(HTTPStreamError) -> ByteBuffer? {
        switch read {
        case .bytes(let bytes): return bytes
        case .end: return nil
        case .failed(let error): throw error
        }
    }

    private func takeBody() -> BodyRead? {
        guard let read = inbox.take() else { return nil }
        if case .bytes(let bytes) = read { didConsume(bytes.readableBytes) }
        return read
    }

    /// All that was not read of a body whose end has arrived already; nil while more may come, or off the event loop.
    /// A short request that came in one piece is read so without suspending.
    public func takeCompleteBody() -> ByteBuffer? {
        guard eventLoop.inEventLoop, let bytes = inbox.takeComplete() else { return nil }
        didConsume(bytes.readableBytes)
        return bytes
    }

    /// Shows `body` what ``takeCompleteBody()`` would take, in place. The bytes count as read when it returns true.
    ///
    /// - Returns: what `body` returned; false, without a call, while more may come, or off the event loop.
    @discardableResult
    public func withCompleteBody(_ body: (UnsafeRawBufferPointer) throws -> Bool) rethrows -> Bool {
        guard eventLoop.inEventLoop, inbox.isComplete else { return false }
        // Taken out, because `body` may end the exchange, which drops what is in the inbox.
        guard let bytes = inbox.lend() else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
        var isRead = false
        defer { if isRead || !inbox.restore(bytes) { didConsume(bytes.readableBytes) } }
        isRead = try bytes.withUnsafeReadableBytes(body)
        return isRead
    }

    /// Counts bytes that decompressing has added to this request, against ``HTTPLimits/inflatedBytesPerSecond`` of its
    /// connection. On the event loop only.
    ///
    /// - Returns: nil, or the limit that is passed, by its value.
    package func didInflate(_ byteCount: Int) -> Int? { connection.didInflate(byteCount) }

    func didConsume(_ count: Int) {
        if count > 0, isAttached { driver.didConsume(count, self) }
    }
}
