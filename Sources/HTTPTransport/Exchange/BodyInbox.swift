import NIOCore

/// What a reader of a body finds.
enum BodyRead: Sendable {
    case bytes(ByteBuffer)
    case end
    case failed(HTTPStreamError)
}

/// Lets a cancelled task find its own wait again. Confined to the event loop.
///
/// `@unchecked Sendable`: only the reference travels; the fields are touched on the event loop.
final class WaitTicket: @unchecked Sendable {
    var isCancelled = false
}

/// Received body bytes that nobody has read yet, and the one reader who may be waiting. Confined to an event
/// loop.
struct BodyInbox {
    private var buffer: ByteBuffer?
    private var isEnded = false
    private var failure: HTTPStreamError?
    private var waiter: UnsafeContinuation<BodyRead, Never>?
    private var ticket: WaitTicket?

    var unreadByteCount: Int { buffer?.readableBytes ?? 0 }
    var isWaiting: Bool { waiter != nil }
    /// Nothing more will come.
    var isOver: Bool { isEnded || failure != nil }

    /// Back to the state of a new one. Most have nothing left to let go of.
    mutating func reset() {
        if buffer != nil || failure != nil || waiter != nil || ticket != nil { self = BodyInbox() }
        isEnded = false
    }

    // MARK: From the connection

    mutating func append(_ bytes: consuming ByteBuffer) {
        guard !isOver else { return }
        if buffer == nil { buffer = consume bytes } else { buffer?.writeImmutableBuffer(bytes) }
    }

    mutating func end() { if !isOver { isEnded = true } }

    /// From now on reading throws. Unread bytes are dropped; returns how many.
    mutating func fail(_ error: HTTPStreamError) -> Int {
        guard failure == nil else { return 0 }
        failure = error
        return dropUnread()
    }

    mutating func dropUnread() -> Int {
        let dropped = unreadByteCount
        buffer = nil
        return dropped
    }

    /// Small leftovers are copied, so that they do not keep a whole socket read in memory.
    mutating func compact() {
        guard let held = buffer, held.storageCapacity > 4 * held.readableBytes + 512 else { return }
        var copy = ByteBufferAllocator().buffer(capacity: held.readableBytes)
        copy.writeImmutableBuffer(held)
        buffer = copy
    }

    /// Wakes the reader when there is something to tell. Returns the number of bytes that it got.
    mutating func wake() -> Int {
        guard let waiter, let read = take() else { return 0 }
        self.waiter = nil
        ticket = nil
        waiter.resume(returning: read)
        if case .bytes(let bytes) = read { return bytes.readableBytes }
        return 0
    }

    // MARK: From the reader

    /// What is there now; nil when one has to wait.
    mutating func take() -> BodyRead? {
        if let taken = buffer {
            buffer = nil
            return .bytes(taken)
        }
        if let failure { return .failed(failure) }
        return isEnded ? .end : nil
    }

    /// The whole body, when its end has been received already.
    mutating func takeComplete() -> ByteBuffer? {
        guard isEnded, failure == nil else { return nil }
        let taken = buffer ?? ByteBuffer()
        buffer = nil
        return taken
    }

    /// The end has been received, and all is well.
    var isComplete: Bool { isEnded && failure == nil }

    /// What has arrived and was not read, for a look at it; nil when that is nothing.
    mutating func lend() -> ByteBuffer? { buffer.take() }

    /// What was lent has not been read after all.
    ///
    /// - Returns: false when nobody can read it any more.
    mutating func restore(_ bytes: ByteBuffer) -> Bool {
        guard failure == nil else { return false }
        buffer = bytes
        return true
    }

    mutating func wait(_ continuation: UnsafeContinuation<BodyRead, Never>, _ ticket: WaitTicket) {
        guard !ticket.isCancelled else { return continuation.resume(returning: .failed(.cancelled)) }
        guard waiter == nil else {
            return continuation.resume(returning: .failed(.protocolViolation("two readers of one body")))
        }
        waiter = continuation
        self.ticket = ticket
    }

    mutating func cancelWait(_ ticket: WaitTicket) {
        ticket.isCancelled = true
        guard self.ticket === ticket, let waiter else { return }
        self.waiter = nil
        self.ticket = nil
        waiter.resume(returning: .failed(.cancelled))
    }
}

/// The one writer of a body that may be waiting for room. Confined to an event loop.
struct SendGate {
    private var waiter: UnsafeContinuation<HTTPStreamError?, Never>?
    private var ticket: WaitTicket?

    var isWaiting: Bool { waiter != nil }

    mutating func wait(_ continuation: UnsafeContinuation<HTTPStreamError?, Never>, _ ticket: WaitTicket) {
        guard !ticket.isCancelled else { return continuation.resume(returning: .cancelled) }
        guard waiter == nil else {
            return continuation.resume(returning: .protocolViolation("two senders of one body"))
        }
        waiter = continuation
        self.ticket = ticket
    }

    mutating func open(_ error: HTTPStreamError? = nil) {
        guard let waiter else { return }
        self.waiter = nil
        ticket = nil
        waiter.resume(returning: error)
    }

    mutating func cancelWait(_ ticket: WaitTicket) {
        ticket.isCancelled = true
        if self.ticket === ticket { open(.cancelled) }
    }
}
