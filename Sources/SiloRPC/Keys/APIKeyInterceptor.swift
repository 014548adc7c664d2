import RPC
import Storage

/// Lets a call through only with a valid API key, in the metadata `x-api-key`, or `authorization: Bearer KEY`.
///
/// Runs before the request's body is read. Puts the ``Principal`` into the service context under ``PrincipalKey``.
/// A verified key is remembered for ``cacheLifetime``: that long after a key was revoked by another process,
/// a server may still accept it. A refused key is remembered for one second.
public struct APIKeyInterceptor: ServerInterceptor {
    /// Five seconds.
    public static let cacheLifetime: Duration = .seconds(5)
    private static let refusalLifetime: Duration = .seconds(1)

    private let store: APIKeyStore
    private let verified = VerifiedKeys()
    private let openServices: Set<String>
    private let requiredScopes: [String: Scope]

    /// - Parameters:
    ///   - openServices: full names of services that need no key, such as health.
    ///   - requiredScopes: service name -> scope that every call of it needs.
    public init(keys: APIKeyStore, openServices: Set<String> = [], requiredScopes: [String: Scope] = [:]) {
        store = keys
        self.openServices = openServices
        self.requiredScopes = requiredScopes
    }

    /// - Throws: `RPCError` UNAUTHENTICATED: no key, an unknown or a revoked one; PERMISSION_DENIED: it lacks the scope of
    ///   the service; UNAVAILABLE: the database cannot be read.
    public func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
        if openServices.contains(context.method.service) { return try await next(call, context) }
        var context = context
        let principal = try await principal(of: context.metadata)
        context.serviceContext[PrincipalKey.self] = principal
        context.noteIdentity("key \(principal.keyID) organization \(principal.organizationID)")
        if let scope = requiredScopes[context.method.service], !principal.scopes.contains(scope) {
            throw RPCError(
                .permissionDenied, "the API key lacks the scope \(scope.rawValue)",
                details: [GoogleRPC.ErrorInfo(reason: "SCOPE_MISSING", domain: "scm", metadata: ["scope": scope.rawValue])]
            )
        }
        try await next(call, context)
    }

    /// A key that is remembered is decided at once.
    public func interceptNow(_ call: ServerCall, context: inout CallContext) throws -> Bool {
        guard let key = try Self.key(in: context.metadata),
            let known = verified.principal(of: KeyText.hash(key), at: .now)
        else { return false }
        context.serviceContext[PrincipalKey.self] = try Self.accept(known)
        return true
    }

    /// The principal of a call's metadata; throws as ``intercept(_:context:next:)``.
    public func principal(of metadata: Metadata) async throws -> Principal {
        guard let key = try Self.key(in: metadata) else {
            throw Self.refusal("this call needs an API key, in the metadata x-api-key or authorization: Bearer KEY")
        }
        let hash = KeyText.hash(key)
        let now = ContinuousClock.now
        if let known = verified.principal(of: hash, at: now) { return try Self.accept(known) }
        return try Self.accept(try await verify(hash, now))
    }

    private func verify(_ hash: [UInt8], _ now: ContinuousClock.Instant) async throws -> Principal? {
        let stored: APIKey?
        do {
            stored = try await store.find(hash: hash)
        } catch is StorageError {
            throw RPCError(.unavailable, "API keys cannot be checked now")
        }
        let key = stored.flatMap { $0.isActive ? $0 : nil }
        let principal = key.map { Principal(organizationID: $0.organizationID, keyID: $0.id, scopes: $0.scopes) }
        let lifetime = principal == nil ? Self.refusalLifetime : Self.cacheLifetime
        verified.remember(principal, for: hash, until: now + lifetime)
        if let key, APIKeyStore.isUseDue(key, now: EpochTime.now) {
            // Not part of the call: a failed note is a note less, and the next hour brings another.
            Task { try? await store.noteUse(key, now: EpochTime.now) }
        }
        return principal
    }

    private static func key(in metadata: Metadata) throws -> String? {
        // A proxy that checks the last of several keys must not disagree with us about who calls.
        for name in ["x-api-key", "authorization"] where metadata.values(name).count > 1 {
            throw refusal("\(name) is given more than once")
        }
        if let key = metadata["x-api-key"], !key.isEmpty { return key }
        guard let header = metadata["authorization"] else { return nil }
        let parts = header.split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1])
    }

    /// One text for unknown and revoked keys: a caller with neither learns nothing about what exists.
    private static func accept(_ principal: Principal?) throws -> Principal {
        guard let principal else { throw refusal("the API key is unknown or revoked") }
        return principal
    }

    private static func refusal(_ message: String) -> RPCError {
        RPCError(
            .unauthenticated, message, details: [GoogleRPC.ErrorInfo(reason: "UNAUTHENTICATED", domain: "scm")]
        )
    }
}
