import ServiceContextModule

/// Who calls: the key, the organization it is bound to, and what it may do.
public struct Principal: Sendable, Hashable {
    public let organizationID: Int64
    public let keyID: Int64
    public let scopes: Set<Scope>
    /// The key's own rate; nil for the server's default.
    public let callsPerMinute: Int?

    public init(organizationID: Int64, keyID: Int64, scopes: Set<Scope>, callsPerMinute: Int? = nil) {
        self.organizationID = organizationID
        self.keyID = keyID
        self.scopes = scopes
        self.callsPerMinute = callsPerMinute
    }
}

/// Where interceptors leave the ``Principal`` for handlers: `context.serviceContext[PrincipalKey.self]`.
public enum PrincipalKey: ServiceContextKey {
    public typealias Value = Principal
    public static var nameOverride: String? { "principal" }
}
