/// How much may come out of compressed data, so that a few bytes cannot become gigabytes.
///
/// Both limits are checked while inflating, for every algorithm, before the next piece of output is made.
public struct DecompressionLimits: Sendable, Hashable {
    /// Most decompressed bytes; exactly that many pass.
    public var maximumByteCount: Int
    /// Most decompressed bytes for one compressed byte, judged only beyond ``ratioFloorByteCount``.
    public var maximumRatio: Int

    /// Output that passes whatever its ratio, in bytes: 4 MiB.
    public static let ratioFloorByteCount = 4 * 1024 * 1024
    /// 100. Text rarely shrinks to a twentieth; zeros shrink a thousandfold in gzip, thirty thousandfold in zstd.
    public static let defaultMaximumRatio = 100

    public init(maximumByteCount: Int, maximumRatio: Int = DecompressionLimits.defaultMaximumRatio) {
        self.maximumByteCount = maximumByteCount
        self.maximumRatio = maximumRatio
    }

    /// - Parameter compressed: bytes received so far, or the size of the whole when it is there.
    func check(output: Int, compressed: Int) throws(CompressionError) {
        guard output <= maximumByteCount else { throw .tooLarge(limit: maximumByteCount) }
        guard output > Self.ratioFloorByteCount else { return }
        let (allowed, overflow) = compressed.multipliedReportingOverflow(by: maximumRatio)
        guard overflow || output <= allowed else { throw .ratioTooHigh(limit: maximumRatio) }
    }
}
