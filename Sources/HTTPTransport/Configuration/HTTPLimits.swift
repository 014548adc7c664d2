/// Every limit of a connection, with its default. An error or log line that a limit causes names the
/// property.
///
/// A limit of 0 means 0, not "unlimited"; where "no limit" is allowed the type is optional and `nil` says so.
public struct HTTPLimits: Sendable {
    /// Header block or trailer block: name + value + 32 for every field. Default 8 KiB.
    /// Over it: HTTP/2 resets the stream (ENHANCE_YOUR_CALM), HTTP/1.1 answers 431.
    public var headerListByteCount = 8 * 1024
    /// Number of fields in one block. Default 100.
    public var headerFieldCount = 100
    /// Fields of header blocks that one HTTP/2 connection may send per second: bounds what decompressing them costs.
    /// Default 4,000,000: 250,000 requests of 16 fields, more than one loop can answer. Over it: GOAWAY. Blocks that
    /// are refused are bounded by ``sentResets``.
    public var headerFieldsPerSecond = 4_000_000
    /// Longest HTTP/1.1 request line. Default 8 KiB. Over it: 414.
    public var requestLineByteCount = 8 * 1024
    /// Longest body of one message, either direction received. Default `nil`: RPC limits single messages
    /// instead.
    public var bodyByteCount: Int?
    /// Open HTTP/2 streams of one connection, and handlers that may run for it. Default 128.
    /// A stream that was reset keeps its place until its handler has returned (rapid reset).
    public var concurrentStreams = 128
    /// Handlers that may run in the whole server. Default 8,192. Over it: REFUSED_STREAM, or 503 on HTTP/1.1.
    public var runningHandlers = 8_192
    /// Open connections of the whole server. Default 10,000. Over it: closed at once.
    public var connections = 10_000
    /// Open connections of one remote address. Default 256; `nil` for none (behind a proxy or load balancer).
    public var connectionsPerAddress: Int? = 256
    /// HTTP/2 flow-control window of one stream, bytes. Default 256 KiB.
    public var streamWindowByteCount = 256 * 1024
    /// HTTP/2 flow-control window of the connection, bytes. Default 4 MiB.
    public var connectionWindowByteCount = 4 * 1024 * 1024
    /// Body bytes that an HTTP/1.1 connection buffers before it stops reading the socket. Default 64 KiB.
    public var unreadBodyByteCount = 64 * 1024
    /// Response bytes of one exchange that may wait before `send` suspends. Default 64 KiB.
    public var unsentBodyByteCount = 64 * 1024
    /// Response bytes of all streams of one HTTP/2 connection that may wait. Default 16 MiB. Over it new requests are
    /// refused (REFUSED_STREAM, safe to retry), so a connection holds at most this and one answer for each running
    /// handler.
    public var unsentConnectionByteCount = 16 * 1024 * 1024
    /// Request body that is read and dropped after an early reply. Default 64 KiB. More closes an HTTP/1.1 connection
    /// (rule O2). An HTTP/2 stream whose content-length is more, or is not known, is reset (NO_ERROR, rule H2b).
    public var drainedBodyByteCount = 64 * 1024
    /// One HTTP/1.1 chunk extension. Default 256. All extensions of one body may have ``headerListByteCount``.
    public var chunkExtensionByteCount = 256

    /// Bytes by which request messages of one connection may grow in a second when they are decompressed. Default 128
    /// MiB: a fraction of a core. Over it a message is refused (RESOURCE_EXHAUSTED).
    public var inflatedBytesPerSecond = 128 * 1024 * 1024

    /// RST_STREAM frames that this side had to send because of the peer, per ``budgetSeconds``. Default 200.
    public var sentResets = 200
    /// Received RST_STREAM frames: burst. Default 200; refilled by ``receivedResetsPerSecond``.
    public var receivedResetBurst = 200
    public var receivedResetsPerSecond = 33
    /// PING, SETTINGS, PRIORITY and unknown frames per ``budgetSeconds``. Default 200. One PING for every
    /// HEADERS or DATA frame that was sent is free: clients measure bandwidth with them.
    public var controlFrames = 200
    /// WINDOW_UPDATE frames per ``budgetSeconds`` beyond two for every HEADERS or DATA frame that was sent.
    /// Default 10,000.
    public var windowUpdates = 10_000
    /// DATA frames without payload and without END_STREAM per ``budgetSeconds``. Default 100.
    public var emptyDataFrames = 100
    /// Frames waiting to be sent in one HTTP/2 session. Default 2,000.
    public var queuedFrames = 2_000
    /// Window of the frame budgets above, seconds. Default 30.
    public var budgetSeconds = 30
    /// CONTINUATION frames of one header block. Default 8.
    public var continuationFrames = 8
    /// Entries of one SETTINGS frame. Default 32.
    public var settingsEntries = 32

    public init() {}
}
