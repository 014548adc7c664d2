/// Turns the fields of one header block into a head or into trailers, and checks what nghttp2 does not: of requests
/// everything (``RequestRules``).
///
/// Header blocks never interleave on a connection (RFC 9113 section 4.3), so one assembler serves all
/// streams.
struct HeadAssembler {
    enum Block { case request, requestTrailers, response }

    private var builder: FieldBlockBuilder
    private var block = Block.request
    /// Some field of the present block breaks a rule.
    private var isBroken = false
    /// Pseudo fields that the present block has had, a bit for each kind.
    private var seenPseudo: UInt8 = 0
    private var template = HeadTemplate()
    private var method: HTTPMethod?
    private var scheme: URIScheme?
    private var path: StoredRange?
    private var authority: StoredRange?
    private(set) var status = 0
    /// Of the body of the request that was taken last; nil when its head does not say it.
    private(set) var contentLength: Int?

    init(limits: HTTPLimits) { builder = FieldBlockBuilder(limits: limits) }

    mutating func begin(_ block: Block) {
        self.block = block
        isBroken = false
        seenPseudo = 0
        builder.reset()
        template.begin(isRequest: block == .request)
        method = nil
        scheme = nil
        path = nil
        authority = nil
        status = 0
    }

    var fieldCount: Int { template.isFollowed ? template.position : builder.fieldCount }

    /// Whether the next field is the last request's: then it is done with. It is within the limits, too.
    @inline(__always)
    mutating func repeats(
        _ name: UnsafePointer<UInt8>, _ nameCount: Int, _ value: UnsafePointer<UInt8>, _ valueCount: Int
    ) -> Bool {
        template.isFollowed && template.matches(name, nameCount, value, valueCount)
    }

    /// Adds a field that the last request has not had in this place (``repeats(_:_:_:_:)``).
    ///
    /// - Returns: the limit of ``HTTPLimits`` that is passed; nil when none is.
    mutating func add(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> FieldBlockBuilder.Overflow? {
        if template.isFollowed { leaveTemplate() }
        if let overflow = builder.admit(nameCount: name.count, valueCount: value.count) { return overflow }
        guard name.first == ASCII.colon else {
            guard block == .response || RequestRules.isField(name, value) else {
                isBroken = true
                return nil
            }
            let added = builder.append(name: name, value: value)
            let known = added.token == .other ? nil : added.token.bytes
            template.record(
                .field, name: known, nameCount: name.count, added.range, in: builder.storage,
                listByteCount: builder.listByteCount)
            return nil
        }
        if block == .response {
            if name.elementsAre(":status") { status = value.reduce(0) { $0 * 10 + Int($1 &- 0x30) } }
        } else if !addPseudo(name, value) {
            isBroken = true
        }
        return nil
    }

    /// - Returns: false when a request may not have that pseudo field, or not in that place.
    private mutating func addPseudo(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
        let hasFields = builder.storage.map { $0.entryCount > 0 } ?? false
        guard block == .request, !hasFields else { return false }
        if name.elementsAre(":path") {
            guard isFirst(.path) else { return false }
            path = store(.path, ":path", value)
        } else if name.elementsAre(":method") {
            guard isFirst(.method) else { return false }
            method = HTTPMethod(bytes: value)
            _ = store(.method, ":method", value)
        } else if name.elementsAre(":scheme") {
            guard isFirst(.scheme) else { return false }
            scheme = URIScheme(bytes: value)
            _ = store(.scheme, ":scheme", value)
        } else if name.elementsAre(":authority") {
            guard isFirst(.authority), RequestRules.isAuthority(value) else { return false }
            authority = store(.authority, ":authority", value)
        } else {
            return false
        }
        return true
    }

    private mutating func isFirst(_ kind: HeadTemplate.Kind) -> Bool {
        let bit: UInt8 = 1 &<< kind.rawValue
        defer { seenPseudo |= bit }
        return seenPseudo & bit == 0
    }

    private mutating func store(
        _ kind: HeadTemplate.Kind, _ name: StaticString, _ value: UnsafeRawBufferPointer
    ) -> StoredRange {
        let range = builder.store(value)
        let name = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        template.record(
            kind, name: name, nameCount: name.count, range, in: builder.storage, listByteCount: builder.listByteCount)
        return range
    }

    /// The block goes on differently from the last request's: what was the same so far becomes this one's own.
    private mutating func leaveTemplate() {
        guard var last = template.leave() else { return }
        for piece in template.pieces {
            seenPseudo |= 1 &<< piece.kind.rawValue
            switch piece.kind {
            case .field: break
            case .method: method = last.method
            case .scheme: scheme = last.target.scheme
            case .path: path = piece.range
            case .authority: authority = piece.range
            }
        }
        if let end = template.pieces.last, let storage = last.fields.storage {
            builder.adopt(storage, entryCount: Int(end.entryCount), byteCount: Int(end.byteCount))
            builder.didAdmit(fieldCount: template.pieces.count, listByteCount: end.listByteCount)
        }
        if let storage = last.takeStorage() { builder.reuse(storage) }
    }

    /// The request, or nil when it breaks ``RequestRules`` or rule M1 or M9: the path must start with `/` (`*` only for
    /// OPTIONS), the scheme must be the transport's, and `host` must say what `:authority` says.
    mutating func takeRequest(_ schemes: SchemeRule) -> HTTPRequestHead? {
        if template.isFollowed {
            if template.isWholeHead {
                contentLength = template.contentLength
                return template.repeatedHead
            }
            leaveTemplate()
        }
        guard let head = buildRequest(schemes), readLength(head.fields) else { return nil }
        template.keep(head, contentLength: contentLength)
        return head
    }

    /// - Returns: false for what is no length, or more than one.
    private mutating func readLength(_ fields: HTTPFields) -> Bool {
        contentLength = fields.withFirst(.contentLength) { RequestRules.length($0) } ?? nil
        return fields.count(of: .contentLength) == (contentLength == nil ? 0 : 1)
    }

    private mutating func buildRequest(_ schemes: SchemeRule) -> HTTPRequestHead? {
        let storage = builder.takeStorage()
        guard !isBroken, let method, method != .connect, let path, let scheme, schemes.accepts(scheme),
            Self.isPath(storage.bytes(offset: path.offset, count: path.count), method),
            RequestRules.isFreeOfConnectionFields(storage), storage.allValues(of: .host, RequestRules.isAuthority)
        else { return nil }
        let fields = HTTPFields(storage: storage)
        var authority = authority
        let hosts = fields.count(of: .host)
        if hosts > 0 {
            guard hosts == 1, let host = Self.range(of: .host, in: storage) else { return nil }
            if let authority {
                let left = storage.bytes(offset: authority.offset, count: authority.count)
                guard left.elementsAre(storage.bytes(offset: host.offset, count: host.count)) else {
                    return nil
                }
            } else {
                authority = host
            }
        }
        guard authority != nil else { return nil }
        let target = RequestTarget(storage: storage, scheme: scheme, path: path, authority: authority)
        return HTTPRequestHead(method: method, target: target, fields: fields)
    }

    mutating func reuse(_ storage: FieldStorage) { builder.reuse(storage) }
    mutating func trim() {
        builder.trim()
        template = HeadTemplate()
    }

    /// The fields of a response, or its trailers.
    mutating func takeFields() -> HTTPFields { HTTPFields(storage: builder.takeStorage()) }

    /// The trailers of a request, or nil when they break ``RequestRules``: there, length and host come too late.
    mutating func takeRequestTrailers() -> HTTPFields? {
        let storage = builder.takeStorage()
        guard !isBroken, RequestRules.isFreeOfConnectionFields(storage),
            !storage.mayHold(.contentLength), !storage.mayHold(.host)
        else { return nil }
        return HTTPFields(storage: storage)
    }

    static func isPath(_ path: UnsafeRawBufferPointer, _ method: HTTPMethod) -> Bool {
        if path.first == ASCII.slash { return path.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x23 } }
        return path.elementsAre("*") && method == .options
    }

    static func range(of token: FieldToken, in storage: FieldStorage) -> StoredRange? {
        for index in 0..<storage.entryCount {
            let entry = storage.entry(at: index)
            if entry.token == token { return StoredRange(offset: entry.offset, count: entry.valueCount) }
        }
        return nil
    }
}
