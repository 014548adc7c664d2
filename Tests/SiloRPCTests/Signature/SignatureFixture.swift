import HTTPTransport
import NIOCore
import Testing

@testable import SiloRPC

/// Control and two cells with keys, a clock that stands, and requests between them.
enum SignatureFixture {
    static let us1 = SiloAddress.cell(try! CellName("us1"))
    static let eu1 = SiloAddress.cell(try! CellName("eu1"))
    static let now: Int64 = 1_700_000_000_000
    /// The bytes 0 to 15.
    static let nonce = Silo1Nonce(UInt64(bigEndian: 0x0001_0203_0405_0607), UInt64(bigEndian: 0x0809_0A0B_0C0D_0E0F))

    static func secret(_ letter: String) -> [UInt8] { Array(String(repeating: letter, count: 32).utf8) }

    static func keys() throws -> [SiloKey] {
        [
            try SiloKey(id: "c-us1", source: .control, audience: us1, secret: secret("a")),
            try SiloKey(id: "c-eu1", source: .control, audience: eu1, secret: secret("b")),
            try SiloKey(id: "us1-c", source: us1, audience: .control, secret: secret("c")),
            try SiloKey(id: "eu1-c", source: eu1, audience: .control, secret: secret("d")),
        ]
    }

    static func keyring(_ address: SiloAddress) throws -> SiloKeyring {
        try SiloKeyring(address: address, keys: try keys())
    }

    static func verifier(
        _ address: SiloAddress = us1, now: Int64 = now, configure: (inout SiloVerifier.Configuration) -> Void = { _ in }
    ) throws -> SiloVerifier {
        var configuration = SiloVerifier.Configuration()
        configure(&configuration)
        return SiloVerifier(keyring: try keyring(address), configuration: configuration, now: { now })
    }

    static func head(
        _ pairs: [(String, String)] = [
            ("x-silo-organization", "7"), ("grpc-timeout", "5S"), ("traceparent", "00-1-2-3")
        ]
    ) -> HTTPRequestHead {
        var fields = HTTPFields()
        for (name, value) in pairs {
            if let name = HTTPFieldName(name) { fields.append(name, value) }
        }
        fields.append(.contentType, "application/grpc+proto")
        return HTTPRequestHead(
            method: .post, path: "/silo.Things/Get", scheme: "http", authority: "us1.internal:8443", fields: fields)
    }

    static let body = ByteBuffer(bytes: [0, 0, 0, 0, 2, 8, 7])

    /// A request of control to us1, signed.
    static func signed(
        _ head: HTTPRequestHead = head(), body: ByteBuffer = body, source: SiloAddress = .control,
        destination: SiloAddress = us1, now: Int64 = now, nonce: Silo1Nonce = nonce
    ) throws -> HTTPRequestHead {
        var head = head
        try SiloSigner(keyring: try keyring(source), destination: destination, now: { now })
            .sign(&head, body: body, nonce: nonce)
        return head
    }

    static func verify(
        _ verifier: SiloVerifier, _ head: HTTPRequestHead, body: ByteBuffer = body, identity: TLSPeerIdentity? = nil
    ) throws -> SiloPeer {
        let checked = try verifier.checkHead(head, identity: identity)
        return try body.withUnsafeReadableBytes { try verifier.checkBody($0, of: checked) }
    }

    /// Why it is refused, head and body one after the other; afterwards both at once, which must say the same, or that
    /// it has been there.
    static func refusal(
        _ verifier: SiloVerifier, _ head: HTTPRequestHead, body: ByteBuffer = body, identity: TLSPeerIdentity? = nil
    ) -> SignatureRefusal.Reason? {
        let reason = reason { try verify(verifier, head, body: body, identity: identity) }
        let again = Self.reason {
            try body.withUnsafeReadableBytes { try verifier.check(head, body: $0, identity: identity).peer }
        }
        let isOld = head.fields.first(.authorization)?.hasPrefix("Silo1") == false
        #expect(again == (reason ?? (isOld ? nil : .replayed)))
        return reason
    }

    private static func reason(_ check: () throws -> SiloPeer) -> SignatureRefusal.Reason? {
        do {
            _ = try check()
            return nil
        } catch {
            return (error as? SignatureRefusal)?.reason
        }
    }

    /// `head` with another value of a field.
    static func replacing(_ name: String, _ value: String?, in head: HTTPRequestHead) -> HTTPRequestHead {
        var head = head
        guard let name = HTTPFieldName(name) else { return head }
        head.fields.removeAll(name)
        if let value { head.fields.append(name, value) }
        return head
    }
}
