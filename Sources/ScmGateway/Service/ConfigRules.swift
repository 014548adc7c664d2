import RPC

/// What a repository's config map may hold.
enum ConfigRules {
    static let maximumEntryCount = 50
    static let maximumKeyByteCount = 64
    static let maximumValueByteCount = 1000

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
        let name = config["name"] ?? ""
        guard name.count <= LocalFolder.maximumNameCount, name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw RPCError.badField(
                "config", "the name has at most \(LocalFolder.maximumNameCount) characters and no control characters"
            )
        }
    }

    /// Such values are never returned.
    static func isSecret(_ key: String) -> Bool {
        let key = key.lowercased()
        return ["_token", "_key", "_secret", "_password"].contains { key.hasSuffix($0) }
    }
}
