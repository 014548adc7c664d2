import Compression
import Testing

@Suite struct CompressionTests {
    @Test("names are those of HTTP and gRPC; identity is no algorithm")
    func names() {
        #expect(CompressionAlgorithm.all.map(\.name) == ["gzip", "deflate", "zstd"])
        #expect(CompressionAlgorithm(name: "GZIP") == .gzip)
        for name in ["identity", "", "br", "gzip ", "x-gzip"] { #expect(CompressionAlgorithm(name: name) == nil) }
    }

    @Test("P7: what was compressed comes back, each message on its own", arguments: CompressionAlgorithm.all)
    func roundTrip(algorithm: CompressionAlgorithm) throws {
        for bytes in [[], [7], Samples.text, Samples.noise(100_000)] as [[UInt8]] {
            let packed = try compress(bytes, algorithm)
            #expect(try decompress(packed, algorithm) == bytes)
            #expect(try decompress(try compress(bytes, algorithm), algorithm) == bytes)
        }
        #expect(try compress(Samples.text, algorithm).count < Samples.text.count / 10)
    }

    /// "hello" as other programs write it: Python's gzip (mtime 0) and zlib, raw deflate, the zstd program.
    @Test("known bytes of other implementations", arguments: [
            (
                CompressionAlgorithm.gzip,
                [
                    0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 0xFF, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 7, 0, 0x86, 0xA6, 0x10, 0x36,
                    5, 0, 0, 0
                ]
            ),
        (.deflate, [0x78, 0x9C, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 7, 0, 6, 0x2C, 2, 0x15]),
        (.deflate, [0xCB, 0x48, 0xCD, 0xC9, 0xC9, 7, 0]),
        (.zstd, [0x28, 0xB5, 0x2F, 0xFD, 0x20, 5, 0x29, 0, 0, 0x68, 0x65, 0x6C, 0x6C, 0x6F]),
    ] as [(CompressionAlgorithm, [UInt8])])
    func known(algorithm: CompressionAlgorithm, bytes: [UInt8]) throws {
        #expect(try decompress(bytes, algorithm) == Array("hello".utf8))
        #expect(try decompress(bytes.map { [$0] }, algorithm) == Array("hello".utf8))
    }

    @Test("whole, byte by byte, and at every split", arguments: CompressionAlgorithm.all)
    func pieces(algorithm: CompressionAlgorithm) throws {
        let bytes = Array(Samples.text.prefix(500)) + Samples.noise(200)
        let packed = try compress(bytes, algorithm)
        #expect(try decompress(packed.map { [$0] }, algorithm) == bytes)
        for split in 0...packed.count {
            #expect(try decompress([Array(packed[..<split]), Array(packed[split...])], algorithm) == bytes)
        }
    }

    @Test("input that ends early is truncated, wherever it ends", arguments: CompressionAlgorithm.all)
    func truncated(algorithm: CompressionAlgorithm) throws {
        let packed = try compress(Array(Samples.text.prefix(300)), algorithm)
        for count in 0..<packed.count {
            #expect(throws: CompressionError.truncated) { try decompress(Array(packed[..<count]), algorithm) }
        }
    }

    @Test("P7: bytes after the end are refused", arguments: CompressionAlgorithm.all)
    func trailingBytes(algorithm: CompressionAlgorithm) throws {
        let packed = try compress(Samples.text, algorithm)
        for garbage in [Array(repeating: 0, count: 16), Array("garbage garbage".utf8)] as [[UInt8]] {
            #expect(throws: CompressionError.trailingBytes) { try decompress(packed + garbage, algorithm) }
            #expect(throws: CompressionError.trailingBytes) { try decompress([packed, garbage], algorithm) }
            #expect(throws: CompressionError.trailingBytes) {
                try decompress((packed + garbage).map { [$0] }, algorithm)
            }
        }
        #expect(throws: CompressionError.self) { try decompress(packed + [0], algorithm) }
    }

    @Test("P7: further members count towards the same limit", arguments: [CompressionAlgorithm.gzip, .zstd])
    func members(algorithm: CompressionAlgorithm) throws {
        let packed = try compress([1, 2, 3], algorithm)
        #expect(try decompress(packed + packed, algorithm, maximumByteCount: 6) == [1, 2, 3, 1, 2, 3])
        #expect(throws: CompressionError.tooLarge(limit: 5)) {
            try decompress(packed + packed, algorithm, maximumByteCount: 5)
        }
        #expect(throws: CompressionError.trailingBytes) { try decompress(try twice(.deflate), .deflate) }
    }

    private func twice(_ algorithm: CompressionAlgorithm) throws -> [UInt8] {
        let packed = try compress([1, 2, 3], algorithm)
        return packed + packed
    }

    @Test("broken bytes are an error, never a crash", arguments: CompressionAlgorithm.all)
    func corrupt(algorithm: CompressionAlgorithm) throws {
        let packed = try compress(Samples.text, algorithm)
        for index in packed.indices {
            var broken = packed
            broken[index] ^= 0x55
            // Some fields (gzip's time, say) may hold anything; what comes out then is the text.
            if let output = try? decompress(broken, algorithm), output != Samples.text, algorithm != .zstd {
                Issue.record("byte \(index) of \(algorithm) changed the text unseen")
            }
        }
        for bytes in [[0, 1, 2, 3, 4, 5, 6, 7, 8], Samples.noise(50)] as [[UInt8]] {
            #expect(throws: CompressionError.self) { try decompress(bytes, algorithm) }
        }
    }
}

@Suite struct BombTests {
    @Test("P8: the size limit holds for every algorithm, exactly", arguments: CompressionAlgorithm.all)
    func sizeLimit(algorithm: CompressionAlgorithm) throws {
        let packed = try compress(Samples.text, algorithm)
        let count = Samples.text.count
        #expect(try decompress(packed, algorithm, maximumByteCount: count) == Samples.text)
        #expect(throws: CompressionError.tooLarge(limit: count - 1)) {
            try decompress(packed, algorithm, maximumByteCount: count - 1)
        }
        #expect(CompressionError.tooLarge(limit: 9).description.contains("9"))
        #expect(CompressionError.tooLarge(limit: 9).isLimit)
    }

    @Test("P8: a bomb stops at the limit, whole and byte by byte", arguments: CompressionAlgorithm.all)
    func bomb(algorithm: CompressionAlgorithm) throws {
        let packed = try compress(Array(repeating: 0, count: 64 << 20), algorithm)
        for pieces in [[packed], Array(packed.prefix(100_000)).map { [$0] }] {
            let stream = try DecompressionStream(algorithm, maximumByteCount: 1 << 20)
            var output: [UInt8] = []
            #expect(throws: CompressionError.tooLarge(limit: 1 << 20)) {
                for piece in pieces { try piece.withUnsafeBytes { try stream.decompress($0, into: &output) } }
            }
            #expect(output.count <= 1 << 20)
        }
    }

    @Test("P8: beyond 4 MiB the ratio counts, however large the size limit", arguments: CompressionAlgorithm.all)
    func ratio(algorithm: CompressionAlgorithm) throws {
        let floor = DecompressionLimits.ratioFloorByteCount
        let below = try compress(Array(repeating: 0, count: floor), algorithm)
        #expect(try decompress(below, algorithm, maximumByteCount: .max).count == floor)
        let above = try compress(Array(repeating: 0, count: floor + 1), algorithm)
        #expect(throws: CompressionError.ratioTooHigh(limit: 100)) {
            try decompress(above, algorithm, maximumByteCount: .max)
        }
        #expect(try decompress(above, algorithm, maximumByteCount: .max, maximumRatio: 100_000).count == floor + 1)
        let honest = try compress(Samples.noise(floor + 100), algorithm)
        #expect(try decompress(honest, algorithm, maximumByteCount: .max).count == floor + 100)
    }

    /// A frame header that announces a window of 2^31 bytes: more than a decoder may be made to reserve.
    @Test("P8: a zstd frame with a window beyond 8 MiB is refused")
    func window() {
        let frame: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 21 << 3, 0x01, 0x00, 0x00]
        #expect(throws: CompressionError.self) { try decompress(frame, .zstd) }
    }
}

private enum Samples {
    static let text = Array(String(repeating: "the same words again and again. ", count: 300).utf8)

    /// Bytes that do not compress; the same ones every time.
    static func noise(_ count: Int) -> [UInt8] {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        return (0..<count).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return UInt8(truncatingIfNeeded: state)
        }
    }
}

private func compress(_ bytes: [UInt8], _ algorithm: CompressionAlgorithm) throws -> [UInt8] {
    try bytes.withUnsafeBytes { try Compressor.compress($0, with: algorithm) }
}

private func decompress(
    _ bytes: [UInt8], _ algorithm: CompressionAlgorithm, maximumByteCount: Int = 1 << 24, maximumRatio: Int = 100
) throws -> [UInt8] {
    try bytes.withUnsafeBytes {
        try Decompressor.decompress(
            $0, with: algorithm, maximumByteCount: maximumByteCount, maximumRatio: maximumRatio
        )
    }
}

private func decompress(_ pieces: [[UInt8]], _ algorithm: CompressionAlgorithm) throws -> [UInt8] {
    let stream = try DecompressionStream(algorithm, maximumByteCount: 1 << 24)
    var output: [UInt8] = []
    for piece in pieces { try piece.withUnsafeBytes { try stream.decompress($0, into: &output) } }
    try stream.finish()
    return output
}
