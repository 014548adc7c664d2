import CNGHTTP2
import NIOCore

/// HTTP/2 without sockets: bytes in -> events; orders; bytes out.
///
///                 feed(bytes)                    events
///     peer  ---------------------->  [session] ----------->  owner
///     peer  <----------------------  [session] <-----------  owner
///                 drain(into:)                   orders
///
/// The single owner of the nghttp2 session. The C callbacks only record what happened; orders are given and
/// bytes are drained after `feed` has returned, so nghttp2's rule "never send or receive inside a callback"
/// holds by construction. Not Sendable: one thread at a time (the connection's event loop).
///
/// Time comes in as a parameter: nanoseconds of any monotonic clock.
final class HTTP2Engine {
    enum Role { case server, client }

    /// Largest piece that `feed` takes at once: bounds how much a burst can do before we answer it.
    static let sliceByteCount = 16 * 1024

    let role: Role
    let limits: HTTPLimits
    /// `:scheme` must be the transport's.
    let schemes: SchemeRule
    private(set) var session: OpaquePointer?
    /// What changes with every frame. Behind a pointer, because Swift's run-time exclusivity checks on class
    /// properties would cost several per cent of a request; one thread at a time is this type's rule anyway.
    let state: UnsafeMutablePointer<State>

    struct State {
        /// Recorded since the last `takeEvents()`.
        var events: [HTTP2Event] = []
        // The engine holds one reference of every stream in these three lists, and moves it from list to list
        // without counting.
        var openStreams: [Unmanaged<HTTP2Stream>] = []
        /// Closed, but the event may not be handled yet.
        var closedStreams: [Unmanaged<HTTP2Stream>] = []
        var spareStreams: [Unmanaged<HTTP2Stream>] = []
        var budgets: FrameBudgets
        var assembler: HeadAssembler
        var scanner: FrameScanner
        var headPairs = NameValueArray()
        var trailerPairs = NameValueArray()
        /// The stream that a callback was for last; 0 when it has closed.
        var recentStream: (id: Int32, pointer: UnsafeMutableRawPointer?) = (0, nil)
        /// Bytes of request bodies whose credit the connection has not got back yet.
        var consumedByteCount = 0
        /// Nothing has happened since ``HTTP2Engine/trim()``.
        var isTrimmed = false
    }

    private let memory = SessionMemory()
    var openStreams: [HTTP2Stream] { state.pointee.openStreams.map { $0.takeUnretainedValue() } }
    var hasOpenStreams: Bool { !state.pointee.openStreams.isEmpty }
    var now: UInt64 = 0
    /// Where the slice being fed starts; data events are offsets from here.
    var sliceBase: UnsafePointer<UInt8>?
    /// When the header block that is still incomplete began; nil when none is.
    var headerBlockStart: UInt64?
    /// Set when the session cannot go on; the owner closes the connection after the last drain.
    private(set) var failure: String?
    /// The limit that ended the session.
    private(set) var failedLimit: String?
    /// Limits that refused single streams since the owner last looked; it empties this.
    var refusingLimits: [String] = []
    private(set) var isGoingAway = false
    var receivedSettings = false
    /// DATA bytes sent so far, for stall detection.
    var sentDataByteCount = 0
    /// Body bytes of all streams that wait to be sent.
    var unsentByteCount = 0

    init(
        role: Role, limits: HTTPLimits, schemes: SchemeRule = .http
    ) throws(HTTPConnectionError) {
        self.role = role
        self.limits = limits
        self.schemes = schemes
        state = .allocate(capacity: 1)
        state.initialize(
            to: State(
                budgets: FrameBudgets(limits: limits), assembler: HeadAssembler(limits: limits),
                scanner: FrameScanner(prefix: role == .server ? 24 : 0)))
        session = SessionFactory.make(for: self, memory)
        guard session != nil else { throw HTTPConnectionError("no memory for an HTTP/2 session") }
        submitSettings()
    }

    deinit {
        if let session { nghttp2_session_del(session) }
        memory.destroy()
        for stream in state.pointee.openStreams + state.pointee.closedStreams + state.pointee.spareStreams {
            discard(stream)
        }
        state.pointee.headPairs.deallocate()
        state.pointee.trailerPairs.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    // MARK: Bytes in

    /// Takes at most ``sliceByteCount`` bytes. Afterwards: handle ``takeEvents()``, then
    /// ``drain(into:upTo:)``.
    ///
    /// - Returns: false when nothing more must be fed (fatal error or orderly end); ``failure`` may say why.
    func feed(_ slice: UnsafeRawBufferPointer, now: UInt64) -> Bool {
        guard let session, failure == nil, nghttp2_session_want_read(session) != 0 else { return false }
        self.now = now
        state.pointee.isTrimmed = false
        guard let base = slice.baseAddress?.assumingMemoryBound(to: UInt8.self), slice.count > 0 else {
            return true
        }
        state.pointee.scanner.scan(slice) { didBeginFrame($0) }
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

    /// What happened since the last call, in order. When all of it is handled: ``returnEvents(_:)``.
    func takeEvents() -> [HTTP2Event] {
        guard !state.pointee.events.isEmpty else { return [] }
        var taken: [HTTP2Event] = []
        swap(&taken, &state.pointee.events)
        return taken
    }

    /// Gives the array back so that its memory is used again, and lets go of the streams that have closed.
    func returnEvents(_ used: consuming [HTTP2Event]) {
        recycleClosed()
        guard state.pointee.events.isEmpty, used.capacity <= 256 else { return }
        used.removeAll(keepingCapacity: true)
        state.pointee.events = used
    }

    // MARK: Bytes out

    /// Appends what is to be sent, until nothing is left or `output` holds `limit` bytes.
    ///
    /// - Returns: true when more may be waiting.
    func drain(into output: inout ByteBuffer, upTo limit: Int, now: UInt64) -> Bool {
        guard let session else { return false }
        self.now = now
        state.pointee.isTrimmed = false
        returnConnectionCredit()
        var hasMore = true
        var frame = UnsafeRawBufferPointer(start: nil, count: 0)
        while hasMore, output.readableBytes < limit {
            let room = min(limit - output.readableBytes, 16 * 1024)
            // One access to the buffer for many frames.
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: max(frame.count, 1024)) { memory in
                memory.copyMemory(from: frame)
                var written = frame.count
                frame = UnsafeRawBufferPointer(start: nil, count: 0)
                while written < room {
                    frame = nextFrame(session)
                    guard frame.count > 0 else {
                        hasMore = false
                        break
                    }
                    guard frame.count <= memory.count - written else { break }
                    UnsafeMutableRawBufferPointer(rebasing: memory[written...]).copyMemory(from: frame)
                    written += frame.count
                    frame = UnsafeRawBufferPointer(start: nil, count: 0)
                }
                return written
            }
        }
        if frame.count > 0 { output.writeBytes(frame) }
        checkBudgets()
        return hasMore
    }

    /// The next bytes to send, empty when there are none; valid until the next call.
    private func nextFrame(_ session: OpaquePointer) -> UnsafeRawBufferPointer {
        var data: UnsafePointer<UInt8>?
        let count = nghttp2_session_mem_send(session, &data)
        if count < 0, failure == nil { fail(Int32(truncatingIfNeeded: count)) }
        return UnsafeRawBufferPointer(start: data, count: max(0, count))
    }

    /// False when the session is over: nothing to read any more and nothing to write.
    var isAlive: Bool {
        guard let session, failure == nil else { return false }
        return nghttp2_session_want_read(session) != 0 || nghttp2_session_want_write(session) != 0
    }

    // MARK: Streams

    /// A stream object with a reference for the list that it is put into.
    func makeStream() -> Unmanaged<HTTP2Stream> {
        state.pointee.spareStreams.popLast() ?? .passRetained(HTTP2Stream())
    }

    func register(_ stream: Unmanaged<HTTP2Stream>) {
        let index = state.pointee.openStreams.count
        stream._withUnsafeGuaranteedRef { $0.index = index }
        state.pointee.openStreams.append(stream)
    }

    func unregister(_ stream: HTTP2Stream) {
        let index = stream.index
        guard index >= 0, index < state.pointee.openStreams.count else { return }
        let removed = state.pointee.openStreams[index]
        let last = state.pointee.openStreams.removeLast()
        if index < state.pointee.openStreams.count {
            state.pointee.openStreams[index] = last
            last._withUnsafeGuaranteedRef { $0.index = index }
        }
        stream.index = -1
        state.pointee.closedStreams.append(removed)
    }

    /// Takes back the streams whose `closed` events were handled.
    func recycleClosed() {
        while let stream = state.pointee.closedStreams.popLast() {
            stream._withUnsafeGuaranteedRef { $0.reset() }
            if state.pointee.spareStreams.count < 128 {
                state.pointee.spareStreams.append(stream)
            } else {
                discard(stream)
            }
        }
    }

    /// Lets go of a stream for good. What is attached may hold the stream in turn.
    private func discard(_ stream: Unmanaged<HTTP2Stream>) {
        stream._withUnsafeGuaranteedRef {
            $0.detachOwner()
            $0.spareOwner = nil
        }
        stream.release()
    }

    /// Takes back the memory of a received head that nobody else holds.
    func reuse(_ storage: FieldStorage) { state.pointee.assembler.reuse(storage) }

    /// An idle connection holds no memory for streams to come. Costs nothing when nothing has happened since.
    func trim() {
        guard !state.pointee.isTrimmed else { return }
        state.pointee.isTrimmed = true
        while let stream = state.pointee.spareStreams.popLast() { discard(stream) }
        state.pointee.spareStreams = []
        if state.pointee.openStreams.isEmpty { state.pointee.openStreams = [] }
        if state.pointee.closedStreams.isEmpty { state.pointee.closedStreams = [] }
        if state.pointee.events.isEmpty { state.pointee.events = [] }
        state.pointee.headPairs.deallocate()
        state.pointee.trailerPairs.deallocate()
        state.pointee.assembler.trim()
        memory.trim()
        if let session, nghttp2_session_want_write(session) == 0 { memory.releasePages() }
    }

    /// The connection is gone: forgets all streams. Nothing must be fed or ordered any more.
    func abandonStreams() {
        if let session { nghttp2_session_del(session) }
        session = nil
        state.pointee.recentStream = (0, nil)
        while let stream = state.pointee.openStreams.popLast() { discard(stream) }
        recycleClosed()
        state.pointee.isTrimmed = false
        trim()
    }

    // MARK: Failure

    private func checkBudgets() {
        guard let session, failure == nil else { return }
        if nghttp2_session_get_outbound_queue_size(session) > limits.queuedFrames {
            state.pointee.budgets.didQueueTooManyFrames(limit: limits.queuedFrames)
        }
        guard let (limit, value) = state.pointee.budgets.exhausted else { return }
        terminate(.enhanceYourCalm, limit: limit, reason: "more than HTTPLimits.\(limit) = \(value)")
    }

    private func fail(_ code: Int32) {
        let text = String(cString: nghttp2_strerror(code))
        let (error, limit) = ErrorTranslation.connectionError(code)
        terminate(error, limit: limit, reason: "HTTP/2: \(text) (nghttp2 \(code))")
    }

    /// Ends the session with GOAWAY; the owner drains once more and closes.
    func terminate(_ code: HTTP2ErrorCode, limit: String? = nil, reason: String) {
        guard let session, failure == nil else { return }
        failure = reason
        failedLimit = limit
        nghttp2_session_terminate_session(session, code.rawValue)
    }

    /// nghttp2 ends the session of a peer that breaks the protocol by itself; the reason stands in its GOAWAY.
    func didSendGoAway(_ code: HTTP2ErrorCode, _ reason: UnsafeRawBufferPointer) {
        guard code != .noError, failure == nil else { return }
        let text = String(decoding: reason, as: UTF8.self)
        failure = "HTTP/2: \(code) \(text)"
        if text.contains("max concurrent streams") { failedLimit = "concurrentStreams" }
    }

    func markGoingAway() { isGoingAway = true }
}
