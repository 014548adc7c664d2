/// An annotated tag as it is stored.
///
/// ```
/// object <id>
/// type <kind>
/// tag <name>
/// tagger <identity>       absent in very old tags
///                         empty line
/// <message>
/// -----BEGIN PGP SIGNATURE-----      or SSH, or a signed message; optional
/// ```
struct TagObject: Hashable, Sendable {
    var tagger: GitIdentity?
    /// Without its signature and the trailing newlines.
    var message: String

    /// Never fails: what is not there stays empty.
    init(content: [UInt8]) {
        var rest = content[...]
        message = ""
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            let line = rest[rest.startIndex..<end]
            rest = end < rest.endIndex ? rest[(end + 1)...] : []
            if line.isEmpty { break }
            if line.starts(with: "tagger ".utf8) { tagger = GitIdentity(line: line.dropFirst(7), encoding: nil) }
        }
        message = Self.withoutSignature(String(decoding: rest, as: UTF8.self))
    }

    private static let signatures = [
        "-----BEGIN PGP SIGNATURE-----", "-----BEGIN PGP MESSAGE-----", "-----BEGIN SSH SIGNATURE-----",
        "-----BEGIN SIGNED MESSAGE-----",
    ]

    /// A signature begins a line, and everything behind is its own.
    private static func withoutSignature(_ text: String) -> String {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if let start = lines.firstIndex(where: { line in signatures.contains { line.hasPrefix($0) } }) {
            lines.removeSubrange(start...)
        }
        while lines.last?.isEmpty == true { lines.removeLast() }
        return lines.joined(separator: "\n")
    }
}
