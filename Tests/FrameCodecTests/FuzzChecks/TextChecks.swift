import FrameCodec

/// Checks of the small grammars in gRPC's headers.
enum TextChecks {
    /// Any bytes decode to some text; text survives a round trip through printable ASCII.
    static func percentCoding(_ bytes: UnsafeRawBufferPointer) -> String? {
        let text = PercentCoding.decode(bytes)
        let encoded = PercentCoding.encode(text)
        guard encoded.allSatisfy({ (0x20...0x7E).contains($0) }) else { return "an encoded byte is not printable" }
        guard PercentCoding.decode(encoded) == text else { return "text does not come back" }
        let plain = bytes.allSatisfy { $0 != UInt8(ascii: "%") && $0 < 0x80 }
        return plain && !text.utf8.elementsEqual(bytes) ? "text without % changes" : nil
    }

    /// Agrees with a second reading of the grammar by other means; what is written is read as at least the same time.
    static func timeout(_ bytes: UnsafeRawBufferPointer) -> String? {
        let expected = expectedTimeout(String(decoding: bytes, as: UTF8.self))
        let parsed: UInt64??
        do {
            parsed = .some(try GRPCTimeout.parse(bytes))
        } catch {
            parsed = nil
        }
        guard parsed == expected else { return "a timeout is read as \(String(describing: parsed))" }
        guard let nanoseconds = parsed ?? nil else { return nil }
        guard let again = try? GRPCTimeout.parse(GRPCTimeout.encode(nanoseconds: nanoseconds)) else {
            return "a written timeout is not a timeout"
        }
        let isFine = again >= nanoseconds && again - nanoseconds <= nanoseconds / 10_000_000
        return isFine ? nil : "\(nanoseconds) ns come back as \(again)"
    }

    /// nil: not a timeout; `.some(nil)`: none at all.
    private static func expectedTimeout(_ text: String) -> UInt64?? {
        let units: [Character: Double] = ["n": 1, "u": 1e3, "m": 1e6, "S": 1e9, "M": 60e9, "H": 3600e9]
        let digits = text.dropLast()
        guard let unit = text.last, let factor = units[unit], (1...8).contains(digits.count),
            digits.allSatisfy({ "0123456789".contains($0) }), let amount = UInt64(digits)
        else { return nil }
        guard Double(amount) * factor < 0x1p63 else { return .some(nil) }
        return .some(amount * UInt64(factor))
    }
}
