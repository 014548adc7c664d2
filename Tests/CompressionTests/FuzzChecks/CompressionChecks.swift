import Compression

/// What must hold for any bytes whatever. Called by the fuzz target `Fuzz/DecompressionFuzz.swift` and by the test that
/// replays its corpus.
enum CompressionChecks {
    private static let limit = 64 * 1024

    /// Decompression gives the same in one piece, byte by byte and in two pieces, never more than the limit; what was
    /// compressed comes back.
    ///
    /// - Returns: nil, or the text of what went wrong.
    static func decompression(_ bytes: UnsafeRawBufferPointer) -> String? {
        for algorithm in CompressionAlgorithm.all {
            let whole = outcome([bytes], algorithm)
            let single = outcome(bytes.indices.map { UnsafeRawBufferPointer(rebasing: bytes[$0..<$0 + 1]) }, algorithm)
            let middle = bytes.count / 2
            let halves = outcome(
                [
                    UnsafeRawBufferPointer(rebasing: bytes[..<middle]),
                    UnsafeRawBufferPointer(rebasing: bytes[middle...]),
                ], algorithm
            )
            guard whole == single, whole == halves else { return "\(algorithm) depends on how bytes arrive" }
            guard (whole?.count ?? 0) <= limit else { return "\(algorithm) gave more than the limit" }
            guard let packed = try? Compressor.compress(bytes, with: algorithm) else { return "\(algorithm) refuses" }
            let back = packed.withUnsafeBytes { outcome([$0], algorithm) }
            if bytes.count <= limit, back != Array(bytes) { return "\(algorithm) does not come back" }
        }
        return nil
    }

    private static func outcome(_ pieces: [UnsafeRawBufferPointer], _ algorithm: CompressionAlgorithm) -> [UInt8]? {
        var output: [UInt8] = []
        do {
            let stream = try DecompressionStream(algorithm, maximumByteCount: limit)
            for piece in pieces { try stream.decompress(piece, into: &output) }
            try stream.finish()
        } catch {
            return nil
        }
        return output
    }
}
