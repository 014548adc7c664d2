import Foundation
import NIOCore
import Testing

@testable import SiloRPC

@Suite(.timeLimit(.minutes(5))) struct KeyringTests {
    typealias Fixture = SignatureFixture

    @Test func `no keys, no start`() {
        #expect(throws: SiloKeyError.self) { try SiloKeyring(address: Fixture.us1, keys: []) }
        #expect(throws: SiloKeyError.self, "keys to call with, none to be called with") {
            try SiloKeyring(
                address: Fixture.us1,
                keys: [try SiloKey(id: "a", source: Fixture.us1, audience: .control, secret: Fixture.secret("a"))])
        }
    }

    @Test func `keys that bind nothing, say nothing or are too short are refused`() {
        #expect(throws: SiloKeyError.self) {
            try SiloKey(id: "a", source: Fixture.us1, audience: Fixture.eu1, secret: Fixture.secret("a"))
        }
        #expect(throws: SiloKeyError.self) {
            try SiloKey(id: "a", source: .control, audience: .control, secret: Fixture.secret("a"))
        }
        for id in ["", "a b", "a,b", "é", String(repeating: "a", count: 65)] {
            #expect(throws: SiloKeyError.self) {
                try SiloKey(id: id, source: .control, audience: Fixture.us1, secret: Fixture.secret("a"))
            }
        }
        #expect(throws: SiloKeyError.self) {
            try SiloKey(id: "a", source: .control, audience: Fixture.us1, secret: Array(Fixture.secret("a").dropLast()))
        }
        #expect(throws: SiloKeyError.self) {
            try SiloKeyring(address: Fixture.us1, keys: try Fixture.keys() + Fixture.keys())
        }
    }

    /// Old and new as the two sides have them in each step of ``SiloKeyring``; every step works with the one before and
    /// after it at the other side.
    @Test func `a key is changed without a refused call`() throws {
        let old = try SiloKey(id: "old", source: .control, audience: Fixture.us1, secret: Fixture.secret("o"))
        let new = try SiloKey(id: "new", source: .control, audience: Fixture.us1, secret: Fixture.secret("n"))
        let back = try SiloKey(id: "back", source: Fixture.us1, audience: .control, secret: Fixture.secret("b"))
        let steps = [[old], [old, new], [new, old], [new]]
        let signing = try SiloKeyring(address: .control, keys: [back, old])
        let verifying = try SiloKeyring(address: Fixture.us1, keys: [back, old])
        let verifier = SiloVerifier(keyring: verifying, now: { Fixture.now })
        var count: UInt64 = 0
        for (one, other) in zip(steps, steps.dropFirst()) {
            for (signs, verifies) in [(one, one), (other, one), (one, other), (other, other)] {
                try signing.replace([back] + signs)
                try verifying.replace([back] + verifies)
                count += 1
                var head = Fixture.head()
                try SiloSigner(keyring: signing, destination: Fixture.us1, now: { Fixture.now })
                    .sign(&head, body: Fixture.body, nonce: Silo1Nonce(count, 0))
                #expect(try Fixture.verify(verifier, head).keyID == signs.first?.id)
            }
        }
        #expect(count == 12)
        #expect(verifying.verifyingIDs == ["new"])
    }

    @Test func `keys of different pairs of silos with one secret are refused`() throws {
        let keys = [
            try SiloKey(id: "a", source: .control, audience: Fixture.us1, secret: Fixture.secret("s")),
            try SiloKey(id: "b", source: .control, audience: Fixture.eu1, secret: Fixture.secret("s")),
            try SiloKey(id: "c", source: Fixture.us1, audience: .control, secret: Fixture.secret("t")),
        ]
        let error = #expect(throws: SiloKeyError.self) { try SiloKeyring(address: .control, keys: keys) }
        #expect(error?.description == "keys a and b have the same secret; each pair of silos needs one of its own")
    }

    @Test func `a bad new set of keys changes nothing`() throws {
        let keyring = try Fixture.keyring(Fixture.us1)
        #expect(throws: SiloKeyError.self) { try keyring.replace([]) }
        #expect(keyring.verifyingIDs == ["c-us1"])
        #expect(keyring.signingIDs == [.control: "us1-c"])
        #expect(keyring.sources == [.control])
    }

    @Test func `a secret's file that others can read is refused`() throws {
        let path = NSTemporaryDirectory() + "/silo-key-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let missing = #expect(throws: SiloKeyError.self) { try SiloKey.secret(file: path) }
        #expect(missing?.description.hasSuffix("cannot be read: No such file or directory") == true)
        let folder = #expect(throws: SiloKeyError.self) { try SiloKey.secret(file: NSTemporaryDirectory()) }
        #expect(folder?.description.hasSuffix("cannot be read: it is a folder") == true)
        _ = FileManager.default.createFile(
            atPath: path, contents: Data(" secret\n".utf8), attributes: [.posixPermissions: 0o640])
        #expect(throws: SiloKeyError.self) { try SiloKey.secret(file: path) }
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        #expect(try SiloKey.secret(file: path) == Array("secret".utf8))
    }

    @Test func `the window forgets what is too old, and never holds more than its share`() {
        let window = ReplayWindow(tolerance: 60_000, maximumCountPerKey: 3)
        let nonce = { (n: UInt64) in Silo1Nonce(n, n) }
        let start = Fixture.now
        for number in 1...3 as ClosedRange<UInt64> {
            #expect(window.use(nonce(number), keyID: "a", time: start, now: start) == .fresh)
        }
        #expect(window.use(nonce(4), keyID: "a", time: start, now: start) == .full)
        #expect(window.use(nonce(1), keyID: "a", time: start, now: start) == .seen)
        #expect(
            window.use(nonce(1), keyID: "b", time: start, now: start) == .fresh,
            "one key does not take the room of another")
        let later = start + 80_000
        #expect(window.use(nonce(4), keyID: "a", time: later, now: later) == .fresh)
        #expect(window.count == 1, "also what the other key had")
    }

    @Test func `signers whose clocks differ share a key: what one bucket remembers is kept while another is used`() {
        let window = ReplayWindow(tolerance: 60_000, maximumCountPerKey: 100)
        let (early, late) = (Fixture.now, Fixture.now + 30_000)
        for round in 0..<5 as Range<UInt64> {
            for time in [early, late] {
                #expect(window.use(Silo1Nonce(round, UInt64(time)), keyID: "a", time: time, now: late) == .fresh)
            }
            for time in [early, late] {
                #expect(window.use(Silo1Nonce(0, UInt64(time)), keyID: "a", time: time, now: late) == .seen)
            }
        }
        #expect(window.count == 10)
        let end = late + 65_000
        #expect(window.use(Silo1Nonce(1, 1), keyID: "a", time: end, now: end) == .fresh)
        #expect(window.count == 6, "the early bucket is forgotten, the late one is not")
    }
}
