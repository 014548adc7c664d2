extension Protobuf.Timestamp {
    /// Range that the protobuf specification allows: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z.
    static let secondsRange: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

    /// Splits nanoseconds since 1970-01-01T00:00:00Z.
    public init(nanosecondsSinceEpoch: Int64) {
        let (seconds, rest) = nanosecondsSinceEpoch.quotientAndRemainder(dividingBy: 1_000_000_000)
        self.init(
            seconds: rest < 0 ? seconds - 1 : seconds,
            nanos: Int32(truncatingIfNeeded: rest < 0 ? rest + 1_000_000_000 : rest)
        )
    }

    /// Within the range of the specification, with 0...999,999,999 nanoseconds.
    public var isValid: Bool {
        Self.secondsRange.contains(seconds) && (0...999_999_999).contains(nanos)
    }
}

extension Protobuf.Duration {
    /// Range that the protobuf specification allows, about 10,000 years both ways.
    static let secondsRange: ClosedRange<Int64> = -315_576_000_000...315_576_000_000

    /// Nanoseconds from Swift's duration, finer parts cut off; seconds clamped to what the specification
    /// allows.
    public init(_ duration: Swift.Duration) {
        let (seconds, attoseconds) = duration.components
        self.init(
            seconds: min(max(seconds, Self.secondsRange.lowerBound), Self.secondsRange.upperBound),
            nanos: Int32(truncatingIfNeeded: attoseconds / 1_000_000_000)
        )
    }

    /// Within the range of the specification, both parts of the same sign.
    public var isValid: Bool {
        Self.secondsRange.contains(seconds) && (-999_999_999...999_999_999).contains(nanos)
            && !(seconds > 0 && nanos < 0) && !(seconds < 0 && nanos > 0)
    }
}
