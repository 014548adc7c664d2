/// Start line and fields of one HTTP/1.1 message: collects lines, then decides what they mean.
struct HTTP1HeadParser {
    private let limits: HTTPLimits
    private var builder: FieldBlockBuilder
    private var loweredName: [UInt8] = []

    private var version = HTTPVersion.http1_1
    private var method = HTTPMethod.get
    private var path = StoredRange(offset: 0, count: 0)
    private var targetAuthority: StoredRange?
    private var status = 0
    /// What the transport is: the scheme of every request that does not name one, and the only one it may name.
    private let transportScheme: URIScheme

    init(limits: HTTPLimits, scheme: URIScheme = .http) {
        self.limits = limits
        transportScheme = scheme
        builder = FieldBlockBuilder(limits: limits)
    }

    var isInterim: Bool { status >= 100 && status < 200 }
    var isSwitchingProtocols: Bool { status == 101 }

    mutating func begin() {
        builder.reset()
        targetAuthority = nil
        status = 0
    }

    // MARK: Start lines

    /// `method SP target SP HTTP/1.x`, single spaces.
    mutating func takeRequestLine(_ line: UnsafeRawBufferPointer) throws(HTTP1Error) {
        guard let first = line.firstIndex(of: ASCII.space), let last = line.lastIndex(of: ASCII.space),
            first < last
        else { throw .bad("request line is not: method, target, version") }
        version = try Self.version(UnsafeRawBufferPointer(rebasing: line[(last + 1)...]))
        guard let method = HTTPMethod(bytes: UnsafeRawBufferPointer(rebasing: line[..<first])) else {
            throw .bad("method is not a token")
        }
        self.method = method
        try takeTarget(UnsafeRawBufferPointer(rebasing: line[(first + 1)..<last]))
    }

    private mutating func takeTarget(_ target: UnsafeRawBufferPointer) throws(HTTP1Error) {
        if RequestRules.isPath(target, method) {
            path = builder.store(target)
            return
        }
        // absolute-form, as sent to proxies: a server must accept it too (RFC 9112 section 3.2.2).
        let start: StaticString = transportScheme == .https ? "https://" : "http://"
        let startCount = start.utf8CodeUnitCount
        guard target.count > startCount,
            UnsafeRawBufferPointer(rebasing: target[..<startCount]).elementsAreIgnoringCase(start)
        else {
            throw .bad("request target is neither a path nor a URI with the scheme \(transportScheme.description)")
        }
        let rest = UnsafeRawBufferPointer(rebasing: target[startCount...])
        let slash = rest.firstIndex(of: ASCII.slash) ?? rest.count
        let authority = UnsafeRawBufferPointer(rebasing: rest[..<slash])
        let pathBytes = UnsafeRawBufferPointer(rebasing: rest[slash...])
        guard !authority.isEmpty, Self.isAuthority(authority), RequestRules.isPath(pathBytes, method) else {
            throw .bad("request target is not a valid URI")
        }
        targetAuthority = builder.store(authority)
        path = builder.store(pathBytes)
    }

    /// `HTTP/1.x SP status [SP reason]`.
    mutating func takeStatusLine(_ line: UnsafeRawBufferPointer) throws(HTTP1Error) {
        guard line.count >= 12, line[8] == ASCII.space, line.count == 12 || line[12] == ASCII.space else {
            throw .bad("status line is not: version, status, reason")
        }
        version = try Self.version(UnsafeRawBufferPointer(rebasing: line[..<8]))
        let digits = line[9..<12]
        guard digits.allSatisfy(ASCII.isDigit), line.allSatisfy(ASCII.isFieldValue) else {
            throw .bad("status is not three digits")
        }
        status = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        guard (100...599).contains(status) else { throw .bad("status is outside 100...599") }
    }

    private static func version(_ text: UnsafeRawBufferPointer) throws(HTTP1Error) -> HTTPVersion {
        if text.elementsAre("HTTP/1.1") { return .http1_1 }
        if text.elementsAre("HTTP/1.0") { return .http1_0 }
        let isVersion =
            text.count == 8 && UnsafeRawBufferPointer(rebasing: text[..<5]).elementsAre("HTTP/")
            && ASCII.isDigit(text[5]) && text[6] == 0x2E && ASCII.isDigit(text[7])
        guard isVersion else { throw .bad("HTTP version is malformed") }
        // A minor version above 1 is still HTTP/1: understood as 1.1 (RFC 9110 section 2.5).
        if text[5] == 0x31 { return .http1_1 }
        throw HTTP1Error(status: 505, description: "HTTP version is not supported")
    }

    // MARK: Fields

    mutating func takeField(_ line: UnsafeRawBufferPointer) throws(HTTP1Error) {
        guard let colon = line.firstIndex(of: ASCII.colon), colon > 0 else {
            throw .bad("header line has no name (folded lines are refused)")
        }
        let value = UnsafeRawBufferPointer(rebasing: line[(colon + 1)...]).withoutOuterWhitespace
        loweredName.removeAll(keepingCapacity: true)
        for byte in line[..<colon] {
            guard ASCII.isToken(byte) else { throw .bad("header name is not a token") }
            loweredName.append(ASCII.lowercased(byte))
        }
        for byte in value where !ASCII.isFieldValue(byte) { throw .bad("control byte in a header value") }
        if let overflow = builder.admit(nameCount: colon, valueCount: value.count) {
            let name = overflow.limitName
            throw .headerTooLarge(name, limits.value(of: name) ?? 0)
        }
        _ = loweredName.withUnsafeBytes { builder.append(FieldToken.recognise($0), name: $0, value: value) }
    }

    // MARK: Meaning

    mutating func request() throws(HTTP1Error) -> HTTP1Head {
        let storage = builder.takeStorage()
        let fields = HTTPFields(storage: storage)
        let authority = try requestAuthority(fields, storage)
        let length = try bodyLength(fields)
        var expectsContinue = false
        if let isContinue = fields.withFirst(.expect, { $0.elementsAreIgnoringCase("100-continue") }) {
            guard isContinue else { throw HTTP1Error(status: 417, description: "unknown expectation") }
            expectsContinue = version == .http1_1 && length != .none && length != .bytes(0)
        }
        let target = RequestTarget(
            storage: storage, scheme: transportScheme, path: path, authority: authority)
        return HTTP1Head(
            start: .request(HTTPRequestHead(method: method, target: target, fields: fields)),
            version: version, keepsAlive: keepsAlive(fields), expectsContinue: expectsContinue,
            bodyLength: length)
    }

    mutating func response(answersHEAD: Bool) throws(HTTP1Error) -> HTTP1Head {
        let fields = HTTPFields(storage: builder.takeStorage())
        var length = try bodyLength(fields)
        if answersHEAD || status == 204 || status == 304 {
            length = .none
        } else if length == .none {
            length = .untilClose
        }
        return HTTP1Head(
            start: .response(HTTPResponseHead(status: status, fields: fields)), version: version,
            keepsAlive: keepsAlive(fields) && length != .untilClose, expectsContinue: false,
            bodyLength: length)
    }

    /// Exactly one Host in HTTP/1.1, at most one in 1.0, and the same as in an absolute target.
    private func requestAuthority(_ fields: HTTPFields, _ storage: FieldStorage) throws(HTTP1Error)
        -> StoredRange?
    {
        let hosts = fields.count(of: .host)
        guard hosts <= 1, hosts == 1 || version == .http1_0 else {
            throw .bad("a request needs exactly one Host")
        }
        let host = HeadAssembler.range(of: .host, in: storage)
        if let host {
            let bytes = storage.bytes(offset: host.offset, count: host.count)
            guard Self.isAuthority(bytes) else { throw .bad("Host is not a host and port") }
            if let targetAuthority {
                let other = storage.bytes(offset: targetAuthority.offset, count: targetAuthority.count)
                guard bytes.elementsAre(other) else { throw .bad("Host differs from the request target") }
            }
        }
        return targetAuthority ?? host
    }

    /// Rule O1.
    private func bodyLength(_ fields: HTTPFields) throws(HTTP1Error) -> HTTP1BodyLength {
        let lengths = fields.count(of: .contentLength)
        let codings = fields.count(of: .transferEncoding)
        if codings > 0 {
            guard lengths == 0 else { throw .bad("Transfer-Encoding together with Content-Length") }
            guard version == .http1_1 else { throw .bad("Transfer-Encoding in HTTP/1.0") }
            let isChunked = fields.withFirst(.transferEncoding) { $0.elementsAreIgnoringCase("chunked") }
            guard codings == 1, isChunked == true else {
                throw .bad("Transfer-Encoding is not exactly: chunked")
            }
            return .chunked
        }
        guard lengths > 0 else { return .none }
        guard lengths == 1 else { throw .bad("more than one Content-Length") }
        guard let count = fields.withFirst(.contentLength, Self.decimal) ?? nil else {
            throw .bad("Content-Length is not a plain number")
        }
        return .bytes(count)
    }

    private func keepsAlive(_ fields: HTTPFields) -> Bool {
        var close = false
        var keepAlive = false
        fields.forEachEntry { token, _, value in
            guard token == .connection else { return }
            for part in value.split(separator: 0x2C) {
                let option = UnsafeRawBufferPointer(rebasing: part).withoutOuterWhitespace
                if option.elementsAreIgnoringCase("close") { close = true }
                if option.elementsAreIgnoringCase("keep-alive") { keepAlive = true }
            }
        }
        return !close && (version == .http1_1 || keepAlive)
    }

    /// 1 to 18 digits: always fits, no sign, no space.
    private static func decimal(_ text: UnsafeRawBufferPointer) -> UInt64? {
        guard !text.isEmpty, text.count <= 18, text.allSatisfy(ASCII.isDigit) else { return nil }
        return text.reduce(0) { $0 * 10 + UInt64($1 - 0x30) }
    }

    /// Characters that a host, a port or an IP literal can have; no user information.
    private static func isAuthority(_ text: UnsafeRawBufferPointer) -> Bool {
        text.allSatisfy { byte in
            if ASCII.isDigit(byte) || ASCII.lowercased(byte) >= 0x61 && ASCII.lowercased(byte) <= 0x7A {
                return true
            }
            switch byte {
            case 0x2D, 0x2E, 0x3A, 0x5B, 0x5D, 0x5F, 0x7E, 0x25: return true
            default: return false
            }
        }
    }
}
