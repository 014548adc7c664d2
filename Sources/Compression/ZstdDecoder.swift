import CZstd

/// zstd frames through libzstd's streaming decoder.
final class ZstdDecoder: Decoder {
    private let context: OpaquePointer
    let allowsFurtherMembers = true

    /// Base-2 logarithm of the largest window, 8 MiB: what RFC 9659 lets a sender use, and so the memory of one
    /// decoder.
    private static let maximumWindowLog: CInt = 23

    init() throws(CompressionError) {
        guard let context = ZSTD_createDCtx() else { throw .failed("out of memory") }
        self.context = context
        let code = ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Self.maximumWindowLog)
        guard ZSTD_isError(code) == 0 else { throw .failed(Self.text(code)) }
    }

    deinit {
        ZSTD_freeDCtx(context)
    }

    func step(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> DecoderStep {
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let code = ZSTD_decompressStream(context, &target, &source)
        if ZSTD_isError(code) != 0 {
            if ZSTD_getErrorCode(code) == ZSTD_error_memory_allocation { throw .failed("out of memory") }
            throw .corrupt(Self.text(code))
        }
        return DecoderStep(consumed: source.pos, produced: target.pos, isAtEnd: code == 0)
    }

    func startNextMember() throws(CompressionError) {
        ZSTD_DCtx_reset(context, ZSTD_reset_session_only)
    }

    private static func text(_ code: Int) -> String {
        ZSTD_getErrorName(code).map { String(cString: $0) } ?? "zstd error"
    }
}
