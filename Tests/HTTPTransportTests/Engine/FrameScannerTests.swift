import Testing

@testable import HTTPTransport

@Suite struct FrameScannerTests {
    private static func frame(_ type: UInt8, flags: UInt8, payload: Int) -> [UInt8] {
        [UInt8(payload >> 16), UInt8(payload >> 8 & 0xFF), UInt8(payload & 0xFF), type, flags, 0, 0, 0, 1]
            + [UInt8](repeating: 0xFF, count: payload)
    }

    private static let bytes =
        frame(1, flags: 4, payload: 5) + frame(0, flags: 1, payload: 25) + frame(1, flags: 4, payload: 5)
        + frame(0, flags: 1, payload: 25) + frame(6, flags: 0, payload: 0) + frame(1, flags: 5, payload: 3)

    @Test func `headers in any slicing`() {
        for split in 0...Self.bytes.count {
            var scanner = FrameScanner(prefix: 0)
            var seen: [FrameHeader] = []
            for part in [Self.bytes[..<split], Self.bytes[split...]] {
                Array(part).withUnsafeBytes { bytes in
                    scanner.scan(bytes) { seen.append($0) }
                }
            }
            #expect(seen.map(\.type) == [1, 0, 1, 0, 6, 1])
            #expect(seen.map(\.length) == [5, 25, 5, 25, 0, 3])
            #expect(seen.map(\.flags) == [4, 1, 4, 1, 0, 5])
        }
    }
}
