import COpenSSL
import FrameCodec

/// The header `x-signature`, by which a call proves that it has a key without sending it.
///
/// ```
/// x-signature: v1 kid=12,ts=1763740000000,nonce=wq8m2Yw0b3m5yVxO0mZ7Ag,sig=base64url(HMAC-SHA256(secret, text))
///
/// secret   HMAC-SHA256(key: the API key's text, message: "scm-gateway signing key v1")
/// text     eight lines, each ended by a line feed:
///            scm-gateway-signature-v1
///            kid                 as in the header
///            ts                  as in the header: milliseconds since 1970 UTC
///            nonce               as in the header: 16 to 64 characters of base64url
///            POST                the HTTP method
///            /package.Svc/Name   path and query of the request, as sent
///            application/grpc    its content-type, as sent; empty without one
///            e3b0c442...         SHA-256 of the body as it travelled (frames and all), 64 hexadecimal digits
/// ```
///
/// No part can hold a line feed (a header and a request target cannot, the rest are digits and base64url), so that no
/// two requests have one text.
public struct RequestSignature: Sendable, Equatable {
    let keyID: Int64
    /// Milliseconds since 1970 UTC.
    let timestamp: Int64
    let nonce: String
    let signature: [UInt8]
    /// The header's values as they were sent.
    private let keyText: String
    private let timestampText: String

    /// What a key signs with. Stored beside the key's hash, because to check an HMAC is to be able to make one.
    public static func signingKey(of keyText: String) -> [UInt8] {
        HMAC.sha256(key: Array(keyText.utf8), Array("scm-gateway signing key v1".utf8))
    }

    /// The value of the header for one request.
    ///
    /// - Parameters:
    ///   - target: path and query.
    ///   - bodyDigest: SHA-256 of the body as it travels.
    public static func header(
        keyID: Int64, keyText: String, timestamp: Int64, nonce: String, method: String, target: String,
        contentType: String, bodyDigest: [UInt8]
    ) -> String {
        let (id, time) = (String(keyID), String(timestamp))
        let text = text(id, time, nonce, method: method, target: Array(target.utf8), contentType, bodyDigest)
        let signature = base64url(HMAC.sha256(key: signingKey(of: keyText), text))
        return "v1 kid=\(id),ts=\(time),nonce=\(nonce),sig=\(signature)"
    }

    /// Reads the header; nil when it is malformed.
    init?(header: String) {
        guard header.utf8.count <= 512, header.hasPrefix("v1 ") else { return nil }
        var values: [Substring: String] = [:]
        for pair in header.dropFirst(3).split(separator: ",", omittingEmptySubsequences: false) {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, values.updateValue(String(parts[1]), forKey: parts[0]) == nil else { return nil }
        }
        guard values.count == 4, let keyText = values["kid"], let keyID = Self.number(keyText),
            let timestampText = values["ts"], let timestamp = Self.number(timestampText),
            let nonce = values["nonce"], (16...64).contains(nonce.utf8.count), nonce.utf8.allSatisfy(Self.isSymbol),
            let signature = values["sig"].flatMap({ Base64.decode(Array($0.utf8), acceptsURLSafeAlphabet: true) }),
            signature.count == 32
        else { return nil }
        self.keyID = keyID
        self.timestamp = timestamp
        self.nonce = nonce
        self.signature = signature
        self.keyText = keyText
        self.timestampText = timestampText
    }

    /// Whether the signature is right, in the same time whatever is wrong with it.
    func isValid(
        secret: [UInt8], method: String, target: [UInt8], contentType: String, bodyDigest: [UInt8]
    ) -> Bool {
        let text = Self.text(
            keyText, timestampText, nonce, method: method, target: target, contentType, bodyDigest
        )
        let right = HMAC.sha256(key: secret, text)
        return CRYPTO_memcmp(right, signature, right.count) == 0
    }

    private static func text(
        _ keyID: String, _ timestamp: String, _ nonce: String, method: String, target: [UInt8], _ contentType: String,
        _ bodyDigest: [UInt8]
    ) -> [UInt8] {
        let digest = bodyDigest.flatMap { [hexadecimal($0 >> 4), hexadecimal($0 & 15)] }
        let lines = [
            Array("scm-gateway-signature-v1".utf8), Array(keyID.utf8), Array(timestamp.utf8), Array(nonce.utf8),
            Array(method.utf8), target, Array(contentType.utf8), digest,
        ]
        return lines.flatMap { $0 + [UInt8(ascii: "\n")] }
    }

    private static func number(_ text: String) -> Int64? {
        guard (1...18).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int64(text)
    }

    private static func isSymbol(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }

    private static func base64url(_ bytes: [UInt8]) -> String {
        let symbols = Base64.encode(bytes, padded: false).map { byte in
            byte == UInt8(ascii: "+") ? UInt8(ascii: "-") : byte == UInt8(ascii: "/") ? UInt8(ascii: "_") : byte
        }
        return String(decoding: symbols, as: UTF8.self)
    }
}
