import RPC

/// What a repository's config map may hold.
enum ConfigRules {
    static let maximumEntryCount = 50
    static let maximumKeyByteCount = 64
    static let maximumValueByteCount = 1000
    /// The page for people.
    static let webURLKey = "web_url"

    /// - Throws: INVALID_ARGUMENT.
    static func check(_ config: [String: String]) throws(RPCError) {
        guard config.count <= maximumEntryCount else {
            throw RPCError.badField("config", "at most \(maximumEntryCount) entries are allowed")
        }
        for (key, value) in config {
            guard (1...maximumKeyByteCount).contains(key.utf8.count) else {
                throw RPCError.badField("config", "a key has 1 to \(maximumKeyByteCount) bytes")
            }
            guard value.utf8.count <= maximumValueByteCount else {
                throw RPCError.badField("config", "a value has at most \(maximumValueByteCount) bytes")
            }
        }
        if let url = config[webURLKey], !url.isEmpty, !isWebAddress(url) {
            throw RPCError.badField("config", "\(webURLKey) is an http or https address")
        }
        let name = config["name"] ?? ""
        guard name.count <= LocalFolder.maximumNameCount, name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw RPCError.badField(
                "config", "the name has at most \(LocalFolder.maximumNameCount) characters and no control characters"
            )
        }
    }

    /// Whether a text may be followed as a link, and continued: no script, no query, nothing that has to be encoded.
    static func isWebAddress(_ text: String) -> Bool {
        let scheme = ["https://", "http://"].first { text.lowercased().hasPrefix($0) }
        guard let scheme, text.utf8.count > scheme.utf8.count else { return false }
        return text.utf8.allSatisfy { (0x21...0x7E).contains($0) && !"\"'<>\\^`{|}?#".utf8.contains($0) }
    }

    private static let secrets = ["token", "key", "secret", "password"]

    /// Such values are never returned.
    static func isSecret(_ key: String) -> Bool {
        let key = key.lowercased()
        return secrets.contains { key == $0 || key.hasSuffix("_" + $0) }
    }
}
