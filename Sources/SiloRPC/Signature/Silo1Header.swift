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
    init?(_ value: String) {
        guard value.utf8.count <= Self.maximumByteCount, value.hasPrefix(Self.scheme + " ") else { return nil }
        let parts = value.dropFirst(Self.scheme.count + 1).split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count == 5, let keyID = Self.value("kid=", parts[0]), SiloKey.isID(keyID),
            let digits = Self.value("ts=", parts[1]), (1...15).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let time = Int64(digits), "\(time)" == digits,
            let nonce = Self.bytes("nonce=", parts[2], Self.nonceByteCount),
            let names = Self.value("sh=", parts[3]), let signedFields = Self.names(names),
            let signature = Self.bytes("sig=", parts[4], HMACSHA256.byteCount)
        else { return nil }
        self.init(keyID: String(keyID), time: time, nonce: nonce, signedFields: signedFields, signature: signature)
    }

    var text: String {
        "\(Self.scheme) kid=\(keyID),ts=\(time),nonce=\(Self.base64(nonce)),sh=\(signedFields.joined(separator: ";"))"
            + ",sig=\(Self.base64(signature))"
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        String(decoding: Base64.encode(bytes, padded: false), as: UTF8.self)
    }

    private static func value(_ key: String, _ part: Substring) -> Substring? {
        part.hasPrefix(key) ? part.dropFirst(key.count) : nil
    }

    private static func bytes(_ key: String, _ part: Substring, _ count: Int) -> [UInt8]? {
        guard let text = value(key, part), let bytes = Base64.decode(Array(text.utf8)), bytes.count == count,
            // One text for one value: neither padding nor stray bits.
            base64(bytes) == text
        else { return nil }
        return bytes
    }

    private static func names(_ text: Substring) -> [String]? {
        guard !text.isEmpty else { return [] }
        let names = text.split(separator: ";", omittingEmptySubsequences: false)
        let isName: (Substring) -> Bool = { name in
            !name.isEmpty
                && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
        }
        guard names.count <= maximumSignedFieldCount, names.allSatisfy(isName), Set(names).count == names.count
        else { return nil }
        return names.map(String.init)
    }
}
