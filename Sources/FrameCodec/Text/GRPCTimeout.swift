/// The value of the `grpc-timeout` header: one to eight digits and a unit (rules T1 to T4).
///
/// Source: gRPC "gRPC over HTTP2", Timeout. Units: `H` hours, `M` minutes, `S` seconds, `m` milliseconds,
/// `u` microseconds, `n` nanoseconds.
public enum GRPCTimeout {
    /// The value does not follow the grammar; gRPC answers INTERNAL (rule T3).
    public struct InvalidValue: Error, Sendable, Equatable, CustomStringConvertible {
        public var description: String {
            "grpc-timeout must be 1 to 8 digits and one of the units H M S m u n"
        }
    }

    /// The timeout in nanoseconds.
    ///
    /// - Returns: nil for "no deadline": a valid value that does not fit 63 bits of nanoseconds, about 292
    ///   years. Zero is valid and means that the deadline has passed (rule T2).
    public static func parse(_ value: UnsafeRawBufferPointer) throws(InvalidValue) -> UInt64? {
        guard (2...9).contains(value.count), let unit = value.last, let factor = nanoseconds(perUnit: unit)
        else {
            throw InvalidValue()
        }
        var amount: UInt64 = 0
        for digit in value.dropLast() {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { throw InvalidValue() }
            amount = amount * 10 + UInt64(digit - UInt8(ascii: "0"))
        }
        let (product, overflow) = amount.multipliedReportingOverflow(by: factor)
        return overflow || product > UInt64(Int64.max) ? nil : product
    }

    /// As the other, from an array.
    public static func parse(_ value: [UInt8]) throws(InvalidValue) -> UInt64? {
        try value.withBytes { bytes throws(InvalidValue) in try parse(bytes) }
    }

    /// The finest unit whose amount has at most eight digits, rounded up so that the server does not give up
    /// before the client does (rule T4).
    public static func encode(nanoseconds: UInt64) -> [UInt8] {
        withUnsafeTemporaryAllocation(byteCount: maximumByteCount, alignment: 1) {
            Array(write(nanoseconds: nanoseconds, into: $0))
        }
    }

    /// As ``encode(nanoseconds:)``, into ``maximumByteCount`` bytes of the caller's. The value ends where they do.
    package static func write(
        nanoseconds: UInt64, into memory: UnsafeMutableRawBufferPointer
    ) -> UnsafeRawBufferPointer {
        var (amount, unit) = rounded(nanoseconds)
        var start = maximumByteCount - 1
        memory[start] = unit
        repeat {
            start -= 1
            memory[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: amount % 10)
            amount /= 10
        } while amount > 0
        return UnsafeRawBufferPointer(rebasing: memory[start..<maximumByteCount])
    }

    package static let maximumByteCount = 9
    private static let maximumAmount: UInt64 = 99_999_999

    private static func rounded(_ nanoseconds: UInt64) -> (amount: UInt64, unit: UInt8) {
        for (unit, factor) in units {
            let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: factor)
            let amount = remainder == 0 ? quotient : quotient + 1
            if amount <= maximumAmount { return (amount, unit) }
        }
        return (maximumAmount, UInt8(ascii: "H"))
    }

    private static func nanoseconds(perUnit unit: UInt8) -> UInt64? {
        units.first { $0.unit == unit }?.factor
    }

    private static let units: [(unit: UInt8, factor: UInt64)] = [
        (UInt8(ascii: "n"), 1), (UInt8(ascii: "u"), 1_000), (UInt8(ascii: "m"), 1_000_000),
        (UInt8(ascii: "S"), 1_000_000_000), (UInt8(ascii: "M"), 60_000_000_000),
        (UInt8(ascii: "H"), 3_600_000_000_000)
    ]
}
