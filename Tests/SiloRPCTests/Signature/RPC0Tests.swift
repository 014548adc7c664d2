import HTTPTransport
import NIOCore
import Testing

@testable import SiloRPC

/// The published vectors of the older scheme.
@Suite(.timeLimit(.minutes(5))) struct RPC0Tests {
    static let path = "/api/0/internal/rpc/organization/get_organization_by_id/"
    static let one = Array("secret-one".utf8)
    static let two = Array("secret-two".utf8)

    @Test(arguments: [
        (one, #"{"meta":{},"args":{"id":1}}"#, "7c3657d46ec347385347e3fdb90450e0ac817f7dfde241ace31eed23a93ceff2"),
        (two, #"{"meta":{},"args":{"id":1}}"#, "03c63bdd5fbbffb17112a4dc743d1f2fa98c605dc2e3d412b25ab8822e5c2450"),
        (
            one, #"{"meta":{},"args":{"name":"café"}}"#,
            "623ad4dcd09d8f5560cb6d7c9169a8499319a43762e014cc07d6fd17cb578c73"
        ),
        (one, "", "6ae0e9f9c5aaf6b5e2fedf0844dbe5da4b214f4e4be20ac3ff4f99cc3f6b94c9"),
    ])
    func `vectors`(secret: [UInt8], body: String, hex: String) throws {
        let verifier = try RPC0Verifier(secrets: [secret])
        #expect(verifier.sign(path: Self.path, body: Array(body.utf8)) == "rpc0:\(hex)")
    }

    @Test func `every secret verifies, the first signs, and nothing else passes`() throws {
        let verifier = try RPC0Verifier(secrets: [Self.two, Self.one])
        let body = Array("x".utf8)
        let old = try RPC0Verifier(secrets: [Self.one]).sign(path: Self.path, body: body)
        let isValid = { (token: String, path: String, body: [UInt8]) in
            body.withUnsafeBytes { verifier.isValid(token, path: path, body: $0) }
        }
        #expect(isValid(old, Self.path, body))
        #expect(isValid(verifier.sign(path: Self.path, body: body), Self.path, body))
        #expect(!isValid(old, Self.path + "x", body))
        #expect(!isValid(old, Self.path, body + body))
        for token in [
            "", "rpc0", "rpc0:", old + ":x", "rpc1:" + old.dropFirst(5), old.uppercased(), String(old.dropLast())
        ] {
            #expect(!isValid(token, Self.path, body), "\(token)")
        }
        #expect(throws: SiloKeyError.self) { try RPC0Verifier(secrets: []) }
    }

    @Test func `it is refused unless switched on`() throws {
        let rpc0 = try RPC0Verifier(secrets: [Self.one])
        let token = rpc0.sign(path: "/silo.Things/Get", body: Array(SignatureFixture.body.readableBytesView))
        let head = SignatureFixture.replacing("authorization", "rpcSignature \(token)", in: SignatureFixture.head())
        #expect(SignatureFixture.refusal(try SignatureFixture.verifier(), head) == .malformed)
        let open = try SignatureFixture.verifier { $0.rpc0 = rpc0 }
        #expect(try SignatureFixture.verify(open, head) == SiloPeer(source: nil, keyID: "rpc0"))
        #expect(SignatureFixture.refusal(open, head, body: ByteBuffer()) == .wrong)
        #expect(SignatureFixture.refusal(open, try SignatureFixture.signed()) == nil, "the new scheme goes on")
    }
}
