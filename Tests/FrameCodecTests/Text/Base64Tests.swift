import FrameCodec
import Testing

@Suite struct Base64Tests {
    static let vectors = [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy")
    ]

    private func stream(_ pieces: [[UInt8]]) throws -> [UInt8] {
        var decoder = Base64StreamDecoder()
        var output: [UInt8] = []
        for piece in pieces { try piece.withUnsafeBytes { try decoder.decode($0, into: &output) } }
        try decoder.finish(into: &output)
        return output
    }

    @Test("RFC 4648 section 10", arguments: vectors)
    func rfc(_ plain: String, _ text: String) throws {
        #expect(Base64.encode(utf8(plain)) == utf8(text))
        #expect(Base64.encode(utf8(plain), padded: false) == utf8(text.filter { $0 != "=" }))
        #expect(Base64.decode(utf8(text)) == utf8(plain))
        #expect(try stream([utf8(text)]) == utf8(plain))
    }

    @Test("M5: padded and unpadded are accepted")
    func unpadded() {
        #expect(Base64.decode(utf8("Zm9vYg")) == utf8("foob"))
        #expect(Base64.decode(utf8("Zm9vYmE")) == utf8("fooba"))
    }

    @Test(
        "one-shot: what is not base64",
        arguments: ["Z", "Zg=", "Zm8==", "====", "=", "Zg==Zg==", "Zm 9v", "Zm9-", "Zm9v\n"])
    func invalid(_ text: String) {
        #expect(Base64.decode(utf8(text)) == nil)
    }

    @Test("one-shot: the URL-safe alphabet only where asked for")
    func urlSafe() {
        #expect(Base64.decode(utf8("-_8="), acceptsURLSafeAlphabet: true) == [0xFB, 0xFF])
        #expect(Base64.decode(utf8("+/8="), acceptsURLSafeAlphabet: true) == [0xFB, 0xFF])
        #expect(Base64.decode(utf8("-_8=")) == nil)
    }

    @Test("every length against a bit-by-bit encoder")
    func lengths() throws {
        var random = SeededGenerator(state: 1)
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(Base64.encode(bytes) == reference(bytes))
            #expect(Base64.decode(reference(bytes)) == bytes)
            #expect(try stream([reference(bytes)]) == bytes)
        }
    }

    private func reference(_ bytes: [UInt8]) -> [UInt8] {
        let alphabet = utf8("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        let bits = bytes.flatMap { byte in (0..<8).map { byte >> (7 - $0) & 1 } }
        var text = stride(from: 0, to: bits.count, by: 6).map { start in
            alphabet[(0..<6).reduce(0) { $0 << 1 | (start + $1 < bits.count ? Int(bits[start + $1]) : 0) }]
        }
        while text.count % 4 != 0 { text.append(UInt8(ascii: "=")) }
        return text
    }

    @Test(
        "W12: chunks padded independently, at every split",
        arguments: [
            ("Zg==Zm8=Zm9v", "ffofoo"), ("AAAAAAA=Zg==", "\0\0\0\0\0f"), ("Zg==", "f"),
            ("Zm9vYg==Zm9vYmE=", "foobfooba")
        ])
    func concatenated(_ text: String, _ plain: String) throws {
        for pieces in everySplit(utf8(text)) { #expect(try stream(pieces) == utf8(plain)) }
    }

    @Test(
        "W12: an end without padding gives what the symbols hold",
        arguments: [("Zg", "f"), ("Zm8", "fo"), ("Zg=", "f")])
    func lenientEnd(_ text: String, _ plain: String) throws {
        for pieces in everySplit(utf8(text)) { #expect(try stream(pieces) == utf8(plain)) }
    }

    @Test(
        "W12: refused at every split",
        arguments: ["Z", "Zm9vZ", "=", "Z=", "Zg=a", "Zg===", "Zm8==", "Zm\n9v", "Zm9v Zm9v", "Zm-_"])
    func refused(_ text: String) {
        for pieces in everySplit(utf8(text)) {
            #expect(throws: Base64Error.self) { try stream(pieces) }
        }
    }

    @Test("errors say where")
    func position() {
        let error = #expect(throws: Base64Error.self) { try stream([utf8("Zm9v"), utf8("Zm9*")]) }
        #expect(error?.offset == 7)
    }

    @Test("W13: a stream flushed in between decodes to the same bytes")
    func flushes() throws {
        let bytes = Array(0..<UInt8(50))
        for cut in 0...bytes.count {
            var encoder = Base64StreamEncoder()
            var text: [UInt8] = []
            bytes[..<cut].withUnsafeBytes { encoder.encode($0, into: &text) }
            encoder.flush(into: &text)
            bytes[cut...].withUnsafeBytes { encoder.encode($0, into: &text) }
            encoder.flush(into: &text)
            encoder.flush(into: &text)
            #expect(text.count % 4 == 0)
            #expect(try stream([text]) == bytes)
        }
    }

    @Test("W13: without a flush no quantum is split")
    func carry() {
        for pieces in everySplit(utf8("foobarba")) {
            var encoder = Base64StreamEncoder()
            var text: [UInt8] = []
            for piece in pieces { piece.withUnsafeBytes { encoder.encode($0, into: &text) } }
            encoder.flush(into: &text)
            #expect(text == utf8("Zm9vYmFyYmE="))
        }
    }

    @Test(arguments: 0..<70)
    func `a value of known size has one text: no padding, no stray bits, nothing else`(count: Int) {
        func decoded(_ text: [UInt8]) -> [UInt8]? {
            var bytes = [UInt8](repeating: 0xAA, count: count)
            let isValid = text.withUnsafeBytes { text in
                bytes.withUnsafeMutableBytes { Base64.decode(text, filling: $0) }
            }
            return isValid ? bytes : nil
        }
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count) }
        let text = Base64.encode(bytes, padded: false)
        #expect(decoded(text) == bytes)
        #expect(decoded(text + Array("A".utf8)) == nil && (count == 0 || decoded(Array(text.dropLast())) == nil))
        if count % 3 != 0 { #expect(decoded(Base64.encode(bytes, padded: true)) == nil) }
        for place in text.indices {
            for wrong in Array("=-_ ,\u{0}".utf8) + [0x80, 0xFF] {
                var other = text
                other[place] = wrong
                #expect(decoded(other) == nil)
            }
        }
        // The last symbol of a rest has bits that stand for nothing.
        guard count % 3 != 0, let last = text.last else { return }
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        let valid = alphabet.filter { decoded(Array(text.dropLast()) + [$0]) != nil }
        #expect(valid.count == (count % 3 == 1 ? 4 : 16) && valid.contains(last))
    }
}
