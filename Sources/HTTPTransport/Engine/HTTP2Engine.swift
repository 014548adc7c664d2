import CNGHTTP2
import NIOCore

/// HTTP/2 without sockets: bytes in -> events; orders; bytes out.
///
///                 feed(bytes)                    events
///     peer  ---------------------->  [session] ----------->  owner
///     peer  <----------------------  [session] <-----------  owner
///                 drain(into:)                   orders
///
/// The single owner of the nghttp2 session. The C callbacks only record what happened; orders are given and bytes
/// are drained after `feed` has returned, so nghttp2's rule "never send or receive inside a callback" holds by
/// construction. Not Sendable: one thread at a time (the connection's event loop).
///
/// Time comes in as a parameter: nanoseconds of any monotonic clock.
final class HTTP2Engine {
    enum Role { case server, client }

    /// Largest piece that `feed` takes at once: bounds how much a burst can do before we answer it.
    static let sliceByteCount = 16 * 1024

    let role: Role
    let limits: HTTPLimits
    /// Whether `:scheme` "https" is fine although the transport is clear text.
    let acceptsHTTPSScheme: Bool
    private(set) var session: OpaquePointer?
    /// Recorded since the last ``takeEvents()``.
    var events: [HTTP2Event] = []
    var openStreams: [HTTP2Stream] = []
    private var spareStreams: [HTTP2Stream] = []
    var budgets: FrameBudgets
    var assembler: HeadAssembler
    var now: UInt64 = 0
    /// Where the slice being fed starts; data events are offsets from here.
    var sliceBase: UnsafePointer<UInt8>?
    /// When the header block that is still incomplete began; nil when none is.
    var headerBlockStart: UInt64?
    var nameValues = NameValueArray()
    /// Set when the session cannot go on; the owner closes the connection after the last drain.
    private(set) var failure: String?
    private(set) var isGoingAway = false
    var receivedSettings = false
    /// DATA bytes sent so far, for stall detection.
    var sentDataByteCount = 0

    init(
        role: Role, limits: HTTPLimits, acceptsHTTPSScheme: Bool = false
    ) throws(HTTPConnectionError) {
        self.role = role
        self.limits = limits
        self.acceptsHTTPSScheme = acceptsHTTPSScheme
        budgets = FrameBudgets(limits: limits)
        assembler = HeadAssembler(limits: limits)
        session = SessionFactory.make(for: self)
        guard session != nil else { throw HTTPConnectionError("no memory for an HTTP/2 session") }
        submitSettings()
    }

    deinit {
        if let session { nghttp2_session_del(session) }
    }

    // MARK: Bytes in

    /// Takes at most ``sliceByteCount`` bytes. Afterwards: handle ``takeEvents()``, then ``drain(into:upTo:)``.
    ///
    /// - Returns: false when nothing more must be fed (fatal error or orderly end); ``failure`` may say why.
    func feed(_ slice: UnsafeRawBufferPointer, now: UInt64) -> Bool {
        guard let session, failure == nil, nghttp2_session_want_read(session) != 0 else { return false }
        self.now = now
        guard let base = slice.baseAddress?.assumingMemoryBound(to: UInt8.self), slice.count > 0 else { return true }
        sliceBase = base
        let consumed = nghttp2_session_mem_recv(session, base, slice.count)
        sliceBase = nil
        if consumed < 0 {
            fail(Int32(truncatingIfNeeded: consumed))
            return false
        }
        checkBudgets()
        return failure == nil && nghttp2_session_want_read(session) != 0
    }

    /// What happened since the last call, in order.
    func takeEvents() -> [HTTP2Event] {
        guard !events.isEmpty else { return [] }
        var taken: [HTTP2Event] = []
        swap(&taken, &events)
        return taken
    }

    /// Gives the array back so that its memory is used again.
    func returnEvents(_ used: consuming [HTTP2Event]) {
        guard events.isEmpty, used.capacity <= 256 else { return }
        used.removeAll(keepingCapacity: true)
        events = used
    }

    // MARK: Bytes out

    /// Appends what is to be sent, until nothing is left or `output` holds `limit` bytes.
    ///
    /// - Returns: true when more may be waiting.
    func drain(into output: inout ByteBuffer, upTo limit: Int, now: UInt64) -> Bool {
        guard let session else { return false }
        self.now = now
        while output.readableBytes < limit {
            var data: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(session, &data)
            guard count > 0, let data else {
                if count < 0, failure == nil { fail(Int32(truncatingIfNeeded: count)) }
                checkBudgets()
                return false
            }
            output.writeBytes(UnsafeRawBufferPointer(start: data, count: count))
        }
        checkBudgets()
        return true
    }

    var wantsWrite: Bool { session.map { nghttp2_session_want_write($0) != 0 } ?? false }

    /// False when the session is over: nothing to read any more and nothing to write.
    var isAlive: Bool {
        guard let session, failure == nil else { return false }
        return nghttp2_session_want_read(session) != 0 || nghttp2_session_want_write(session) != 0
    }

    // MARK: Streams

    func makeStream() -> HTTP2Stream { spareStreams.popLast() ?? HTTP2Stream() }

    func register(_ stream: HTTP2Stream) {
        stream.index = openStreams.count
        openStreams.append(stream)
    }

    func unregister(_ stream: HTTP2Stream) {
        let index = stream.index
        guard index >= 0, index < openStreams.count, openStreams[index] === stream else { return }
        let last = openStreams.removeLast()
        if last !== stream {
            openStreams[index] = last
            last.index = index
        }
        stream.index = -1
    }

    /// Takes back a stream whose `closed` event was handled and that nobody refers to any more.
    func recycle(_ stream: HTTP2Stream) {
        stream.reset()
        if spareStreams.count < 64 { spareStreams.append(stream) }
    }

    // MARK: Failure

    private func checkBudgets() {
        guard let session, failure == nil else { return }
        if nghttp2_session_get_outbound_queue_size(session) > limits.queuedFrames {
            budgets.didQueueTooManyFrames(limit: limits.queuedFrames)
        }
        if let reason = budgets.exhausted { terminate(.enhanceYourCalm, reason: reason) }
    }

    private func fail(_ code: Int32) {
        let text = String(cString: nghttp2_strerror(code))
        terminate(ErrorTranslation.connectionError(code), reason: "HTTP/2: \(text) (nghttp2 \(code))")
    }

    /// Ends the session with GOAWAY; the owner drains once more and closes.
    func terminate(_ code: HTTP2ErrorCode, reason: String) {
        guard let session, failure == nil else { return }
        failure = reason
        nghttp2_session_terminate_session(session, code.rawValue)
    }

    func markGoingAway() { isGoingAway = true }
}
