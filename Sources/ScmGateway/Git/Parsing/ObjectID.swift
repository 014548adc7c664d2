/// The full name of a git object: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
///
/// A value of this type is the only revision that ever reaches git's argument list.
struct ObjectID: Hashable, Sendable, CustomStringConvertible {
    let hex: String

    /// nil unless `hex` has 40 or 64 lower-case hexadecimal digits.
    init?(_ hex: some StringProtocol) {
        self.init(bytes: Array(hex.utf8))
    }

    init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 40 || bytes.count == 64, bytes.allSatisfy(isLowerHex) else { return nil }
        hex = String(decoding: bytes, as: UTF8.self)
    }

    var description: String { hex }

    /// Forty or sixty-four zeros: git's name for "no object".
    var isZero: Bool { hex.utf8.allSatisfy { $0 == UInt8(ascii: "0") } }
}

func isLowerHex(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): true
    default: false
    }
}
