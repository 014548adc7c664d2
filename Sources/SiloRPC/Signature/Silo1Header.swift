import FrameCodec

/// Sixteen bytes that make a request unlike every other one.
struct Silo1Nonce: Sendable {
    static let byteCount = 16

    private var high: UInt64
    private var low: UInt64

    init(_ high: UInt64, _ low: UInt64) { (self.high, self.low) = (high, low) }

    static func random() -> Silo1Nonce {
        let (high, low) = SecureRandom.words()
        return Silo1Nonce(high, low)
    }

    /// Eight of the sixteen bytes' worth, whichever of them a signer counts up.
    var mark: UInt64 { high &* 0x9E37_79B9_7F4A_7C15 &+ low }

    mutating func withMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) -> R) -> R {
        withUnsafeMutableBytes(of: &self, body)
    }

    func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R { withUnsafeBytes(of: self, body) }
}

/// The value of `authorization`: `Silo1 kid=ID,ts=MILLISECONDS,nonce=BASE64,sh=NAME;NAME,sig=BASE64`.
///
/// Base64 without padding. The five parts stand in this order, each once; anything else is refused.
struct Silo1Header: Sendable {
    /// A longer value is refused before it is looked at.
    static let maximumByteCount = 1024
    static let maximumSignedFieldCount = 32

    /// Milliseconds since 1970 UTC, by the signer's clock.
    let time: Int64
    let nonce: Silo1Nonce
    let signature: Digest256
    /// Where the key's id and the signed names stand in the value.
    private let keyIDRange: Range<Int>
    private let namesRange: Range<Int>

    /// nil when the value is not exactly of the form.
    init?(_ value: UnsafeRawBufferPointer) {
        guard value.count <= Self.maximumByteCount else { return nil }
        var parts = Parts(value)
        var nonce = Silo1Nonce(0, 0)
        var signature = Digest256()
        guard parts.skip("Silo1 "), let keyID = parts.next("kid="),
            SiloKey.isID(UnsafeRawBufferPointer(rebasing: value[keyID])),
            let time = parts.next("ts=").flatMap({ Self.number(value[$0]) }),
            let nonceText = parts.next("nonce="),
            nonce.withMutableBytes({ Self.decode(value[nonceText], into: $0) }),
            let names = parts.next("sh="), Silo1Names(text: UnsafeRawBufferPointer(rebasing: value[names])).areValid,
            let signatureText = parts.last("sig="),
            signature.withMutableBytes({ Self.decode(value[signatureText], into: $0) })
        else { return nil }
        (self.time, self.nonce, self.signature) = (time, nonce, signature)
        (keyIDRange, namesRange) = (keyID, names)
    }

    /// The key's id in `value`, from which this was made.
    func keyID(in value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: value[keyIDRange])
    }

    /// The signed names in `value`, from which this was made.
    func names(in value: UnsafeRawBufferPointer) -> Silo1Names {
        Silo1Names(text: UnsafeRawBufferPointer(rebasing: value[namesRange]))
    }

    /// Writes the value.
    ///
    /// - Parameters:
    ///   - memory: ``maximumByteCount`` bytes.
    ///   - fields: of the request; those that must be signed are named.
    ///   - sign: makes the signature, given the names as they stand in the value.
    /// - Returns: the value in `memory`; nil when it is longer.
    static func write(
        into memory: UnsafeMutableRawBufferPointer, keyID: UnsafeRawBufferPointer, time: Int64, nonce: Silo1Nonce,
        fields: Silo1Fields, sign: (Silo1Names) -> Digest256
    ) -> UnsafeRawBufferPointer? {
        var value = BoundedText(memory)
        value.append("Silo1 kid=")
        value.append(keyID)
        value.append(",ts=")
        Decimal.withDigits(time) { value.append($0) }
        value.append(",nonce=")
        nonce.withBytes { value.append(base64: $0) }
        value.append(",sh=")
        let names = value.count
        fields.withNamesToSign { names in
            for (index, name) in names.enumerated() {
                if index > 0 { value.append(";") }
                value.append(name)
            }
        }
        guard value.isComplete else { return nil }
        let signature = sign(Silo1Names(text: UnsafeRawBufferPointer(rebasing: value.written[names...])))
        value.append(",sig=")
        signature.withBytes { value.append(base64: $0) }
        return value.isComplete ? value.written : nil
    }

    /// The value, part by part.
    private struct Parts {
        private let value: UnsafeRawBufferPointer
        private var start = 0

        init(_ value: UnsafeRawBufferPointer) { self.value = value }

        mutating func skip(_ text: StaticString) -> Bool {
            guard UnsafeRawBufferPointer(rebasing: value[start...]).hasPrefix(text) else { return false }
            start += text.utf8CodeUnitCount
            return true
        }

        /// What stands between `key` and the next comma.
        mutating func next(_ key: StaticString) -> Range<Int>? {
            guard skip(key) else { return nil }
            let end = value.index(of: UInt8(ascii: ","), from: start)
            guard end < value.count else { return nil }
            defer { start = end + 1 }
            return start..<end
        }

        mutating func last(_ key: StaticString) -> Range<Int>? { skip(key) ? start..<value.count : nil }
    }

    /// Decimal digits as they are written, without a leading zero.
    private static func number(_ digits: Slice<UnsafeRawBufferPointer>) -> Int64? {
        guard (1...15).contains(digits.count), digits.first != UInt8(ascii: "0") || digits.count == 1 else {
            return nil
        }
        var number: Int64 = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { return nil }
            number = number * 10 + Int64(digit &- 0x30)
        }
        return number
    }

    private static func decode(
        _ text: Slice<UnsafeRawBufferPointer>, into memory: UnsafeMutableRawBufferPointer
    ) -> Bool {
        Base64.decode(UnsafeRawBufferPointer(rebasing: text), filling: memory)
    }
}

/// Text in memory of the caller. What does not fit is left out, and ``isComplete`` says so.
private struct BoundedText: ~Copyable {
    private let memory: UnsafeMutableRawBufferPointer
    private(set) var count = 0
    private(set) var isComplete = true

    init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

    mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count <= memory.count - count else { return isComplete = false }
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: bytes)
        count += bytes.count
    }

    mutating func append(base64 bytes: UnsafeRawBufferPointer) {
        guard Base64.encodedByteCount(bytes.count) <= memory.count - count else { return isComplete = false }
        count += Base64.encode(bytes, into: UnsafeMutableRawBufferPointer(rebasing: memory[count...]), padded: false)
    }
}
