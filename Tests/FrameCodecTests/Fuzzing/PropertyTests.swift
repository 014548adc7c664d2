import FrameCodec
import Testing

/// A small fuzzer with a fixed seed: damaged messages must give errors, never a trap.
@Suite struct PropertyTests {
    private static let samples: [[UInt8]] =
        WireFormatTests.vectors.map { hex($0.0) } + [
            AllKinds(
                stringField: "some text",
                children: [AllKinds(packedDouble: [1, 2]), AllKinds(strings: ["a", "bb"])],
                nestedMap: [1: AllKinds.Nested(id: 2, name: "x")],
                struct: .init(fields: ["k": .init(kind: .numberValue(1))])
            ).serializedBytes(deterministic: true)
        ]

    private func damaged(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let position = Int.random(in: 0...bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes.insert(UInt8.random(in: 0...255, using: &random), at: position)
            case 1 where position < bytes.count: bytes.remove(at: position)
            case 2 where position < bytes.count:
                bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            default: bytes += Self.samples.randomElement(using: &random) ?? []
            }
        }
        return bytes
    }

    @Test("damaged bytes through every check", arguments: FuzzChecks.all.map(\.name))
    func damage(_ name: String) throws {
        let check = try #require(FuzzChecks.all.first { $0.name == name }?.check)
        var random = SeededGenerator(state: 42)
        let texts = JSONTests.pairs.map { utf8($0.0) } + WellKnownJSONTests.pairs.map { utf8($0.0) }
        let samples = name == "JSON" ? texts : Self.samples + texts
        for _ in 0..<3000 {
            let bytes = damaged(samples.randomElement(using: &random) ?? [], &random)
            #expect(bytes.withUnsafeBytes { check($0) } == nil, "\(bytes)")
        }
    }
}
