import FrameCodec

/// A key as it is stored: everything but the key itself.
public struct APIKey: Sendable, Hashable {
    public let id: Int64
    public let organizationID: Int64
    /// The key's first characters, to recognise it in lists.
    public let prefix: String
    /// What the operator calls it.
    public let name: String
    public let scopes: Set<Scope>
    /// False once revoked.
    public let isActive: Bool
    /// Milliseconds since 1970 UTC.
    public let createdAt: Int64
    /// Milliseconds since 1970 UTC, kept to the hour; nil when never used.
    public let lastUsedAt: Int64?
    /// Milliseconds since 1970 UTC; nil for a key that does not end.
    public let expiresAt: Int64?
    /// Most calls in a minute; nil for the server's default.
    public let callsPerMinute: Int?
    /// Its text never travels: calls carry `x-signature`, see ``RequestSignature``.
    public let isSigning: Bool
    /// The key that this one has replaced.
    public let replacesID: Int64?

    /// Neither revoked nor expired.
    ///
    /// - Parameter now: milliseconds since 1970 UTC.
    public func isValid(at now: Int64) -> Bool {
        isActive && (expiresAt.map { $0 > now } ?? true)
    }

    var principal: Principal {
        Principal(organizationID: organizationID, keyID: id, scopes: scopes, callsPerMinute: callsPerMinute)
    }
}

/// What a new key shall be.
public struct NewAPIKey: Sendable {
    public var organizationID: Int64
    /// At most 200 characters.
    public var name: String
    public var scopes: Set<Scope>
    /// A key to use instead of a new random one: 20 to 256 printable ASCII characters.
    public var text: String?
    /// Milliseconds since 1970 UTC; nil for a key that does not end.
    public var expiresAt: Int64?
    /// 1 or more; nil for the server's default.
    public var callsPerMinute: Int?
    /// Whether the key signs instead of travelling.
    public var isSigning: Bool
    var replacesID: Int64?

    public init(
        organizationID: Int64, name: String = "", scopes: Set<Scope> = Scope.usual, text: String? = nil,
        expiresAt: Int64? = nil, callsPerMinute: Int? = nil, isSigning: Bool = false
    ) {
        self.organizationID = organizationID
        self.name = name
        self.scopes = scopes
        self.text = text
        self.expiresAt = expiresAt
        self.callsPerMinute = callsPerMinute
        self.isSigning = isSigning
    }

    func check() throws(SiloError) {
        if let text { try KeyText.check(text) }
        guard name.count <= 200 else { throw SiloError.invalid("name: at most 200 characters") }
        guard callsPerMinute.map({ (1...1_000_000).contains($0) }) ?? true else {
            throw SiloError.invalid("callsPerMinute: 1 to 1000000")
        }
    }
}

/// The text of a key, which only its owner has.
///
/// `scm_` and 43 characters of base64url for 32 random bytes. Only its SHA-256 is stored. A plain hash is enough,
/// unlike for passwords: 256 random bits cannot be guessed. The hash is found through a unique index; that its
/// comparison takes different time for different hashes tells nothing, because whoever chooses keys to try cannot
/// choose their hashes.
enum KeyText {
    /// Shortest key that an operator may bring along.
    static let minimumCount = 20
    static let maximumCount = 256
    static let prefixCount = 8

    static func generate() -> String {
        let symbols = Base64.encode(SecureRandom.bytes(32), padded: false).map { byte in
            switch byte {
            case UInt8(ascii: "+"): UInt8(ascii: "-")
            case UInt8(ascii: "/"): UInt8(ascii: "_")
            default: byte
            }
        }
        return "scm_" + String(decoding: symbols, as: UTF8.self)
    }

    static func hash(_ key: String) -> [UInt8] { SHA256.digest(Array(key.utf8)) }

    /// - Throws: ``SiloError`` for a key that is too short, or cannot be sent in a header.
    static func check(_ key: String) throws(SiloError) {
        guard counts.contains(key.utf8.count) else {
            throw SiloError.invalid("an API key has \(minimumCount) to \(maximumCount) characters")
        }
        guard isPrintable(key.utf8) else {
            throw SiloError.invalid("an API key holds printable ASCII characters without spaces only")
        }
    }

    /// Whether there can be such a key at all.
    static func isPossible(_ key: [UInt8]) -> Bool { counts.contains(key.count) && isPrintable(key) }

    private static let counts = minimumCount...maximumCount

    private static func isPrintable(_ key: some Sequence<UInt8>) -> Bool {
        key.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
