import CNGHTTP2

/// The reused array of name-value pairs that nghttp2's submit functions take.
///
/// Field bytes are passed without copying (NGHTTP2_NV_FLAG_NO_COPY_NAME and _VALUE). That is sound because
/// every pointer comes either from the program image (known names, status digits) or from a ``FieldStorage``
/// that the stream keeps until it closes; nghttp2 reads the bytes only while it serialises a frame of an open
/// stream.
///
/// Plain memory and not an `Array`, whose references would be counted for every answer: the owner calls
/// ``deallocate()`` in the end.
struct NameValueArray {
    private var pairs: UnsafeMutablePointer<nghttp2_nv>?
    private(set) var count = 0
    private var capacity = 0
    /// What `pairs` was made of last, by ``prepare(status:_:)``. Fields that somebody else holds too are never changed
    /// in place, so the same storage means the same pairs: answers share their fields, and this saves most of the work.
    private var prepared: FieldStorage?
    private var preparedIdentity: ObjectIdentifier?
    private var preparedStatus = 0
    /// Names that have been in a request, of fields whose value is another one each time.
    private var repeatedTokens: UInt64 = 0
    private var repeatedNames: [[UInt8]] = []
    private static let maximumRepeatedNames = 8

    private static let noCopy = UInt8(
        truncatingIfNeeded: NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue | NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue)
    private static let noIndex = UInt8(truncatingIfNeeded: NGHTTP2_NV_FLAG_NO_INDEX.rawValue)

    mutating func removeAll() {
        count = 0
        prepared = nil
        preparedIdentity = nil
    }

    /// Empty, and without memory.
    mutating func deallocate() {
        removeAll()
        pairs?.deallocate()
        pairs = nil
        capacity = 0
    }

    /// Whether these are the pairs of those fields already, by their ``HTTPFields/identity``.
    func isPrepared(status: Int, _ storage: ObjectIdentifier?) -> Bool {
        storage != nil && preparedIdentity == storage && status == preparedStatus
    }

    /// Becomes the pairs of an answer's head, or of trailers when `status` is 0.
    mutating func prepare(status: Int, _ fields: HTTPFields) {
        if isPrepared(status: status, fields.identity) { return }
        removeAll()
        if status != 0 { appendStatus(status) }
        append(fields, isRequest: false)
        prepared = fields.storage
        preparedIdentity = fields.identity
        preparedStatus = status
    }

    mutating func appendStatus(_ status: Int) {
        append(Self.bytes(":status"), StatusDigits.bytes(status), flags: Self.noCopy)
    }

    /// A pair whose value nghttp2 copies.
    mutating func appendCopied(_ name: StaticString, _ value: UnsafeRawBufferPointer) {
        append(Self.bytes(name), value, flags: 0)
    }

    /// All fields that may travel in HTTP/2. Connection-specific ones and impossible names are left out.
    mutating func append(_ fields: HTTPFields, isRequest: Bool) {
        fields.forEachEntry { token, name, value in
            guard !token.isConnectionSpecific, !(isRequest && token == .host) else { return }
            if token == .other, !Self.isSendable(name) { return }
            append(name, value, flags: flags(for: token, name, isRequest: isRequest))
        }
    }

    func withPairs<Result>(_ body: (UnsafePointer<nghttp2_nv>?, Int) -> Result) -> Result {
        body(pairs, count)
    }

    private mutating func append(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, flags: UInt8
    ) {
        if count == capacity { grow() }
        pairs?[count] = nghttp2_nv(
            name: Self.pointer(name), value: Self.pointer(value),
            namelen: name.count, valuelen: value.count, flags: flags)
        count += 1
    }

    private mutating func grow() {
        capacity = max(8, capacity * 2)
        let larger = UnsafeMutablePointer<nghttp2_nv>.allocate(capacity: capacity)
        if let pairs {
            larger.moveInitialize(from: pairs, count: count)
            pairs.deallocate()
        }
        pairs = larger
    }

    /// What differs every time would push useful entries out of the peer's table: error texts, the time that is left,
    /// names of single calls. Of a client's, the first is put there all the same: the others then point to its name.
    private mutating func flags(for token: FieldToken, _ name: UnsafeRawBufferPointer, isRequest: Bool) -> UInt8 {
        switch token {
        case .grpcMessage, .grpcStatusDetailsBin, .authorization: Self.noCopy | Self.noIndex
        case .grpcTimeout, .traceparent, .xSiloIdempotencyKey, .xSiloRequestID:
            isRequest && isFirst(token) ? Self.noCopy : Self.noCopy | Self.noIndex
        case .other where Self.isUnique(name):
            isRequest && isFirst(name) ? Self.noCopy : Self.noCopy | Self.noIndex
        default: Self.noCopy
        }
    }

    private mutating func isFirst(_ token: FieldToken) -> Bool {
        defer { repeatedTokens |= token.bit }
        return repeatedTokens & token.bit == 0
    }

    private mutating func isFirst(_ name: UnsafeRawBufferPointer) -> Bool {
        let isKnown = repeatedNames.contains { known in known.withUnsafeBytes { name.elementsAre($0) } }
        guard !isKnown, repeatedNames.count < Self.maximumRepeatedNames else { return false }
        repeatedNames.append(Array(name))
        return true
    }

    /// `...-id`
    private static func isUnique(_ name: UnsafeRawBufferPointer) -> Bool {
        let count = name.count
        return count > 3 && name[count - 1] == UInt8(ascii: "d") && name[count - 2] == UInt8(ascii: "i")
            && name[count - 3] == UInt8(ascii: "-")
    }

    private static func isSendable(_ name: UnsafeRawBufferPointer) -> Bool {
        !name.isEmpty && name.allSatisfy { ASCII.isToken($0) && ASCII.lowercased($0) == $0 }
    }

    private static func bytes(_ text: StaticString) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    /// nghttp2's struct is not const-correct; it never writes through these pointers.
    private static func pointer(_ bytes: UnsafeRawBufferPointer) -> UnsafeMutablePointer<UInt8>? {
        bytes.baseAddress.map { UnsafeMutablePointer(mutating: $0.assumingMemoryBound(to: UInt8.self)) }
    }
}

/// The three digits of every status, in memory that stays.
enum StatusDigits {
    /// `@unchecked Sendable`: the memory is written in `init`, which runs once, before the only value (a static
    /// constant) can be seen; it is only read afterwards and never freed.
    private struct Table: @unchecked Sendable {
        let base: UnsafeMutablePointer<UInt8>

        init() {
            base = UnsafeMutablePointer<UInt8>.allocate(capacity: 3_000)
            for status in 0..<1_000 {
                base[status * 3] = UInt8(0x30 + status / 100)
                base[status * 3 + 1] = UInt8(0x30 + status / 10 % 10)
                base[status * 3 + 2] = UInt8(0x30 + status % 10)
            }
        }
    }

    private static let table = Table()

    static func bytes(_ status: Int) -> UnsafeRawBufferPointer {
        let valid = (100...599).contains(status) ? status : 500
        return UnsafeRawBufferPointer(start: table.base + valid * 3, count: 3)
    }
}
