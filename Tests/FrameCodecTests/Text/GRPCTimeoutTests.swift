import FrameCodec
import Testing

@Suite struct GRPCTimeoutTests {
    @Test(
        "T1: grammar and units",
        arguments: [
            ("1n", 1), ("99999999n", 99_999_999), ("5u", 5_000), ("7m", 7_000_000), ("2S", 2_000_000_000),
            ("3M", 180_000_000_000), ("1H", 3_600_000_000_000), ("00000001S", 1_000_000_000)
        ])
    func units(_ text: String, _ nanoseconds: UInt64) throws {
        #expect(try GRPCTimeout.parse(utf8(text)) == nanoseconds)
    }

    @Test("T2: zero is valid") func zero() throws { #expect(try GRPCTimeout.parse(utf8("0n")) == 0) }

    @Test("T1: what does not fit means no deadline")
    func overflow() throws { #expect(try GRPCTimeout.parse(utf8("99999999H")) == nil) }

    @Test(
        "T1, T3: refused",
        arguments: ["", "1", "n", "-1S", "+1S", " 1S", "1 S", "123456789n", "1h", "1s", "1.5S", "1SS"])
    func invalid(_ text: String) {
        #expect(throws: GRPCTimeout.InvalidValue.self) { try GRPCTimeout.parse(utf8(text)) }
    }

    @Test(
        "T4: the finest unit that fits, rounded up",
        arguments: [
            (0, "0n"), (99_999_999, "99999999n"), (100_000_000, "100000u"), (100_000_001, "100001u"),
            (30_000_000_000, "30000000u"), (99_999_999_001, "100000m"), (UInt64.max, "5124096H")
        ])
    func encode(_ nanoseconds: UInt64, _ text: String) {
        #expect(GRPCTimeout.encode(nanoseconds: nanoseconds) == utf8(text))
    }

    @Test("T4: never shorter than asked for")
    func roundsUp() throws {
        var random = SeededGenerator(state: 3)
        for _ in 0..<1000 {
            let nanoseconds =
                UInt64.random(in: 0...UInt64(Int64.max), using: &random)
                >> UInt64.random(in: 0...62, using: &random)
            let parsed = try GRPCTimeout.parse(GRPCTimeout.encode(nanoseconds: nanoseconds))
            #expect(parsed.map { $0 >= nanoseconds } ?? true)
        }
    }
}
