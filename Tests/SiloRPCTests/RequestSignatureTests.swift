import FrameCodec
import Testing

@testable import SiloRPC

@Suite(.timeLimit(.minutes(5))) struct RequestSignatureTests {
    static let key = "scm_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
    /// Computed with Python's hmac.
    static let header =
        "v1 kid=12,ts=1763740000000,nonce=AAECAwQFBgcICQoLDA0ODw,sig=Kz2ovib6BquqaC-wZfhPABWTKAsLvX5YCxw44WCUrPM"
    static let digest = SHA256.digest([0, 0, 0, 0, 0])

    static func isValid(
        _ header: String, method: String = "POST", target: String = "/a.b.C/D?x=1", type: String = "application/grpc",
        digest: [UInt8] = digest, key: String = key
    ) -> Bool {
        RequestSignature(header: header)?.isValid(
            secret: RequestSignature.signingKey(of: key), method: method, target: Array(target.utf8), contentType: type,
            bodyDigest: digest
        ) ?? false
    }

    @Test func `it is the HMAC that another implementation computes`() {
        let secret = RequestSignature.signingKey(of: Self.key).map { String($0, radix: 16) }
        #expect(secret.prefix(4) == ["e9", "2", "a4", "9"])
        #expect(
            RequestSignature.header(
                keyID: 12, keyText: Self.key, timestamp: 1_763_740_000_000, nonce: "AAECAwQFBgcICQoLDA0ODw",
                method: "POST",
                target: "/a.b.C/D?x=1", contentType: "application/grpc", bodyDigest: Self.digest
            ) == Self.header
        )
        #expect(Self.isValid(Self.header))
    }

    @Test func `a change of anything that is signed makes it invalid`() {
        #expect(!Self.isValid(Self.header, method: "GET"))
        #expect(!Self.isValid(Self.header, target: "/a.b.C/D?x=2"))
        #expect(!Self.isValid(Self.header, type: "application/json"))
        #expect(!Self.isValid(Self.header, digest: SHA256.digest([])))
        #expect(!Self.isValid(Self.header, key: Self.key + "x"))
        for (from, to) in [("kid=12", "kid=13"), ("ts=176", "ts=276"), ("nonce=AA", "nonce=BA"), ("sig=K", "sig=L")] {
            #expect(!Self.isValid(Self.header.replacing(from, with: to)))
        }
        // A zero in front is another text of the same number.
        #expect(!Self.isValid(Self.header.replacing("kid=12", with: "kid=012")))
    }

    @Test(arguments: [
        "", "v1", "v1 ", "v2 kid=1", header + ",", header + ",kid=12", header.replacing("kid=12,", with: ""),
        header.replacing("kid=12", with: "kid=-1"), header.replacing("kid=12", with: "kid=99999999999999999999"),
        header.replacing("nonce=AA", with: "nonce=A A"), header.replacing("AAECAwQFBgcICQoLDA0ODw", with: "short"),
        header.replacing("sig=Kz", with: "sig=K"), header.replacing("sig=", with: "sig=%"),
        "v1 " + String(repeating: "a", count: 600),
    ])
    func `a malformed header is no signature`(_ header: String) {
        #expect(RequestSignature(header: header) == nil)
    }

    @Test func `a nonce counts once, while its time would let it pass again`() {
        let nonces = NonceMemory(maximumCount: 2)
        #expect(nonces.take("a", keyID: 1, until: 100, now: 0) == .new)
        #expect(nonces.take("a", keyID: 1, until: 100, now: 99) == .seen)
        #expect(nonces.take("a", keyID: 2, until: 100, now: 0) == .new, "of another key")
        #expect(nonces.take("b", keyID: 1, until: 100, now: 0) == .full, "nothing that counts is forgotten")
        #expect(nonces.take("a", keyID: 1, until: 100, now: 0) == .seen, "also when it is full")
        #expect(nonces.take("b", keyID: 1, until: 5000, now: 2000) == .new)
        #expect(nonces.count == 1)
        // Its head came in time, its body only now, when the first one is forgotten.
        #expect(nonces.take("a", keyID: 1, until: 100, now: 0) == .seen, "what may have been forgotten was seen")
    }
}
