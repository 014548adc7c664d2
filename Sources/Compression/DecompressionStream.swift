/// Decompresses a body as it arrives, in pieces of any size.
///
/// ```
///   in a member --end of member--> between members --more bytes--> in a member
///        |                              |                (deflate: trailingBytes)
///     finish: truncated              finish: done
/// ```
///
/// Further members or frames (gzip, zstd) continue the output under the same limits; anything else after the end is
/// refused (rule P7). Not thread-safe: one owner at a time. After an error the stream is of no further use.
public final class DecompressionStream {
    private let decoder: any Decoder
    private let limits: DecompressionLimits
    /// Output of one step of the decoder.
    private let piece: UnsafeMutableRawBufferPointer
    private var isInMember = true
    private var isInFurtherMember = false
    private var memberInputByteCount = 0
    private var compressedByteCount = 0
    /// Decompressed bytes so far.
    public private(set) var byteCount = 0

    /// - Throws: ``CompressionError/failed(_:)`` when there is no memory for a decoder.
    public init(
        _ algorithm: CompressionAlgorithm, maximumByteCount: Int,
        maximumRatio: Int = DecompressionLimits.defaultMaximumRatio
    ) throws(CompressionError) {
        piece = .allocate(byteCount: 16 * 1024, alignment: 16)
        limits = DecompressionLimits(maximumByteCount: maximumByteCount, maximumRatio: maximumRatio)
        switch algorithm.kind {
        case .gzip: decoder = try ZlibDecoder(.gzip)
        case .deflate: decoder = DeflateDecoder()
        case .zstd: decoder = try ZstdDecoder()
        }
    }

    deinit {
        piece.deallocate()
    }

    /// Decompresses `bytes` and appends what comes out to `output`; that may be nothing yet.
    ///
    /// - Throws: ``CompressionError``; `output` then holds what came before the error, never more than the limit.
    public func decompress(_ bytes: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(CompressionError) {
        compressedByteCount += bytes.count
        var rest = bytes
        while !rest.isEmpty {
            if !isInMember {
                guard decoder.allowsFurtherMembers else { throw .trailingBytes }
                try decoder.startNextMember()
                isInMember = true
                isInFurtherMember = true
                memberInputByteCount = 0
            }
            try drain(&rest, into: &output)
        }
    }

    /// - Throws: ``CompressionError/truncated`` when the input ended inside a member, or was empty.
    public func finish() throws(CompressionError) {
        guard !isInMember else { throw .truncated }
    }

    /// Until the member ends, or the decoder has taken all input and has nothing more to give.
    private func drain(_ rest: inout UnsafeRawBufferPointer, into output: inout [UInt8]) throws(CompressionError) {
        while true {
            let step = try step(rest)
            memberInputByteCount += step.consumed
            rest = UnsafeRawBufferPointer(rebasing: rest[step.consumed...])
            byteCount += step.produced
            try limits.check(output: byteCount, compressed: compressedByteCount)
            output.append(contentsOf: UnsafeRawBufferPointer(rebasing: piece[..<step.produced]))
            if step.isAtEnd {
                isInMember = false
                return
            }
            if rest.isEmpty, step.produced < piece.count { return }
        }
    }

    private func step(_ input: UnsafeRawBufferPointer) throws(CompressionError) -> DecoderStep {
        do throws(CompressionError) {
            return try decoder.step(input, into: piece)
        } catch {
            // What follows a member and does not begin like one is called what it is.
            guard case .corrupt = error, isInFurtherMember, memberInputByteCount < 8 else { throw error }
            throw .trailingBytes
        }
    }
}
