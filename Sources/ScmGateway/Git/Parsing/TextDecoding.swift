/// Text of commits as UTF-8.
///
/// A commit may name its encoding. UTF-8 (the default), ASCII and the Latin-1 family are decoded; text in any other
/// encoding, and bytes that are not valid in the named one, is repaired with U+FFFD rather than refused.
enum TextDecoding {
    static func string(_ bytes: some Collection<UInt8>, encoding: String?) -> String {
        guard let encoding, isLatin1(encoding) else { return String(decoding: bytes, as: UTF8.self) }
        var scalars = String.UnicodeScalarView()
        for byte in bytes { scalars.append(UnicodeScalar(byte)) }
        return String(scalars)
    }

    /// Windows-1252 differs from Latin-1 only in 0x80...0x9F, where Latin-1 has control characters.
    private static func isLatin1(_ name: String) -> Bool {
        let plain = name.lowercased().filter { $0.isLetter || $0.isNumber }
        return ["iso88591", "latin1", "windows1252", "cp1252", "iso885915"].contains(plain)
    }
}
