import Testing

@testable import SiloRPC

@Suite(.timeLimit(.minutes(5))) struct HMACTests {
    struct Vector: Sendable {
        let key: [UInt8]
        let message: [UInt8]
        let code: String

        init(_ key: [UInt8], _ message: [UInt8], _ code: String) {
            (self.key, self.message, self.code) = (key, message, code)
        }
    }

    private static func times(_ count: Int, _ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: count) }

    /// RFC 4231, cases 1 to 4, 6 and 7: keys shorter and longer than a block.
    static let vectors: [Vector] = [
        Vector(
            times(20, 0x0B), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        Vector(
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        Vector(
            times(20, 0xAA), times(50, 0xDD), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        Vector(
            [UInt8](1...25), times(50, 0xCD), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
        Vector(
            times(131, 0xAA), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
        Vector(
            times(131, 0xAA),
            Array(
                """
                This is a test using a larger than block-size key and a larger than block-size data. \
                The key needs to be hashed before being used by the HMAC algorithm.
                """.utf8),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"),
    ]

    @Test(arguments: vectors)
    func `HMAC-SHA256 as RFC 4231 has it, in one part and in two`(vector: Vector) {
        let mac = HMACSHA256(key: vector.key)
        let expected = hex(vector.code)
        #expect(Array(mac.code(vector.message)) == expected)
        for split in 0...vector.message.count {
            let code = mac.code { input in
                vector.message[..<split].withUnsafeBytes { input.append($0) }
                for byte in vector.message[split...] { withUnsafeBytes(of: byte) { input.append($0) } }
            }
            #expect(Array(code) == expected)
        }
    }

    @Test(arguments: [0, 1, 511, 512, 513, 1024, 5000])
    func `what does not fit the room at once gives the same code`(count: Int) {
        let mac = HMACSHA256(key: Array("key".utf8))
        let message = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let whole = Array(mac.code(message))
        for piece in [1, 100, 511, 512, 513] {
            let code = mac.code { input in
                for start in stride(from: 0, to: count, by: piece) {
                    message[start..<min(start + piece, count)].withUnsafeBytes { input.append($0) }
                }
            }
            #expect(Array(code) == whole, "in pieces of \(piece)")
        }
    }

    @Test func `codes are the same only when every byte is`() {
        let code = HMACSHA256(key: [1]).code([2])
        #expect(code.isSame(as: code))
        for place in 0..<Digest256.byteCount {
            var other = code
            other.withMutableBytes { $0[place] ^= 0x80 }
            #expect(!code.isSame(as: other))
        }
    }

    private func hex(_ text: String) -> [UInt8] {
        let digits = Array(text)
        return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
    }
}

extension [UInt8] {
    init(_ code: Digest256) { self = code.withBytes { Array($0) } }
}
