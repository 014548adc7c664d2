import COpenSSL

/// The older signature `rpc0:HEX`: HMAC-SHA256 of `path:body` with one secret that all silos share.
///
/// It says nothing of time, method, host or header, so a captured request is valid for ever and everywhere. It is here
/// for the time in which silos move away from it, off unless configured.
public struct RPC0Verifier: Sendable {
    static let version = "rpc0"
    private let secrets: [HMACSHA256]

    /// - Parameter secrets: the first one signs, all verify.
    /// - Throws: ``SiloKeyError`` without a secret.
    public init(secrets: [[UInt8]]) throws(SiloKeyError) {
        guard !secrets.isEmpty, secrets.allSatisfy({ !$0.isEmpty }) else {
            throw SiloKeyError("the rpc0 scheme is switched on without a secret")
        }
        self.secrets = secrets.map { HMACSHA256(key: $0) }
    }

    /// The token of `Rpcsignature TOKEN`; the scheme in any case.
    static func token(_ authorization: String) -> String? {
        let parts = authorization.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].lowercased() == "rpcsignature" else { return nil }
        return String(parts[1])
    }

    /// - Parameter path: with its slashes, as requested.
    public func sign(path: String, body: [UInt8]) -> String {
        "\(Self.version):\(body.withUnsafeBytes { Self.hex(code(secrets[0], path, $0)) })"
    }

    /// - Parameter token: `rpc0:` and 64 lower-case hexadecimal digits.
    public func isValid(_ token: String, path: String, body: UnsafeRawBufferPointer) -> Bool {
        let parts = token.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0] == Self.version else { return false }
        let given = Array(parts[1].utf8)
        return secrets.contains { secret in
            let expected = Array(Self.hex(code(secret, path, body)).utf8)
            return given.count == expected.count && CRYPTO_memcmp(given, expected, given.count) == 0
        }
    }

    private func code(_ secret: HMACSHA256, _ path: String, _ body: UnsafeRawBufferPointer) -> Digest256 {
        let start = Array((path + ":").utf8)
        return secret.code { input in
            start.withUnsafeBytes { input.append($0) }
            input.append(body)
        }
    }

    private static func hex(_ code: Digest256) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return code.withBytes { bytes in
            String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
        }
    }
}
