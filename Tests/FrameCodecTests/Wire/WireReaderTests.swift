import FrameCodec
import Testing

@Suite struct WireReaderTests {
    @Test(
        "malformed input is an error with the place",
        arguments: [
            ("08", "ends inside"), ("08 80", "ends inside"), ("3D 00 00", "ends inside"),
            ("41 00", "ends inside"),
            ("72 05 61", "ends inside"), ("8A 01 05 08", "ends inside"), ("FA 01 02 01", "ends inside"),
            ("FA 01 01 80", "ends inside"), ("8A 01 01 08", "ends inside"),
            ("72 FF FF FF FF FF FF FF FF FF 01", "ends inside"),
            ("08 80 80 80 80 80 80 80 80 80 80 01", "varint"), ("08 FF FF FF FF FF FF FF FF FF 02", "varint"),
            ("00 01", "field number 0"), ("05", "field number 0"), ("80 80 80 80 80 00 01", "field number 0"),
            ("80 80 80 80 10 01", "field number 0"), ("0E", "wire type"), ("0F 01", "wire type"),
            ("96 F4 01", "wire type"),
            ("0C", "group end"), ("9C F4 01", "group end"), ("9B F4 01 A4 F4 01", "group end"),
            ("9B F4 01", "ends inside"),
            ("72 01 FF", "UTF-8"), ("72 02 C0 80", "UTF-8"), ("72 03 ED A0 80", "UTF-8"),
            ("72 04 F4 90 80 80", "UTF-8"),
            ("72 09 61 61 61 61 61 61 61 61 C3", "UTF-8"), ("9A 03 03 0A 01 FF", "UTF-8"),
            ("A2 01 01 80", "UTF-8")
        ])
    func malformed(_ bytes: String, _ text: String) {
        let error = #expect(throws: WireError.self) { try AllKinds(serializedBytes: hex(bytes)) }
        #expect(error?.description.contains(text) == true, "\(String(describing: error))")
        #expect(error?.isLimit == false)
    }

    @Test(
        "valid UTF-8 of every length",
        arguments: ["a", "é", "漢", "😀", "aaaaaaaé", "\u{10FFFF}\u{7FF}\u{800}\u{FFFF}\u{D7FF}\u{E000}"])
    func validUTF8(_ text: String) throws {
        #expect(
            try AllKinds(serializedBytes: AllKinds(stringField: text).serializedBytes()).stringField == text)
    }

    @Test("every truncation of a message is an error or a shorter message, never a trap")
    func truncations() throws {
        let message = AllKinds(
            int32Field: -1, doubleField: 1, stringField: "text", nested: AllKinds.Nested(id: 300, name: "n"),
            packedSint64: [1, -200], stringMap: ["key": "value"], choice: .choiceNumber(3))
        let bytes = message.serializedBytes()
        for count in 0..<bytes.count {
            _ = try? AllKinds(serializedBytes: Array(bytes[..<count]))
        }
    }

    @Test("unknown fields of every wire type are kept and written back after the known ones")
    func unknownFields() throws {
        let unknown = hex(
            "98 F4 01 05  99 F4 01 01 02 03 04 05 06 07 08  9A F4 01 02 61 62  9D F4 01 01 02 03 04"
                + "9B F4 01 08 01 9B F4 01 9C F4 01 9C F4 01")
        let message = try AllKinds(serializedBytes: unknown + hex("08 01"))
        #expect(message.int32Field == 1)
        #expect(message.unknownFields.bytes == unknown)
        #expect(message.serializedBytes() == hex("08 01") + unknown)
        #expect(message.unknownFields.lastVarint(field: 3907) == 5)
    }

    @Test("a known field with another wire type is an unknown field")
    func otherWireType() throws {
        let message = try AllKinds(serializedBytes: hex("0A 01 61  70 05"))
        #expect(message.int32Field == 0)
        #expect(message.unknownFields.bytes == hex("0A 01 61  70 05"))
    }

    @Test("unknown fields of nested messages stay with them")
    func nestedUnknown() throws {
        let bytes = hex("8A 01 05 08 01 98 06 07")
        #expect(try AllKinds(serializedBytes: bytes).serializedBytes() == bytes)
    }

    @Test("the last varint of an unknown field")
    func lastVarint() throws {
        let message = try Nothing(serializedBytes: hex("80 01 01  0A 01 61  80 01 02"))
        #expect(message.unknownFields.lastVarint(field: 16) == 2)
        #expect(message.unknownFields.lastVarint(field: 1) == nil)
        var cleared = message
        cleared.unknownFields.removeAll()
        #expect(cleared == Nothing())
    }
}

@Suite struct WireLimitsTests {
    /// `count` messages, each inside the one before.
    private func nested(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<count { bytes = AllKinds.wrapped(bytes) }
        return bytes
    }

    @Test("depth: exactly 100 levels pass, 101 do not")
    func depth() throws {
        #expect(throws: Never.self) { try AllKinds(serializedBytes: nested(100)) }
        let error = #expect(throws: WireError.self) { try AllKinds(serializedBytes: nested(101)) }
        #expect(error?.isLimit == true)
        #expect(error?.description.contains("maximumDepth") == true)
    }

    @Test("unknown groups share the depth with messages")
    func groupDepth() {
        func groups(_ count: Int) -> [UInt8] {
            [[UInt8]](repeating: [0x0B], count: count).flatMap { $0 }
                + [[UInt8]](repeating: [0x0C], count: count).flatMap { $0 }
        }
        #expect(throws: Never.self) { try Nothing(serializedBytes: groups(100)) }
        #expect(throws: WireError.self) { try Nothing(serializedBytes: groups(101)) }
        #expect(throws: WireError.self) {
            try Nothing(serializedBytes: [UInt8](repeating: 0x0B, count: 1_000_000))
        }
        #expect(throws: Never.self) {
            try AllKinds(serializedBytes: AllKinds.wrapped(groupsOfUnknown(99)))
        }
        #expect(throws: WireError.self) {
            try AllKinds(serializedBytes: AllKinds.wrapped(groupsOfUnknown(100)))
        }
    }

    private func groupsOfUnknown(_ count: Int) -> [UInt8] {
        (0..<count).flatMap { _ in hex("9B F4 01") } + (0..<count).flatMap { _ in hex("9C F4 01") }
    }

    @Test("memory: tiny elements that become large values are charged before they are stored")
    func elementBudget() {
        let bytes = (0..<1000).flatMap { _ in hex("CA 02 00") }
        #expect(throws: Never.self) { try AllKinds(serializedBytes: bytes) }
        let limits = WireLimits(maximumElementByteCount: 100 * MemoryLayout<AllKinds>.stride)
        let error = #expect(throws: WireError.self) { try AllKinds(serializedBytes: bytes, limits: limits) }
        #expect(error?.isLimit == true)
        #expect(error?.description.contains("maximumElementByteCount") == true)
        let packed = hex("FA 01 64") + [UInt8](repeating: 1, count: 100)
        #expect(throws: WireError.self) {
            try AllKinds(serializedBytes: packed, limits: WireLimits(maximumElementByteCount: 99 * 4))
        }
    }
}

extension AllKinds {
    /// `bytes` as the content of field `child`.
    static func wrapped(_ bytes: [UInt8]) -> [UInt8] {
        var length: [UInt8] = []
        var rest = bytes.count
        while rest >= 0x80 {
            length.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return hex("92 01") + length + [UInt8(rest)] + bytes
    }
}
