/// Turns the fields of one header block into a head or into trailers, and checks them, which nghttp2 does not
/// (``FieldRules``, ``RequestRules``, ``ResponseRules``).
///
/// Header blocks never interleave on a connection (RFC 9113 section 4.3), so one assembler serves all
/// streams.
struct HeadAssembler {
    enum Block { case request, requestTrailers, response, responseTrailers }

    // What the two kinds of messages share; their own parts are extensions.
    private(set) var builder: FieldBlockBuilder
    private(set) var block = Block.request
    private var isTrailers = false
    /// Some field of the present block breaks a rule.
    private(set) var isBroken = false
    /// Pseudo fields that the present block has had, a bit for each kind.
    private var seenPseudo: UInt8 = 0
    var heads = HeadTemplate()
    /// Of responses. Those of requests are rare, and never kept.
    private var trailers = HeadTemplate()
    /// Of the body of the message that was taken last; nil when its head does not say it.
    var contentLength: Int?

    var request = RequestParts()
    /// Of the response; 0 when it has none yet.
    var status = 0
    // What the templates are of; the bytes that they compare are held here.
    var lastRequest: HTTPRequestHead?
    var lastResponse: HTTPResponseHead?
    private var lastTrailers: HTTPFields?
    /// What that head says of its body's length.
    var lastContentLength: Int?

    init(limits: HTTPLimits) { builder = FieldBlockBuilder(limits: limits) }

    mutating func begin(_ block: Block) {
        self.block = block
        isBroken = false
        seenPseudo = 0
        builder.reset()
        switch block {
        case .request:
            isTrailers = false
            heads.begin()
            request = RequestParts()
        case .response:
            isTrailers = false
            heads.begin()
            status = 0
        case .requestTrailers: isTrailers = true
        case .responseTrailers:
            isTrailers = true
            trailers.begin()
        }
    }

    private var isFollowed: Bool { isTrailers ? trailers.isFollowed : heads.isFollowed }

    var fieldCount: Int {
        guard isFollowed else { return builder.fieldCount }
        return isTrailers ? trailers.position : heads.position
    }

    /// Whether the next field is that of the last block of this kind: then it is done with. It is within the limits,
    /// too.
    @inline(__always)
    mutating func repeats(
        _ name: UnsafePointer<UInt8>, _ nameCount: Int, _ value: UnsafePointer<UInt8>, _ valueCount: Int
    ) -> Bool {
        if isTrailers { return trailers.isFollowed && trailers.matches(name, nameCount, value, valueCount) }
        return heads.isFollowed && heads.matches(name, nameCount, value, valueCount)
    }

    /// Adds a field that the last block has not had in this place (``repeats(_:_:_:_:)``).
    ///
    /// - Returns: the limit of ``HTTPLimits`` that is passed; nil when none is.
    mutating func add(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> FieldBlockBuilder.Overflow? {
        if isFollowed { leaveTemplate() }
        if let overflow = builder.admit(nameCount: name.count, valueCount: value.count) { return overflow }
        guard name.first != ASCII.colon else {
            if !addPseudo(name, value) { isBroken = true }
            return nil
        }
        let token = FieldToken.recognise(name)
        guard FieldRules.isField(token, name, value) else {
            isBroken = true
            return nil
        }
        let range = builder.append(token, name: name, value: value)
        record(.field, token == .other ? nil : token.bytes, nameCount: name.count, range)
        return nil
    }

    /// - Returns: false when the block may not have that pseudo field, or not in that place.
    private mutating func addPseudo(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
        let hasFields = builder.storage.map { $0.entryCount > 0 } ?? false
        guard !isTrailers, !hasFields else { return false }
        return block == .request ? addRequestPseudo(name, value) : addStatus(name, value)
    }

    mutating func isFirst(_ kind: HeadTemplate.Kind) -> Bool {
        let bit: UInt8 = 1 &<< kind.rawValue
        defer { seenPseudo |= bit }
        return seenPseudo & bit == 0
    }

    mutating func store(
        _ kind: HeadTemplate.Kind, _ name: StaticString, _ value: UnsafeRawBufferPointer
    ) -> StoredRange {
        let range = builder.store(value)
        let name = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        record(kind, name, nameCount: name.count, range)
        return range
    }

    private mutating func record(
        _ kind: HeadTemplate.Kind, _ name: UnsafeRawBufferPointer?, nameCount: Int, _ range: StoredRange
    ) {
        let sizes = builder.sizes
        if isTrailers {
            trailers.record(kind, name: name, nameCount: nameCount, range, sizes)
        } else {
            heads.record(kind, name: name, nameCount: nameCount, range, sizes)
        }
    }

    /// The block goes on differently from the last one: what was the same so far becomes this one's own.
    private mutating func leaveTemplate() {
        switch block {
        case .request: leaveRequest()
        case .response: leaveResponse()
        case .responseTrailers: leaveTrailers()
        case .requestTrailers: break
        }
    }

    /// Begins with what was the same in the last block, up to `piece`.
    mutating func adopt(_ storage: FieldStorage?, upTo piece: HeadTemplate.Piece?, count: Int) {
        guard let piece, let storage else { return }
        builder.adopt(storage, piece.sizes)
        builder.didAdmit(fieldCount: count, listByteCount: piece.sizes.listByteCount)
    }

    /// - Returns: false for what is no length, or more than one.
    mutating func readLength(_ fields: HTTPFields) -> Bool {
        contentLength = fields.withFirst(.contentLength) { FieldRules.length($0) } ?? nil
        return fields.count(of: .contentLength) == (contentLength == nil ? 0 : 1)
    }

    /// The trailers, or nil when they break a rule: there, a length (and the host of a request) comes too late.
    mutating func takeTrailers() -> HTTPFields? {
        if trailers.isFollowed {
            if trailers.isWhole { return lastTrailers }
            leaveTrailers()
        }
        let storage = takeStorage()
        guard !isBroken, FieldRules.isFreeOfConnectionFields(storage), !storage.mayHold(.contentLength),
            block == .responseTrailers || !storage.mayHold(.host)
        else { return nil }
        let fields = HTTPFields(storage: storage)
        if trailers.keep(storage) { lastTrailers = fields }
        return fields
    }

    private mutating func leaveTrailers() {
        trailers.leave()
        guard let last = lastTrailers.take() else { return }
        adopt(last.storage, upTo: trailers.pieces.last, count: trailers.pieces.count)
    }

    mutating func takeStorage() -> FieldStorage { builder.takeStorage() }
    mutating func reuse(_ storage: FieldStorage) { builder.reuse(storage) }

    mutating func trim() {
        builder.trim()
        heads = HeadTemplate()
        trailers = HeadTemplate()
        lastRequest = nil
        lastResponse = nil
        lastTrailers = nil
    }

    static func range(of token: FieldToken, in storage: FieldStorage) -> StoredRange? {
        for index in 0..<storage.entryCount {
            let entry = storage.entry(at: index)
            if entry.token == token { return StoredRange(offset: entry.offset, count: entry.valueCount) }
        }
        return nil
    }
}
