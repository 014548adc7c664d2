import NIOCore

/// One HTTP/2 stream as the engine sees it. Confined to the thread that drives the engine; reused after
/// ``HTTP2Engine/recycleClosed()``.
///
///     open ----------- END_STREAM received: remoteEnded ----+
///       |                                                   +--> both: closed
///       +------------- END_STREAM sent: localEnded ---------+
///       +------------- RST_STREAM either way, GOAWAY ----------> closed
final class HTTP2Stream {
    /// Odd numbers: all streams are opened by the client.
    private(set) var id: Int32 = 0
    /// Place in the engine's table of open streams.
    var index = -1

    // Received.
    var requestHead: HTTPRequestHead?
    var responseHead: HTTPResponseHead?
    var trailers: HTTPFields?
    var remoteEnded = false
    /// Body bytes that are still to come; nil when the head does not say how many there are.
    var awaitedByteCount: Int?
    /// Why what was received is refused: nothing more of this stream is reported.
    var rejection: HTTP2ErrorCode?
    var isRejected: Bool { rejection != nil }
    var hasHead = false

    // To be sent. The fields stay here until the stream closes: nghttp2 reads them in place (NO_COPY).
    /// Behind a pointer, as ``HTTP2Engine/state``: no run-time exclusivity checks.
    private let queue: UnsafeMutablePointer<BodyQueue>
    var outbound: BodyQueue {
        _read { yield queue.pointee }
        _modify { yield &queue.pointee }
    }
    var outboundEnded = false
    var headFields: HTTPFields?
    var trailerFields: HTTPFields?
    /// Which those are (``HTTPFields/identity``).
    var trailerIdentity: ObjectIdentifier?
    var isHeadSubmitted = false
    /// nghttp2 asked for body bytes when there were none; it must be told when there are.
    var isDeferred = false
    var localEnded = false
    /// Server: the request says how long its body is, and that is short enough to be read and dropped.
    var isKnownToBeShort = false
    /// Server: the answer is complete, the request is not; its rest is dropped (rule H2b).
    var isUnwanted = false
    /// When that was seen first; 0 before.
    var unwantedSince: UInt64 = 0
    /// Server: the call's time is over; the stream shall not wait long for the peer to take the rest of the answer.
    var overdue: StallWatch?
    /// This side chose to reset: not the peer's doing, does not count against the peer.
    var isResetByApplication = false
    /// The request never left (GOAWAY came first): safe to retry.
    var wasNeverSent = false
    var sentByteCount = 0
    /// Client: the request's HEADERS have been handed to the socket.
    var isHeadSent = false
    /// Client: which answers the request may have.
    var question = ResponseRules.Question.usual

    var isClosed = false
    /// Report `drained` when bytes leave the queue: somebody waits for room.
    var wantsDrainEvents = false
    /// What the user of the engine attaches.
    private(set) var owner: AnyObject?
    /// The same, to be looked at without counting references.
    private(set) var uncountedOwner: Unmanaged<AnyObject>?
    /// What the user of the engine wants to use again with the next stream that this object becomes.
    var spareOwner: AnyObject?

    init() {
        queue = .allocate(capacity: 1)
        queue.initialize(to: BodyQueue())
    }

    deinit {
        queue.pointee.deallocate()
        queue.deinitialize(count: 1)
        queue.deallocate()
    }

    func open(id: Int32) { self.id = id }

    /// Counts received body bytes; false when there was no head, or it has said that there are fewer.
    func mayReceive(_ count: Int) -> Bool {
        guard hasHead else { return false }
        guard let awaited = awaitedByteCount else { return true }
        awaitedByteCount = awaited - min(count, awaited)
        return count <= awaited
    }

    func attach(_ owner: AnyObject) {
        uncountedOwner = .passUnretained(owner)
        self.owner = owner
    }

    func detachOwner() {
        uncountedOwner = nil
        owner = nil
    }

    /// Whether nobody else holds the owner.
    var holdsOwnerAlone: Bool { isKnownUniquelyReferenced(&owner) }

    /// The owner is for the next stream now.
    func keepOwner() {
        uncountedOwner = nil
        swap(&owner, &spareOwner)
    }

    /// Back to the state of a new object.
    func reset() {
        id = 0
        index = -1
        requestHead = nil
        responseHead = nil
        trailers = nil
        remoteEnded = false
        awaitedByteCount = nil
        rejection = nil
        hasHead = false
        outbound.recycle()
        outboundEnded = false
        headFields = nil
        trailerFields = nil
        trailerIdentity = nil
        isHeadSubmitted = false
        isDeferred = false
        localEnded = false
        isKnownToBeShort = false
        isUnwanted = false
        unwantedSince = 0
        overdue = nil
        isResetByApplication = false
        wasNeverSent = false
        sentByteCount = 0
        isHeadSent = false
        question = .usual
        wantsDrainEvents = false
        isClosed = false
        detachOwner()
    }
}

/// What the engine has to report, in wire order.
///
/// Events refer to streams without counting references: the engine keeps every stream until
/// ``HTTP2Engine/recycleClosed()``, which is called when all taken events have been handled.
enum HTTP2Event {
    typealias Reference = Unmanaged<HTTP2Stream>

    /// `requestHead` (server) or `responseHead` (client) is set.
    case head(Reference)
    /// Body bytes: a range of the input that was just fed. Must be consumed sooner or later.
    case data(Reference, offset: Int, count: Int)
    /// END_STREAM was received; `trailers` is set when there were any.
    case end(Reference)
    /// The stream is over. Last event of a stream.
    case closed(Reference, HTTP2ErrorCode)
    /// Bytes of this stream left its queue.
    case drained(Reference)
    case goAway(lastStreamID: Int32, HTTP2ErrorCode)
    /// The peer has seen the GOAWAY of ``HTTP2Engine/submitShutdownNotice()``.
    case noticeAcknowledged
    case settings
}
