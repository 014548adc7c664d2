import Testing

@testable import HTTPTransport

/// Regions are looked at eight bytes at a time; one by one it is the same.
@Suite(.timeLimit(.minutes(5))) struct BytesTests {
    private static func isPathByte(_ byte: UInt8) -> Bool { byte > 0x20 && byte < 0x7F && byte != 0x23 }

    private static func expectSame(_ region: [UInt8]) {
        region.withUnsafeBytes { bytes in
            let isSame =
                bytes.hasControls == region.contains { $0 < 0x20 }
                && bytes.isFieldValue == region.allSatisfy(ASCII.isFieldValue)
                && bytes.isPathText == region.allSatisfy(isPathByte)
            #expect(isSame, "\(region)")
        }
    }

    @Test func `each byte at each place of regions of many lengths`() {
        for count in [0, 1, 2, 7, 8, 9, 15, 16, 17, 25] {
            for place in 0..<count {
                for byte in UInt8.min...UInt8.max {
                    var region = [UInt8](repeating: 0x61, count: count)
                    region[place] = byte
                    Self.expectSame(region)
                }
            }
        }
        Self.expectSame([])
    }

    @Test func `random regions of bytes at the limits`() {
        let bytes: [UInt8] = [0, 8, 9, 10, 0x1F, 0x20, 0x21, 0x22, 0x23, 0x24, 0x2F, 0x61, 0x7E, 0x7F, 0x80, 0xA0, 0xFF]
        var random = SplitMix64(state: 3)
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...24, using: &random)
            // Most of them are fine but for a few.
            let first = Int.random(in: 0...10, using: &random)
            Self.expectSame((0..<count).map { _ in bytes[first...].randomElement(using: &random) ?? 0 })
        }
    }
}
