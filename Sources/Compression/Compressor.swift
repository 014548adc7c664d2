import CZlib
import CZstd

/// Compresses whole messages. Thread-safe: nothing is kept between messages (rule P7).
public enum Compressor {
    /// One whole member or frame that holds `bytes`; also for empty input.
    ///
    /// The level is each library's default (zlib 6, zstd 3).
    /// - Throws: ``CompressionError/failed(_:)`` when there is no memory.
    public static func compress(
        _ bytes: UnsafeRawBufferPointer, with algorithm: CompressionAlgorithm
    ) throws(CompressionError) -> [UInt8] {
        switch algorithm.kind {
        case .gzip: try deflated(bytes, .gzip)
        case .deflate: try deflated(bytes, .zlib)
        case .zstd: try zstd(bytes)
        }
    }

    private static func deflated(
        _ bytes: UnsafeRawBufferPointer, _ format: ZlibDecoder.Format
    ) throws(CompressionError) -> [UInt8] {
        // zlib's counters have 32 bits; no message comes near.
        guard bytes.count < 1 << 31 else { throw .failed("more than 2 GiB in one message") }
        var stream = z_stream()
        return try withUnsafeMutablePointer(to: &stream) { stream throws(CompressionError) in
            let code = deflateInit2_(
                stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, format.rawValue, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                CInt(MemoryLayout<z_stream>.size)
            )
            guard code == Z_OK else { throw .failed("deflateInit2 returned \(code)") }
            defer { deflateEnd(stream) }
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            )
            stream.pointee.avail_in = UInt32(truncatingIfNeeded: bytes.count)
            var result = CInt(Z_OK)
            let bound = Int(deflateBound(stream, UInt(bytes.count)))
            let output = [UInt8](unsafeUninitializedCapacity: bound) { memory, count in
                stream.pointee.next_out = memory.baseAddress
                stream.pointee.avail_out = UInt32(truncatingIfNeeded: bound)
                result = CZlib.deflate(stream, Z_FINISH)
                count = bound - Int(stream.pointee.avail_out)
            }
            guard result == Z_STREAM_END else { throw .failed("deflate returned \(result)") }
            return output
        }
    }

    private static func zstd(_ bytes: UnsafeRawBufferPointer) throws(CompressionError) -> [UInt8] {
        let bound = ZSTD_compressBound(bytes.count)
        var code = 0
        let output = [UInt8](unsafeUninitializedCapacity: bound) { memory, count in
            code = ZSTD_compress(memory.baseAddress, bound, bytes.baseAddress, bytes.count, ZSTD_CLEVEL_DEFAULT)
            count = ZSTD_isError(code) != 0 ? 0 : code
        }
        guard ZSTD_isError(code) == 0 else {
            throw .failed(ZSTD_getErrorName(code).map { String(cString: $0) } ?? "zstd error")
        }
        return output
    }
}

/// Decompresses whole messages. Thread-safe.
public enum Decompressor {
    /// The data that `bytes` hold.
    ///
    /// - Parameters:
    ///   - maximumByteCount: most decompressed bytes; exactly that many pass.
    ///   - maximumRatio: most decompressed bytes for one compressed byte, beyond a floor of 4 MiB.
    /// - Throws: ``CompressionError``, as soon as a limit is passed.
    public static func decompress(
        _ bytes: UnsafeRawBufferPointer, with algorithm: CompressionAlgorithm, maximumByteCount: Int,
        maximumRatio: Int = DecompressionLimits.defaultMaximumRatio
    ) throws(CompressionError) -> [UInt8] {
        let stream = try DecompressionStream(
            algorithm, maximumByteCount: maximumByteCount, maximumRatio: maximumRatio
        )
        var output: [UInt8] = []
        output.reserveCapacity(min(maximumByteCount, bytes.count &* 2))
        try stream.decompress(bytes, into: &output)
        try stream.finish()
        return output
    }
}
