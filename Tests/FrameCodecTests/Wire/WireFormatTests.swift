import FrameCodec
import Testing

@Suite struct WireFormatTests {
    /// Bytes worked out by hand from the protobuf encoding document.
    static let vectors: [(String, AllKinds)] = [
        ("", AllKinds()),
        ("08 96 01", AllKinds(int32Field: 150)),
        ("08 FF FF FF FF FF FF FF FF FF 01", AllKinds(int32Field: -1)),
        ("10 80 80 80 80 80 80 80 80 80 01", AllKinds(int64Field: .min)),
        ("18 FF FF FF FF 0F", AllKinds(uint32Field: .max)),
        ("20 FF FF FF FF FF FF FF FF FF 01", AllKinds(uint64Field: .max)),
        ("28 01", AllKinds(sint32Field: -1)),
        ("28 FF FF FF FF 0F", AllKinds(sint32Field: .min)),
        ("30 FE FF FF FF FF FF FF FF FF 01", AllKinds(sint64Field: .max)),
        ("3D 01 00 00 00", AllKinds(fixed32Field: 1)),
        ("41 02 00 00 00 00 00 00 00", AllKinds(fixed64Field: 2)),
        ("4D FF FF FF FF", AllKinds(sfixed32Field: -1)),
        ("51 FE FF FF FF FF FF FF FF", AllKinds(sfixed64Field: -2)),
        ("5D 00 00 C0 3F", AllKinds(floatField: 1.5)),
        ("5D 00 00 00 80", AllKinds(floatField: -0.0)),
        ("61 00 00 00 00 00 00 F8 3F", AllKinds(doubleField: 1.5)),
        ("68 01", AllKinds(boolField: true)),
        ("72 07 74 65 73 74 69 6E 67", AllKinds(stringField: "testing")),
        ("7A 02 00 FF", AllKinds(bytesField: [0, 255])),
        ("80 01 02", AllKinds(color: .blue)),
        ("80 01 FF FF FF FF FF FF FF FF FF 01", AllKinds(color: .infrared)),
        ("80 01 4D", AllKinds(color: Color(rawValue: 77))),
        ("8A 01 00", AllKinds(nested: AllKinds.Nested())),
        ("8A 01 05 08 01 12 01 61", AllKinds(nested: AllKinds.Nested(id: 1, name: "a"))),
        ("92 01 05 92 01 02 08 01", AllKinds(child: AllKinds(child: AllKinds(int32Field: 1)))),
        ("98 01 00", AllKinds(optionalInt32: 0)),
        ("A2 01 00", AllKinds(optionalString: "")),
        ("FA 01 03 01 96 01", AllKinds(packedInt32: [1, 150])),
        ("8A 02 08 01 00 00 00 02 00 00 00", AllKinds(packedFixed32: [1, 2])),
        ("A8 02 01 A8 02 02", AllKinds(unpackedInt32: [1, 2])),
        ("B2 02 01 61 B2 02 00", AllKinds(strings: ["a", ""])),
        ("9A 03 06 0A 01 6B 12 01 76", AllKinds(stringMap: ["k": "v"])),
        ("9A 03 04 0A 00 12 00", AllKinds(stringMap: ["": ""])),
        ("EA 03 00", AllKinds(choice: .choiceText(""))),
        ("F0 03 00", AllKinds(choice: .choiceNumber(0))),
        ("FA 03 00", AllKinds(choice: .choiceNested(AllKinds.Nested()))),
        ("F8 FF FF FF 0F 01", AllKinds(largeNumber: 1))
    ]

    @Test("hand-made bytes, both ways", arguments: vectors)
    func golden(_ bytes: String, _ message: AllKinds) throws {
        #expect(message.serializedBytes() == hex(bytes))
        #expect(message.encodedByteCount == hex(bytes).count)
        #expect(try AllKinds(serializedBytes: hex(bytes)) == message)
    }

    @Test("fields are written in the order of their numbers, unknown ones last")
    func order() throws {
        let bytes = hex("98 F4 01 05  F0 03 01  12 00  08 01")
        let message = try AllKinds(serializedBytes: bytes)
        #expect(message.serializedBytes() == hex("08 01  F0 03 01  98 F4 01 05  12 00"))
        #expect(try AllKinds(serializedBytes: message.serializedBytes()) == message)
    }

    @Test("packed and unpacked are both read, whichever the .proto says")
    func packing() throws {
        #expect(try AllKinds(serializedBytes: hex("F8 01 01 F8 01 02")).packedInt32 == [1, 2])
        #expect(try AllKinds(serializedBytes: hex("AA 02 02 01 02")).unpackedInt32 == [1, 2])
        #expect(
            try AllKinds(serializedBytes: hex("FA 01 02 01 02 F8 01 03 FA 01 00")).packedInt32 == [1, 2, 3])
        #expect(try AllKinds(serializedBytes: hex("8D 02 07 00 00 00")).packedFixed32 == [7])
    }

    @Test("the last value wins; messages are merged; repeated fields grow")
    func merging() throws {
        let message = try AllKinds(
            serializedBytes: hex(
                "08 01 08 02  8A 01 02 08 01  8A 01 03 12 01 61  B2 02 01 61  B2 02 01 62"
                    + "9A 03 06 0A 01 6B 12 01 76"
                    + "9A 03 06 0A 01 6B 12 01 77"))
        #expect(message.int32Field == 2)
        #expect(message.nested == AllKinds.Nested(id: 1, name: "a"))
        #expect(message.strings == ["a", "b"])
        #expect(message.stringMap == ["k": "w"])
    }

    @Test("oneof: the last member wins; the same message member is merged")
    func oneof() throws {
        #expect(try AllKinds(serializedBytes: hex("EA 03 01 61 F0 03 07")).choice == .choiceNumber(7))
        let merged = try AllKinds(serializedBytes: hex("FA 03 02 08 01  FA 03 03 12 01 61"))
        #expect(merged.choice == .choiceNested(AllKinds.Nested(id: 1, name: "a")))
        let replaced = try AllKinds(serializedBytes: hex("FA 03 02 08 01  F0 03 07  FA 03 03 12 01 61"))
        #expect(replaced.choice == .choiceNested(AllKinds.Nested(name: "a")))
    }

    @Test("map entries: parts in any order, parts missing, unknown parts dropped")
    func mapEntries() throws {
        let message = try AllKinds(
            serializedBytes: hex(
                "9A 03 06 12 01 76 0A 01 6B   9A 03 00   9A 03 05 0A 01 6C 18 01   A2 03 02 08 05"))
        #expect(message.stringMap == ["k": "v", "": "", "l": ""])
        #expect(message.nestedMap == [5: AllKinds.Nested()])
    }

    @Test("deterministic mode writes maps in the order of their keys")
    func deterministicMaps() {
        let message = AllKinds(stringMap: ["b": "", "a": "", "": "", "é": ""], doubleMap: [3: 0, -3: 0, 0: 0])
        let bytes = message.serializedBytes(deterministic: true)
        let expected = hex(
            "9A 03 04 0A 00 12 00  9A 03 05 0A 01 61 12 00  9A 03 05 0A 01 62 12 00  9A 03 06 0A 02 C3 A9 12 00"
                + "BA 03 0B 08 05 11 00 00 00 00 00 00 00 00  BA 03 0B 08 00 11 00 00 00 00 00 00 00 00"
                + "BA 03 0B 08 06 11 00 00 00 00 00 00 00 00")
        #expect(bytes == expected)
        #expect(message.serializedBytes().count == bytes.count)
        #expect((0..<20).allSatisfy { _ in message.serializedBytes(deterministic: true) == bytes })
    }

    @Test("a varint may be longer than it needs to be, up to ten bytes")
    func overlongVarints() throws {
        #expect(try AllKinds(serializedBytes: hex("08 81 80 80 80 00")).int32Field == 1)
        #expect(try AllKinds(serializedBytes: hex("88 80 00 01")).int32Field == 1)
        #expect(try AllKinds(serializedBytes: hex("68 80 80 80 80 80 80 80 80 80 01")).boolField)
        #expect(try AllKinds(serializedBytes: hex("08 80 80 80 80 10")).int32Field == 0)
    }

    private func repeated(_ text: String, _ count: Int) -> [UInt8] {
        let bytes = hex(text)
        return (0..<count).flatMap { _ in bytes }
    }

    @Test("merging many occurrences of one message into each other copies nothing over and over")
    func manyOccurrences() throws {
        let count = 100_000
        let child = try AllKinds(serializedBytes: repeated("92 01 03 F8 01 01", count))
        #expect(child.child?.packedInt32.count == count)
        let choice = try AllKinds(serializedBytes: repeated("82 04 03 F8 01 01", count))
        guard case .choiceChild(let member)? = choice.choice else {
            Issue.record("the oneof is not set")
            return
        }
        #expect(member.packedInt32.count == count)
    }

    @Test("messages that contain each other")
    func mutualRecursion() throws {
        let left = Left(right: Right(left: Left(value: 3)), value: 1)
        #expect(left.serializedBytes() == hex("0A 04 0A 02 10 03  10 01"))
        #expect(try Left(serializedBytes: left.serializedBytes()) == left)
        var copy = left
        copy.right?.left?.value = 4
        #expect(left.right?.left?.value == 3)
    }

    @Test("encoding into memory of the caller")
    func callerMemory() {
        let message = AllKinds(int32Field: 150)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: message.encodedByteCount, alignment: 1)
        defer { memory.deallocate() }
        message.encode(into: memory)
        #expect(memory.elementsEqual(hex("08 96 01")))
        Nothing().encode(into: UnsafeMutableRawBufferPointer(start: nil, count: 0))
    }

    @Test("proto2: presence, declared defaults, packing")
    func proto2() throws {
        #expect(Proto2().number == nil)
        #expect(Proto2().numberOrDefault == 42)
        #expect(Proto2().textOrDefault == "a \"b\"\n")
        #expect(Proto2().modeOrDefault == .fast)
        #expect(Proto2().ratioOrDefault == -.infinity)
        #expect(
            Proto2(number: 0, unpacked: [1, 2], packed: [1, 2]).serializedBytes()
                == hex("08 00 20 01 20 02 2A 02 01 02"))
    }
}
