import FrameCodec

/// The value of `authorization`: `Silo1 kid=ID,ts=MILLISECONDS,nonce=BASE64,sh=NAME;NAME,sig=BASE64`.
///
/// Base64 without padding. The five parts stand in this order, each once; anything else is refused.
struct Silo1Header: Sendable, Equatable {
    static let scheme = "Silo1"
    /// A longer value is refused before it is looked at.
    static let maximumByteCount = 1024
    static let maximumSignedFieldCount = 32
    static let nonceByteCount = 16

    var keyID: String
    /// Milliseconds since 1970 UTC, by the signer's clock.
    var time: Int64
    var nonce: [UInt8]
    /// Lower-case names of the signed fields.
    var signedFields: [String]
    var signature: [UInt8]

    init(keyID: String, time: Int64, nonce: [UInt8], signedFields: [String], signature: [UInt8] = []) {
        self.keyID = keyID
        self.time = time
        self.nonce = nonce
        self.signedFields = signedFields
        self.signature = signature
    }

    /// nil when the value is not exactly of the form.
    init?(_ value: UnsafeRawBufferPointer) {
        guard value.count <= Self.maximumByteCount else { return nil }
        var parts = Parts(rest: value)
        guard parts.skip("Silo1 "), let keyID = parts.next("kid="), SiloKey.isID(keyID),
            let time = parts.next("ts=").flatMap(Self.number),
            let nonce = parts.next("nonce=").flatMap({ Self.bytes($0, Self.nonceByteCount) }),
            let signedFields = parts.next("sh=").flatMap(Self.names),
            let signature = parts.last("sig=").flatMap({ Self.bytes($0, HMACSHA256.byteCount) })
        else { return nil }
        self.init(
            keyID: String(decoding: keyID, as: UTF8.self), time: time, nonce: nonce, signedFields: signedFields,
            signature: signature)
    }

    /// The value.
    var bytes: [UInt8] {
        var value: [UInt8] = []
        value.reserveCapacity(256)
        value.append(contentsOf: "Silo1 kid=".utf8)
        value.append(contentsOf: keyID.utf8)
        value.append(contentsOf: ",ts=".utf8)
        value.append(contentsOf: String(time).utf8)
        value.append(contentsOf: ",nonce=".utf8)
        value.append(contentsOf: Base64.encode(nonce, padded: false))
        value.append(contentsOf: ",sh=".utf8)
        for (index, name) in signedFields.enumerated() {
            if index > 0 { value.append(UInt8(ascii: ";")) }
            value.append(contentsOf: name.utf8)
        }
        value.append(contentsOf: ",sig=".utf8)
        value.append(contentsOf: Base64.encode(signature, padded: false))
        return value
    }

    /// The value, part by part.
    private struct Parts {
        var rest: UnsafeRawBufferPointer

        mutating func skip(_ text: StaticString) -> Bool {
            let count = text.utf8CodeUnitCount
            guard rest.count >= count,
                rest.prefix(count).elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: count))
            else { return false }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            return true
        }

        /// What stands between `key` and the next comma.
        mutating func next(_ key: StaticString) -> UnsafeRawBufferPointer? {
            guard skip(key), let comma = rest.firstIndex(of: UInt8(ascii: ",")) else { return nil }
            defer { rest = UnsafeRawBufferPointer(rebasing: rest[(comma + 1)...]) }
            return UnsafeRawBufferPointer(rebasing: rest[..<comma])
        }

        mutating func last(_ key: StaticString) -> UnsafeRawBufferPointer? { skip(key) ? rest : nil }
    }

    /// Decimal digits as they are written, without a leading zero.
    private static func number(_ digits: UnsafeRawBufferPointer) -> Int64? {
        guard (1...15).contains(digits.count), digits[0] != UInt8(ascii: "0") || digits.count == 1,
            digits.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return digits.reduce(0) { $0 * 10 + Int64($1 &- 0x30) }
    }

    private static func bytes(_ text: UnsafeRawBufferPointer, _ count: Int) -> [UInt8]? {
        guard let bytes = Base64.decode(text), bytes.count == count,
            // One text for one value: neither padding nor stray bits.
            Base64.encode(bytes, padded: false).elementsEqual(text)
        else { return nil }
        return bytes
    }

    private static func names(_ text: UnsafeRawBufferPointer) -> [String]? {
        guard !text.isEmpty else { return [] }
        var names: [String] = []
        for part in text.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false) {
            let isName = part.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D
            }
            guard !part.isEmpty, isName, names.count < maximumSignedFieldCount else { return nil }
            let name = String(decoding: part, as: UTF8.self)
            guard !names.contains(name) else { return nil }
            names.append(name)
        }
        return names
    }
}
