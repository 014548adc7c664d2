/// An `http` or `https` URL, read strictly: no user information, no spaces, no control or non-ASCII characters, no bad
/// percent sequences. A fragment is dropped; it is never sent. Source: RFC 3986, RFC 9110 section 4.2.
public struct HTTPURL: Sendable, Hashable, CustomStringConvertible {
    /// The URL starts with `https`.
    public let isSecure: Bool
    /// Lower-case name or address, without brackets.
    public let host: String
    public let port: Int
    /// `/` and what follows, query included, percent-encoded as it came.
    public let pathAndQuery: String

    /// - Throws: ``ConnectionTargetError`` that shows the text and says what is wrong.
    public init(_ text: String) throws(ConnectionTargetError) {
        let lowered = text.prefix(8).lowercased()
        let isSecure = lowered.hasPrefix("https://")
        guard isSecure || lowered.hasPrefix("http://") else {
            throw ConnectionTargetError(text, "a URL starts with http:// or https://")
        }
        let rest = text.dropFirst(isSecure ? 8 : 7)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        guard !rest[..<end].contains("@") else {
            throw ConnectionTargetError("(URL)", "user information in a URL is not supported")
        }
        let (host, port) = try ConnectionTarget.hostAndPort(rest[..<end], defaultPort: isSecure ? 443 : 80, in: text)
        try self.init(isSecure: isSecure, host: host, port: port, pathAndQuery: rest[end...], in: text)
    }

    private init(
        isSecure: Bool, host: String, port: Int, pathAndQuery: Substring, in text: String
    ) throws(ConnectionTargetError) {
        let sent = pathAndQuery.prefix { $0 != "#" }
        guard Self.isSendable(sent.utf8) else {
            throw ConnectionTargetError(
                text, "a character has to be percent-encoded, or a % is not followed by two digits")
        }
        self.isSecure = isSecure
        self.host = host.lowercased()
        self.port = port
        self.pathAndQuery = sent.hasPrefix("/") ? String(sent) : "/" + sent
    }

    /// `host`, or `host:port` when the port is not the scheme's own.
    public var authority: String {
        let shown = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? shown : "\(shown):\(port)"
    }

    public var description: String { "\(isSecure ? "https" : "http")://\(authority)\(pathAndQuery)" }

    func hasSameOrigin(as other: HTTPURL) -> Bool {
        isSecure == other.isSecure && host == other.host && port == other.port
    }

    /// What a `Location` means here: a URL, `//host/path`, `/path`, `path` or `?query` (RFC 3986 section 5.2, without
    /// removing dot segments: a reference that has them is refused).
    public func resolving(_ reference: String) throws(ConnectionTargetError) -> HTTPURL {
        let lowered = reference.prefix(8).lowercased()
        if lowered.hasPrefix("http://") || lowered.hasPrefix("https://") { return try HTTPURL(reference) }
        if reference.hasPrefix("//") { return try HTTPURL((isSecure ? "https:" : "http:") + reference) }
        let path = pathAndQuery.prefix { $0 != "?" }
        let joined: Substring
        if reference.hasPrefix("/") {
            joined = Substring(reference)
        } else if reference.hasPrefix("?") {
            joined = path + reference
        } else if reference.isEmpty || reference.hasPrefix("#") {
            joined = Substring(pathAndQuery)
        } else {
            guard !reference.prefix(while: { $0 != "/" && $0 != "?" }).contains(":") else {
                throw ConnectionTargetError(reference, "the scheme is neither http nor https")
            }
            joined = path[...(path.lastIndex(of: "/") ?? path.startIndex)] + reference
        }
        let segments = joined.prefix { $0 != "?" && $0 != "#" }.split(separator: "/")
        guard !segments.contains(where: { $0 == "." || $0 == ".." }) else {
            throw ConnectionTargetError(reference, "dot segments are not resolved")
        }
        return try HTTPURL(isSecure: isSecure, host: host, port: port, pathAndQuery: joined, in: reference)
    }

    private static func isSendable(_ bytes: Substring.UTF8View) -> Bool {
        var digitsLeft = 0
        for byte in bytes {
            if digitsLeft > 0 {
                guard ASCII.hexadecimalValue(byte) != nil else { return false }
                digitsLeft -= 1
            } else if byte == 0x25 {
                digitsLeft = 2
            } else {
                switch byte {
                // " < > \ ^ ` { | } have no place in a URL.
                case 0x22, 0x3C, 0x3E, 0x5C, 0x5E, 0x60, 0x7B, 0x7C, 0x7D: return false
                default: guard byte > 0x20, byte < 0x7F else { return false }
                }
            }
        }
        return digitsLeft == 0
    }
}
