import FrameCodec
import Testing

@Suite struct TrailerBlockTests {
    private func decode(_ text: String) throws -> [String] {
        try TrailerBlock.decode(utf8(text)).map { field in
            String(decoding: field.name, as: UTF8.self) + "=" + String(decoding: field.value, as: UTF8.self)
        }
    }

    @Test("W1: lines end in CRLF, names are lower case, no blank line")
    func encode() {
        let block = TrailerBlock.encode([(utf8("Grpc-Status"), utf8("0")), (utf8("x"), utf8("a: b"))])
        #expect(block == utf8("grpc-status: 0\r\nx: a: b\r\n"))
        #expect(TrailerBlock.encode([]).isEmpty)
    }

    @Test("W3: fields that would forge lines are dropped and counted")
    func injection() {
        var dropped = 0
        let block = TrailerBlock.encode(
            [
                (utf8("a"), utf8("x\r\ngrpc-status: 0")), (utf8("b"), utf8("x\ny")), (utf8("c"), [0x78, 0]),
                (utf8("d e"), utf8("x")), ([], utf8("x")), (utf8("f:"), utf8("x")), (utf8("ok"), [0xC3, 0xA9])
            ], droppedFieldCount: &dropped)
        #expect(block == utf8("ok: é\r\n"))
        #expect(dropped == 6)
    }

    @Test("W2: mixed case, white space, missing space, duplicates in order, colons in values")
    func decoding() throws {
        #expect(
            try decode("Grpc-Status:0\r\ngrpc-message: \t a:b \r\nX: 1\r\nx: 2\r\nempty:\r\n")
                == ["grpc-status=0", "grpc-message=a:b", "x=1", "x=2", "empty="])
        #expect(try decode("") == [])
    }

    @Test("W2: a last line without CRLF and one blank line at the end are tolerated")
    func tolerance() throws {
        #expect(try decode("a: 1") == ["a=1"])
        #expect(try decode("a: 1\r\n\r\n") == ["a=1"])
    }

    @Test(
        "W1: broken grammar",
        arguments: [
            "a: 1\nb: 2\r\n", "a: 1\rb\r\n", "no colon\r\n", ": x\r\n", "a b: x\r\n", "a: 1\r\n folded\r\n",
            "a: 1\r\n\r\nb: 2\r\n", "a: \u{0}\r\n", "a : x\r\n", "a: x\r"
        ])
    func malformed(_ text: String) {
        let error = #expect(throws: TrailerBlockError.self) { try decode(text) }
        #expect(error?.isLimit == false)
    }

    @Test("limits on size and number of lines")
    func limits() {
        let block = utf8("a: 1\r\nb: 2\r\n")
        #expect(throws: TrailerBlockError.self) { try TrailerBlock.decode(block, maximumByteCount: 11) }
        let error = #expect(throws: TrailerBlockError.self) {
            try TrailerBlock.decode(block, maximumFieldCount: 1)
        }
        #expect(error?.isLimit == true)
        #expect(error?.description.contains("maximum of 1 trailer fields") == true)
    }
}
