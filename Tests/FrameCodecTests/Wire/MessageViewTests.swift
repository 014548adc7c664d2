import FrameCodec
import Testing

@Suite struct MessageViewTests {
    private var sample: AllKinds {
        AllKinds(
            int32Field: -3, stringField: "text", bytesField: [1, 2], color: .blue,
            nested: AllKinds.Nested(id: 7, name: "seven"), child: AllKinds(stringField: "child"), optionalInt32: 0,
            packedInt32: [1, -1, 300], strings: ["a", "b"],
            nestedList: [AllKinds.Nested(id: 1), AllKinds.Nested(id: 2, name: "two")], stringMap: ["k": "v"],
            nestedMap: [4: AllKinds.Nested(name: "four")], choice: .choiceNested(AllKinds.Nested(id: 9)),
            webURL: "https://example.org", largeNumber: 5)
    }

    private func view(_ message: AllKinds) throws -> MessageView<AllKinds> {
        try MessageView(serializedBytes: message.serializedBytes())
    }

    @Test("a field of any kind is what decoding gives")
    func fields() throws {
        let view = try view(sample)
        #expect(view.int32Field == -3)
        #expect(view.stringField == "text")
        #expect(view.bytesField == [1, 2])
        #expect(view.color == .blue)
        #expect(view.optionalInt32 == 0)
        #expect(view.optionalString == nil)
        #expect(view.packedInt32 == [1, -1, 300])
        #expect(view.strings == ["a", "b"])
        #expect(view.stringMap == ["k": "v"])
        #expect(view.choice == .choiceNested(AllKinds.Nested(id: 9)))
        #expect(view.largeNumber == 5)
        #expect(view.message == sample)
    }

    @Test("nested messages are views, also those that a computed property holds")
    func nested() throws {
        let view = try view(sample)
        #expect(view.nested?.name == "seven")
        #expect(view.timestamp == nil)
        #expect(view.child?.stringField == "child")
        #expect(view.nestedList.map(\.id) == [1, 2])
        #expect(Array(view.nestedList).last?.message == AllKinds.Nested(id: 2, name: "two"))
        let decoded: [AllKinds.Nested] = view.nestedList
        #expect(decoded == sample.nestedList)
    }

    @Test("P: a nested message that comes twice is merged, a single value that comes twice is the last")
    func merges() throws {
        let first = AllKinds(stringField: "old", nested: AllKinds.Nested(id: 1))
        let second = AllKinds(stringField: "new", nested: AllKinds.Nested(name: "n"))
        let view = try MessageView<AllKinds>(serializedBytes: first.serializedBytes() + second.serializedBytes())
        #expect(view.nested?.message == AllKinds.Nested(id: 1, name: "n"))
        #expect(view.stringField == "new")
    }

    @Test("unknown fields are there")
    func unknown() throws {
        let view = try MessageView<AllKinds.Nested>(serializedBytes: hex("08 01 A0 06 05"))
        #expect(view.id == 1)
        #expect(view.unknownFields.bytes == hex("A0 06 05"))
    }

    @Test("checking refuses what decoding refuses, for damaged bytes of every kind")
    func agreesWithDecoding() throws {
        let bytes = sample.serializedBytes(deterministic: true)
        var random = SeededGenerator(state: 4)
        let limits = WireLimits(maximumDepth: 4, maximumElementByteCount: 4096)
        for _ in 0..<20_000 {
            var damaged = bytes
            for _ in 0...Int.random(in: 0..<3, using: &random) {
                damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            damaged.removeLast(Int.random(in: 0..<4, using: &random))
            let decoded = try? AllKinds(serializedBytes: damaged, limits: limits)
            let view = try? MessageView<AllKinds>(serializedBytes: damaged, limits: limits)
            #expect((decoded == nil) == (view == nil), "\(damaged)")
            if let decoded, let view { #expect(view.message.serializedBytes(deterministic: true)
                == decoded.serializedBytes(deterministic: true)) }
        }
    }

    @Test("limits act when checking, and the error names them")
    func limits() {
        let deep = AllKinds(child: AllKinds(child: AllKinds()))
        #expect(throws: WireError.self) {
            try MessageView<AllKinds>(serializedBytes: deep.serializedBytes(), limits: WireLimits(maximumDepth: 1))
        }
        let wide = AllKinds(packedInt32: [Int32](repeating: 1, count: 100))
        let error = #expect(throws: WireError.self) {
            try MessageView<AllKinds>(
                serializedBytes: wide.serializedBytes(), limits: WireLimits(maximumElementByteCount: 399))
        }
        #expect(error?.isLimit == true)
    }
}
