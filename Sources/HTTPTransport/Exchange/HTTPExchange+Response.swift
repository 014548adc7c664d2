import NIOCore

/// The response, as the handler sends it.
extension HTTPExchange {
    /// Sets status and fields of the response. They leave with the first body bytes or with
    /// ``finish(trailers:)``, so that a short answer is one write. A second call before that replaces the
    /// first; afterwards it does nothing.
    public func sendHead(_ head: consuming HTTPResponseHead) {
        guard eventLoop.inEventLoop else {
            let head = head
            return eventLoop.execute { self.sendHead(head) }
        }
        if isAttached, !driver.isHeadSent(self) { pendingHead = head }
    }

    /// Queues body bytes. Suspends while more than ``HTTPLimits/unsentBodyByteCount`` wait to be taken by the
    /// peer. An empty buffer pushes the head out. Without a head the status is 200. For HEAD requests bytes
    /// are dropped.
    ///
    /// - Throws: ``HTTPStreamError`` when nothing can be sent any more: the peer is gone, or this side has
    ///   finished.
    public nonisolated(nonsending) func send(_ bytes: ByteBuffer) async throws(HTTPStreamError) {
        if eventLoop.inEventLoop {
            if let error = queue(bytes) { throw error }
            guard isCongested else { return }
        }
        if let error = await waitForRoom(queueing: eventLoop.inEventLoop ? nil : bytes) { throw error }
    }

    private nonisolated(nonsending) func waitForRoom(queueing bytes: ByteBuffer?) async -> HTTPStreamError? {
        if Task.isCancelled, bytes == nil { return .cancelled }
        let ticket = WaitTicket()
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                onEventLoop {
                    if let bytes, let error = self.queue(bytes) { return continuation.resume(returning: error) }
                    if let failure = self.failure { return continuation.resume(returning: failure) }
                    guard self.isCongested else { return continuation.resume(returning: nil) }
                    self.gate.wait(continuation, ticket)
                }
            }
        } onCancel: {
            onEventLoop { self.gate.cancelWait(ticket) }
        }
    }

    /// Ends the response. Without body and trailers that is one HEADERS frame on HTTP/2 (rule S9); on
    /// HTTP/1.1 a response that is complete now gets a Content-Length. What is left of the request body is
    /// not wanted any more (rules H2b, O2). Calling it again does nothing.
    ///
    /// - Parameter trailers: sent after the body on HTTP/2 and in chunked HTTP/1.1 responses; nil or empty
    ///   for none.
    public func finish(trailers: consuming HTTPFields? = nil) {
        guard eventLoop.inEventLoop else {
            let trailers = trailers
            return eventLoop.execute { self.finish(trailers: trailers) }
        }
        guard failure == nil, !isFinished else { return }
        isFinished = true
        if isAttached { driver.finish(self, trailers) }
    }

    /// Queues body bytes without back-pressure: for the only message of an answer. Nothing happens when the peer is
    /// gone.
    public func enqueue(_ bytes: ByteBuffer) {
        guard eventLoop.inEventLoop else { return eventLoop.execute { self.enqueue(bytes) } }
        _ = queue(bytes)
    }

    /// More waits to be sent than should: whoever sends a stream ought to wait for ``room()``. On the event loop only.
    public var isCongested: Bool { isAttached && driver.isCongested(self) }

    /// Suspends while ``isCongested``.
    ///
    /// - Throws: as ``send(_:)``.
    public nonisolated(nonsending) func room() async throws(HTTPStreamError) {
        if let error = await waitForRoom(queueing: nil) { throw error }
    }

    /// As ``enqueue(_:)``, for `count` bytes that `write` puts in place: no buffer of their own. On the event loop
    /// only.
    ///
    /// - Returns: whether the bytes are wanted; `write` is not called otherwise.
    @discardableResult
    public func enqueue(count: Int, _ write: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows -> Bool {
        guard failure == nil, !isFinished, isAttached else { return false }
        eventLoop.preconditionInEventLoop()
        try driver.send(count: count, self, write)
        sentByteCount &+= count
        return true
    }

    /// Queues the last body bytes and ends the response without trailers. Never suspends: for short, final
    /// bytes.
    public func sendLast(_ bytes: ByteBuffer) {
        guard eventLoop.inEventLoop else { return eventLoop.execute { self.sendLast(bytes) } }
        guard queue(bytes) == nil else { return }
        finish()
    }

    /// Gives up: RST_STREAM with `code`; on HTTP/1.1 the connection is closed.
    public func reset(_ code: HTTP2ErrorCode) {
        guard eventLoop.inEventLoop else { return eventLoop.execute { self.reset(code) } }
        guard failure == nil, !isFinished else { return }
        let wasAttached = isAttached
        fail(.cancelled, cancelsTask: false)
        if wasAttached { driver.reset(self, code) }
    }

    /// To be called before the end of a response whose time is over: should the peer take next to nothing of what is
    /// left of it for ``HTTPTimeouts/lingeringClose``, the exchange is reset with CANCEL; on HTTP/1.1 the connection is
    /// closed.
    public func resetWhenStalled() {
        guard eventLoop.inEventLoop else { return eventLoop.execute { self.resetWhenStalled() } }
        if failure == nil, !isFinished, isAttached { driver.resetWhenStalled(self) }
    }

    private func queue(_ bytes: ByteBuffer) -> HTTPStreamError? {
        if let failure { return failure }
        if isFinished { return .protocolViolation("send after finish") }
        sentByteCount &+= bytes.readableBytes
        if isAttached { driver.send(bytes, self) }
        return nil
    }
}
