/// Strict incremental HTTP/1.1 parser over a buffer that the caller owns: it looks at the unread bytes and
/// says what it found and how many of them are done with. Feeding byte by byte gives the same events as
/// feeding all at once.
///
///     startLine -> fields -+-> length ---------------------------+-> complete
///         ^                +-> untilClose (responses)            |      |
///         |                +-> chunkSize -> chunkData -> chunkEnd|      |
///         |                        ^  |                     |    |      |
///         |                        |  +-- 0 --> trailers ---|----+      |
///         |                        +------------------------+           |
///         +------------------------- next message ----------------------+
///
/// Strict means (rules O1-O6, CVE row HTTP/1.1): lines end in CRLF and nothing else, no folding, no space
/// before the colon, exactly one Host, Transfer-Encoding is `chunked` or an error, never with Content-Length,
/// sizes are plain digits of bounded length. Sources: RFC 9112, RFC 9110.
struct HTTP1Parser {
    enum Kind { case request, response }

    private enum State: Equatable {
        case startLine, fields
        case length(UInt64)
        case untilClose
        case chunkSize
        case chunkData(UInt64)
        case chunkEnd
        case trailers
        case complete
    }

    let kind: Kind
    let limits: HTTPLimits
    private var state = State.startLine
    private var scanner = HTTP1LineScanner()
    private var head: HTTP1HeadParser
    private var skippedEmptyLine = false
    /// Of the chunks of this body.
    private var extensionByteCount = 0
    /// Responses: the request was HEAD, so no body follows whatever the fields say.
    var answersHEAD = false

    init(_ kind: Kind, limits: HTTPLimits, scheme: URIScheme = .http) {
        self.kind = kind
        self.limits = limits
        head = HTTP1HeadParser(limits: limits, scheme: scheme)
    }

    /// True between messages: nothing of the next one has been seen.
    var isAtMessageStart: Bool { state == .startLine && !skippedEmptyLine }
    /// True while a body is being received.
    var isInBody: Bool { state != .startLine && state != .fields && state != .complete }
    /// End of input now is the proper end of the message.
    var endsAtClose: Bool { state == .untilClose }

    /// Finds the next event in `input`, all unread bytes.
    ///
    /// - Parameter consumed: how many bytes from the start of `input` are done with, also when nil is
    ///   returned.
    /// - Returns: nil when more bytes are needed or the message is complete (see ``startNextMessage()``).
    mutating func next(_ input: UnsafeRawBufferPointer, consumed: inout Int) throws(HTTP1Error) -> HTTP1Event?
    {
        consumed = 0
        while true {
            switch state {
            case .startLine, .fields, .trailers:
                guard let line = try line(in: input, from: consumed) else { return nil }
                consumed = line.upperBound + 2
                if let event = try take(UnsafeRawBufferPointer(rebasing: input[line])) { return event }
            case .length(let remaining):
                if remaining == 0 { return complete() }
                return piece(of: remaining, in: input, &consumed) { .length($0) }
            case .untilClose:
                return piece(of: .max, in: input, &consumed) { _ in .untilClose }
            case .chunkSize:
                guard let line = try line(in: input, from: consumed) else { return nil }
                consumed = line.upperBound + 2
                let size = try HTTP1Chunk.size(UnsafeRawBufferPointer(rebasing: input[line]), limits)
                try countExtension(line.count)
                state = size == 0 ? .trailers : .chunkData(size)
                if size == 0 { head.begin() }
            case .chunkData(let remaining):
                return piece(of: remaining, in: input, &consumed) { $0 == 0 ? .chunkEnd : .chunkData($0) }
            case .chunkEnd:
                guard input.count - consumed >= 2 else { return nil }
                guard input[consumed] == ASCII.carriageReturn, input[consumed + 1] == ASCII.lineFeed else {
                    throw .bad("chunk data is not followed by CRLF")
                }
                consumed += 2
                state = .chunkSize
            case .complete:
                return nil
            }
        }
    }

    /// Goes on to the next message on the connection.
    mutating func startNextMessage() {
        state = .startLine
        skippedEmptyLine = false
        extensionByteCount = 0
        scanner.reset()
    }

    // MARK: Lines

    private func lineLimit() -> Int {
        switch state {
        case .startLine: limits.requestLineByteCount
        case .chunkSize: limits.chunkExtensionByteCount + 16
        default: limits.headerListByteCount
        }
    }

    private mutating func line(
        in input: UnsafeRawBufferPointer, from start: Int
    ) throws(HTTP1Error) -> Range<Int>? {
        switch scanner.line(in: input, from: start, limit: lineLimit()) {
        case .line(let range): return range
        case .incomplete: return nil
        case .bareLineFeed: throw .bad("line ends in LF without CR")
        case .tooLong:
            switch state {
            case .startLine:
                throw .over("requestLineByteCount", limits.requestLineByteCount, status: 414, "request line")
            case .chunkSize:
                throw .over("chunkExtensionByteCount", limits.chunkExtensionByteCount, status: 400, "chunk extension")
            default: throw .headerTooLarge("headerListByteCount", limits.headerListByteCount)
            }
        }
    }

    /// Many chunks of one byte with an extension each would make this parser read hundreds of bytes for one of payload
    /// (CVE-2023-39326). Size digits alone are free.
    private mutating func countExtension(_ lineByteCount: Int) throws(HTTP1Error) {
        extensionByteCount += max(lineByteCount - 8, 0)
        guard extensionByteCount <= limits.headerListByteCount else {
            throw .over("headerListByteCount", limits.headerListByteCount, status: 400, "chunk extensions of one body")
        }
    }

    private mutating func take(_ line: UnsafeRawBufferPointer) throws(HTTP1Error) -> HTTP1Event? {
        switch state {
        case .startLine:
            // One empty line before a request is ignored (RFC 9112 section 2.2): old clients send it after a
            // body.
            if line.isEmpty, kind == .request, !skippedEmptyLine {
                skippedEmptyLine = true
                return nil
            }
            head.begin()
            if kind == .request { try head.takeRequestLine(line) } else { try head.takeStatusLine(line) }
            state = .fields
        case .fields:
            guard line.isEmpty else {
                try head.takeField(line)
                return nil
            }
            return try finishHead()
        case .trailers:
            // Trailers are checked like fields and dropped: nothing here may use them.
            guard line.isEmpty else {
                try head.takeField(line)
                return nil
            }
            return complete()
        default: break
        }
        return nil
    }

    private mutating func finishHead() throws(HTTP1Error) -> HTTP1Event? {
        if kind == .response, head.isInterim {
            guard !head.isSwitchingProtocols else { throw .bad("101 was not asked for") }
            state = .startLine
            return nil
        }
        let finished = try kind == .request ? head.request() : head.response(answersHEAD: answersHEAD)
        switch finished.bodyLength {
        case .none: state = .length(0)
        case .bytes(let count): state = .length(count)
        case .chunked: state = .chunkSize
        case .untilClose: state = .untilClose
        }
        return .head(finished)
    }

    private mutating func complete() -> HTTP1Event {
        state = .complete
        return .end
    }

    // MARK: Body

    private mutating func piece(
        of remaining: UInt64, in input: UnsafeRawBufferPointer, _ consumed: inout Int,
        then next: (UInt64) -> State
    ) -> HTTP1Event? {
        let available = input.count - consumed
        guard available > 0 else { return nil }
        let count = remaining < UInt64(available) ? Int(remaining) : available
        let range = consumed..<(consumed + count)
        consumed += count
        state = next(remaining - UInt64(count))
        return .body(range)
    }
}
