/// Who and when, as an author or committer line of a commit has it. Not mapped through `.mailmap`.
struct GitIdentity: Hashable, Sendable {
    var name: String
    var email: String
    /// Seconds since 1970 UTC; nil when the line has no readable time.
    var seconds: Int64?
    /// Minutes east of UTC.
    var offsetMinutes: Int

    init(name: String, email: String, seconds: Int64?, offsetMinutes: Int = 0) {
        self.name = name
        self.email = email
        self.seconds = seconds
        self.offsetMinutes = offsetMinutes
    }

    /// Memory of the texts, in bytes.
    var byteCount: Int { name.utf8.count + email.utf8.count }

    /// Reads `Name <e-mail> seconds +hhmm`. Never fails: old tools wrote lines without some of the parts.
    init(line: ArraySlice<UInt8>, encoding: String?) {
        let open = line.firstIndex(of: UInt8(ascii: "<")) ?? line.endIndex
        let close = line.lastIndex(of: UInt8(ascii: ">")) ?? line.endIndex
        let name = trimmed(line[..<open])
        let email = open < close ? line[(open + 1)..<close] : []
        let tail = close < line.endIndex ? line[(close + 1)...] : []
        let words = tail.split(separator: UInt8(ascii: " "))
        self.init(
            name: TextDecoding.string(name, encoding: encoding),
            email: TextDecoding.string(trimmed(email), encoding: encoding),
            seconds: words.first.flatMap(decimal),
            offsetMinutes: words.dropFirst().first.map(Self.offset) ?? 0
        )
    }

    static func offset(_ word: ArraySlice<UInt8>) -> Int {
        guard let value = decimal(word) else { return 0 }
        let magnitude = Int(clamping: value.magnitude)
        guard magnitude <= 2359 else { return 0 }
        let minutes = magnitude / 100 * 60 + magnitude % 100
        return value < 0 ? -minutes : minutes
    }
}

/// A decimal number with an optional sign; nil when it is none or does not fit.
func decimal(_ bytes: some Collection<UInt8>) -> Int64? {
    guard !bytes.isEmpty, bytes.count <= 20 else { return nil }
    return Int64(String(decoding: bytes, as: UTF8.self))
}

func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var bytes = bytes
    while bytes.first == UInt8(ascii: " ") { bytes = bytes.dropFirst() }
    while bytes.last == UInt8(ascii: " ") { bytes = bytes.dropLast() }
    return bytes
}
