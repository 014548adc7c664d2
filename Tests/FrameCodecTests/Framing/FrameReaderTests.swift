import FrameCodec
import Testing

@Suite struct FrameReaderTests {
    private let reader = FrameReader(maximumPayloadByteCount: 16, allowedFlags: [.compressed, .trailers])

    /// What a caller does: append a piece, cut frames until nil, and so on.
    private func frames(_ pieces: [[UInt8]]) throws -> [(flags: FrameFlags, payload: [UInt8])] {
        var buffer: [UInt8] = []
        var result: [(flags: FrameFlags, payload: [UInt8])] = []
        for piece in pieces {
            buffer += piece
            while let slice = try buffer.withUnsafeBytes({ try reader.next($0) }) {
                result.append((slice.flags, Array(buffer[slice.payload])))
                buffer.removeFirst(slice.consumed)
            }
        }
        try buffer.withUnsafeBytes { try reader.finish($0) }
        return result
    }

    @Test("P1, P9: frames do not depend on where the bytes are split")
    func splits() throws {
        let bytes = hex("00 00000003 616263  01 00000000  80 00000002 0D0A")
        for pieces in everySplit(bytes) {
            let result = try frames(pieces)
            #expect(result.map(\.flags) == [[], .compressed, .trailers])
            #expect(result.map(\.payload) == [utf8("abc"), [], [0x0D, 0x0A]])
        }
    }

    @Test("P9: a thousand messages in one piece")
    func manyFrames() throws {
        let bytes = [[UInt8]](repeating: hex("00 00000001 7A"), count: 1000).flatMap { $0 }
        #expect(try frames([bytes]).count == 1000)
    }

    @Test("P6: a zero-length message is a message")
    func empty() throws {
        let slice = try hex("00 00000000").withUnsafeBytes { try reader.next($0) }
        #expect(slice?.payload == 5..<5)
        #expect(slice?.consumed == 5)
    }

    @Test("P2: any other flag bit is refused", arguments: [UInt8(0x02), 0x04, 0x40, 0x82, 0xFF])
    func flags(_ flags: UInt8) {
        #expect(throws: FrameError.invalidFlags(flags)) { try frames([[flags, 0, 0, 0, 0]]) }
    }

    @Test("P2: a trailer frame is refused where the protocol has none")
    func trailersNotAllowed() {
        let grpc = FrameReader(maximumPayloadByteCount: 16, allowedFlags: .compressed)
        #expect(throws: FrameError.invalidFlags(0x80)) {
            try hex("80 00000000").withUnsafeBytes { _ = try grpc.next($0) }
        }
    }

    @Test("P8: a length equal to the limit passes, one more is refused from the header alone")
    func limit() throws {
        #expect(try frames([hex("00 00000010") + [UInt8](repeating: 7, count: 16)]).count == 1)
        #expect(throws: FrameError.messageTooLarge(declared: 17, limit: 16)) {
            try frames([hex("00 00000011")])
        }
        #expect(throws: FrameError.messageTooLarge(declared: .max, limit: 16)) {
            try frames([hex("00 FFFFFFFF")])
        }
    }

    @Test(
        "P10: input that ends inside a frame", arguments: [("00", 4), ("00 0000", 2), ("00 00000003 61", 2)])
    func truncated(_ bytes: String, _ missing: Int) {
        let error = #expect(throws: FrameError.self) { try frames([hex(bytes)]) }
        #expect(error == .truncated(missing: missing))
        #expect(error?.isTruncated == true)
    }

    @Test("the header writes what it reads")
    func header() {
        let header = FrameHeader(flags: .trailers, payloadByteCount: 0x0102_0304)
        #expect(header.bytes == hex("80 01020304"))
        var memory = [UInt8](repeating: 0xEE, count: 6)
        memory.withUnsafeMutableBytes { header.write(into: $0) }
        #expect(memory == hex("80 01020304 EE"))
        #expect(memory.withUnsafeBytes { FrameHeader($0) } == header)
        #expect(hex("80 010203").withUnsafeBytes { FrameHeader($0) } == nil)
    }

    @Test("errors name the limit")
    func descriptions() {
        #expect(
            "\(FrameError.messageTooLarge(declared: 17, limit: 16))".contains(
                "maximum message size of 16 bytes"))
        #expect(FrameError.messageTooLarge(declared: 17, limit: 16).isMessageTooLarge)
        #expect(FrameError.invalidFlags(2).isInvalidFlags)
    }
}
