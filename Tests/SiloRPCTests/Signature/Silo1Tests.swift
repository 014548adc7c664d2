import HTTPTransport
import NIOCore
import Synchronization
import Testing

@testable import SiloRPC

@Suite(.timeLimit(.minutes(5))) struct Silo1Tests {
    typealias Fixture = SignatureFixture

    /// Computed by an independent program from the description in ``Silo1Message``.
    static let vector =
        "Silo1 kid=c-us1,ts=1700000000000,nonce=AAECAwQFBgcICQoLDA0ODw,sh=grpc-timeout;x-silo-organization,"
        + "sig=kmdghiqiXe2qusm5pGpMWbxV9NgxnbXt92g5AE7qtqc"

    @Test func `the signature is byte for byte the one of the description`() throws {
        #expect(try Fixture.signed().fields.first(.authorization) == Self.vector)
    }

    @Test(arguments: [0, 1, 9, 10, 11, 123])
    func `what is signed, byte for byte: each name with how many values, then each`(count: Int) {
        let head = Fixture.head((0..<count).map { ("x-silo-many", "v\($0)") })
        func part(_ text: String) -> [UInt8] { [0, 0, 0, UInt8(text.utf8.count)] + Array(text.utf8) }
        var expected = part("Silo1") + part("k") + part("-12") + [0, 0, 0, 16] + (0..<16)
        expected += part("POST") + part("us1.internal:8443") + part("/silo.Things/Get") + part("application/grpc+proto")
        expected += part("x-silo-many;x-silo-none") + part("\(count)")
        for number in 0..<count { expected += part("v\(number)") }
        var hash = Digest256()
        hash.withMutableBytes { $0.copyBytes(from: 100..<132) }
        expected += part("0") + [0, 0, 0, 32] + (100..<132)
        let mac = HMACSHA256(key: [1])
        let code = Silo1Fields.of(head) { fields in
            Array("x-silo-many;x-silo-none".utf8).withUnsafeBytes { names in
                Array("k".utf8).withUnsafeBytes { keyID in
                    let message = Silo1Message(
                        keyID: keyID, time: -12, nonce: Fixture.nonce, names: Silo1Names(text: names),
                        fields: fields, bodyHash: hash)
                    return mac.code { message.write(to: &$0) }
                }
            }
        }
        #expect(code.isSame(as: mac.code(expected)))
    }

    @Test(arguments: [
        ("", true), ("a", true), ("a;b", true), ("x-silo-a;grpc-timeout", true), ("a;a", false), (";", false),
        ("a;", false), (";a", false), ("a;;b", false), ("A", false), ("a b", false), ("a;b;a", false),
        ("a\u{e9}", false),
        ((0..<32).map { "n\($0)" }.joined(separator: ";"), true),
        ((0..<33).map { "n\($0)" }.joined(separator: ";"), false),
    ])
    func `signed names: lower-case, none twice, thirty-two at most`(text: String, isValid: Bool) {
        #expect(Array(text.utf8).withUnsafeBytes { Silo1Names(text: $0).areValid } == isValid)
    }

    @Test func `attack: a request whose body comes when its time is over is refused`() throws {
        let clock = Mutex(Fixture.now)
        let verifier = SiloVerifier(keyring: try Fixture.keyring(Fixture.us1), now: { clock.withLock { $0 } })
        let signed = try Fixture.signed()
        #expect(Fixture.refusal(verifier, signed) == nil)
        // The same again, its head within the tolerance, its body behind it, when the nonce is forgotten.
        let head = try verifier.checkHead(signed, identity: nil)
        clock.withLock { $0 += 80_000 }
        let later = try Fixture.signed(now: Fixture.now + 80_000, nonce: Silo1Nonce(1, 1))
        #expect(Fixture.refusal(verifier, later) == nil)
        let refusal = #expect(throws: SignatureRefusal.self) {
            try Fixture.body.withUnsafeReadableBytes { try verifier.checkBody($0, of: head) }
        }
        #expect(refusal?.reason == .clockSkew)
    }

    @Test func `a signed request is accepted, and tells who signed`() throws {
        let peer = try Fixture.verify(try Fixture.verifier(), try Fixture.signed())
        #expect(peer == SiloPeer(source: .control, keyID: "c-us1"))
    }

    @Test func `every name that must be signed is named once, in order`() throws {
        let pairs = ["x-silo-b", "grpc-timeout", "x-silo-ab", "x-silo-a", "accept", "x-silo-b", "content-encoding"]
        let signed = try Fixture.signed(Fixture.head(pairs.map { ($0, "1") }))
        let value = try #require(signed.fields.first(.authorization))
        #expect(value.contains(",sh=content-encoding;grpc-timeout;x-silo-a;x-silo-ab;x-silo-b,sig="))
        #expect(Fixture.refusal(try Fixture.verifier(), signed) == nil)
    }

    @Test func `more names than a signature takes are an error of the caller, and nothing is signed`() throws {
        let name = "x-silo-" + String(repeating: "n", count: 40)
        var head = Fixture.head((0..<30).map { ("\(name)\($0)", "1") })
        let signer = SiloSigner(keyring: try Fixture.keyring(.control), destination: Fixture.us1)
        let error = #expect(throws: SiloKeyError.self) { try signer.sign(&head, body: Fixture.body) }
        #expect(error?.description.contains("1024") == true)
        #expect(head.fields.count(of: .authorization) == 0)
    }

    @Test func `a field that changes nothing may be added on the way`() throws {
        let head = Fixture.replacing("traceparent", "00-9-9-9", in: try Fixture.signed())
        #expect(Fixture.refusal(try Fixture.verifier(), head) == nil)
    }

    @Test(arguments: [
        ("x-silo-organization", "8"), ("x-silo-organization", nil), ("grpc-timeout", "9S"), ("grpc-timeout", nil),
        ("content-type", "application/grpc+json"), ("content-type", nil),
    ])
    func `attack: a tampered or removed field is refused`(name: String, value: String?) throws {
        let head = Fixture.replacing(name, value, in: try Fixture.signed())
        #expect(Fixture.refusal(try Fixture.verifier(), head) == .wrong)
    }

    @Test(arguments: ["x-silo-actor", "x-silo-anything", "grpc-encoding", "content-encoding", "connect-timeout-ms"])
    func `attack: a field added to what routes a call is refused`(name: String) throws {
        let head = Fixture.replacing(name, "1", in: try Fixture.signed())
        #expect(Fixture.refusal(try Fixture.verifier(), head) == .unsignedField)
    }

    @Test func `attack: a second value of a signed field is refused`() throws {
        var head = try Fixture.signed()
        head.fields.append(try #require(HTTPFieldName("x-silo-organization")), "8")
        #expect(Fixture.refusal(try Fixture.verifier(), head) == .wrong)
    }

    @Test func `attack: another method, path or authority is refused`() throws {
        let signed = try Fixture.signed()
        let others = [
            HTTPRequestHead(
                method: .put, path: signed.path, scheme: "http", authority: signed.authority, fields: signed.fields),
            HTTPRequestHead(
                path: "/silo.Things/Delete", scheme: "http", authority: signed.authority, fields: signed.fields),
            HTTPRequestHead(
                path: signed.path + "?a", scheme: "http", authority: signed.authority, fields: signed.fields),
            HTTPRequestHead(path: signed.path, scheme: "http", authority: "eu1.internal:8443", fields: signed.fields),
            HTTPRequestHead(path: signed.path, scheme: "http", authority: nil, fields: signed.fields),
        ]
        for head in others { #expect(Fixture.refusal(try Fixture.verifier(), head) == .wrong) }
    }

    @Test func `attack: every flipped bit of the body is refused, and every cut`() throws {
        let signed = try Fixture.signed()
        let bytes = Array(Fixture.body.readableBytesView)
        for bit in 0..<(bytes.count * 8) {
            var tampered = bytes
            tampered[bit / 8] ^= 1 << (bit % 8)
            #expect(Fixture.refusal(try Fixture.verifier(), signed, body: ByteBuffer(bytes: tampered)) == .wrong)
        }
        for count in 0..<bytes.count {
            #expect(
                Fixture.refusal(try Fixture.verifier(), signed, body: ByteBuffer(bytes: bytes.prefix(count))) == .wrong)
        }
    }

    @Test func `attack: bytes cannot move between parts of what is signed`() throws {
        let one = try Fixture.signed(Fixture.head([("x-silo-a", "1"), ("x-silo-b", "23")]))
        let two = try Fixture.signed(Fixture.head([("x-silo-a", "12"), ("x-silo-b", "3")]))
        #expect(one.fields.first(.authorization) != two.fields.first(.authorization))
    }

    @Test func `attack: a replay is refused, also after a good call in between`() throws {
        let verifier = try Fixture.verifier()
        let signed = try Fixture.signed()
        #expect(Fixture.refusal(verifier, signed) == nil)
        #expect(Fixture.refusal(verifier, signed) == .replayed)
        #expect(Fixture.refusal(verifier, try Fixture.signed(nonce: Silo1Nonce(9, 9))) == nil)
        #expect(Fixture.refusal(verifier, signed) == .replayed)
        #expect(verifier.refusalCounts == [.replayed: 6], "both ways of checking count")
    }

    @Test func `attack: a request with a wrong signature uses up no nonce`() throws {
        let verifier = try Fixture.verifier()
        let signed = try Fixture.signed()
        #expect(Fixture.refusal(verifier, Fixture.replacing("x-silo-organization", "8", in: signed)) == .wrong)
        #expect(Fixture.refusal(verifier, signed) == nil)
    }

    @Test(arguments: [-60_001, 60_001, -1_000_000_000, 1_000_000_000] as [Int64])
    func `attack: a clock that is off by more than the tolerance is refused`(offset: Int64) throws {
        let signed = try Fixture.signed(now: Fixture.now + offset)
        #expect(Fixture.refusal(try Fixture.verifier(), signed) == .clockSkew)
    }

    @Test(arguments: [-60_000, 0, 60_000] as [Int64])
    func `a clock within the tolerance is fine, and its skew is known`(offset: Int64) throws {
        let verifier = try Fixture.verifier()
        #expect(Fixture.refusal(verifier, try Fixture.signed(now: Fixture.now + offset)) == nil)
        #expect(verifier.clockSkew == [.control: offset])
    }

    @Test func `attack: what control signed for one cell is refused by another one`() throws {
        let signed = try Fixture.signed()
        #expect(Fixture.refusal(try Fixture.verifier(Fixture.eu1), signed) == .unknownKey)
    }

    @Test func `attack: a cell cannot sign as control, nor for another cell`() throws {
        #expect(throws: SiloKeyError.self) {
            try Fixture.signed(source: Fixture.us1, destination: Fixture.eu1)
        }
        // Its own key, under the id of control's.
        let forged = try SiloKeyring(
            address: .control,
            keys: [
                try SiloKey(id: "c-eu1", source: .control, audience: Fixture.eu1, secret: Fixture.secret("c")),
                try SiloKey(id: "x", source: Fixture.us1, audience: .control, secret: Fixture.secret("x")),
            ])
        var head = Fixture.head()
        try SiloSigner(keyring: forged, destination: Fixture.eu1, now: { Fixture.now })
            .sign(&head, body: Fixture.body, nonce: Fixture.nonce)
        #expect(Fixture.refusal(try Fixture.verifier(Fixture.eu1), head) == .wrong)
    }

    @Test func `attack: no, two, huge, cut and odd values of authorization are refused`() throws {
        let verifier = try Fixture.verifier()
        let signed = try Fixture.signed()
        #expect(Fixture.refusal(verifier, Fixture.replacing("authorization", nil, in: signed)) == .missing)
        var twice = signed
        twice.fields.append(.authorization, Self.vector)
        #expect(Fixture.refusal(verifier, twice) == .missing)
        for count in 0..<Self.vector.utf8.count {
            let cut = Fixture.replacing("authorization", String(Self.vector.prefix(count)), in: signed)
            #expect(Fixture.refusal(verifier, cut) != nil, "the first \(count) characters")
        }
        for odd in [
            "Bearer abc", "silo1 kid=c-us1", Self.vector + ",", Self.vector + "=",
            Self.vector + String(repeating: "A", count: 2_000_000),
            Self.vector.replacing("ts=1", with: "ts=01"), Self.vector.replacing("ts=1", with: "ts=-1"),
            Self.vector.replacing("kid=c-us1", with: "kid=c us1"), Self.vector.replacing("sh=grpc", with: "sh=Grpc"),
            Self.vector.replacing("sh=grpc-timeout;", with: "sh=grpc-timeout;grpc-timeout;"),
            Self.vector.replacing(",sh", with: "AA,sh"), Self.vector.replacing("sig=k", with: "sig=_"),
        ] {
            #expect(Fixture.refusal(verifier, Fixture.replacing("authorization", odd, in: signed)) == .malformed)
        }
        let other = Self.vector.replacing("kid=c-us1", with: "kid=nobody")
        #expect(Fixture.refusal(verifier, Fixture.replacing("authorization", other, in: signed)) == .unknownKey)
        #expect(Fixture.refusal(verifier, signed) == nil)
    }

    @Test func `a silo with a TLS identity must present it`() throws {
        let verifier = try Fixture.verifier { $0.identities = [.control: "control.silo.example"] }
        let identity = { (names: [String], uris: [String]) in
            TLSPeerIdentity(subject: "CN=x", dnsNames: names, uris: uris, sha256Fingerprint: "", notAfter: 0)
        }
        let signed = try Fixture.signed()
        #expect(Fixture.refusal(verifier, signed) == .identity)
        #expect(Fixture.refusal(verifier, signed, identity: identity(["us1.silo.example"], [])) == .identity)
        #expect(Fixture.refusal(verifier, signed, identity: identity(["control.silo.example"], [])) == nil)
    }

    @Test func `no secret is in any description`() throws {
        let key = try Fixture.keys()[0]
        let keyring = try Fixture.keyring(Fixture.us1)
        let secret = String(decoding: Fixture.secret("a"), as: UTF8.self)
        let rpc0 = try RPC0Verifier(secrets: [Array(secret.utf8)])
        for text in ["\(key)", String(reflecting: key), "\(keyring)", "\(rpc0)", String(reflecting: rpc0)] {
            #expect(!text.contains(secret) && !text.contains("97, 97, 97"))
        }
        var dumped = ""
        dump(key, to: &dumped)
        dump(rpc0, to: &dumped)
        #expect(!dumped.contains(secret) && !dumped.contains("97"))
    }
}
