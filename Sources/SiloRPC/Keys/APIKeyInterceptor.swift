import HTTPTransport
import RPC
import ServiceContextModule
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
        try admit(try await known(context.metadata), &context)
        try await next(call, context)
    }

    /// A key that is remembered is decided at once.
    public func interceptNow(_ call: ServerCall, context: inout CallContext) throws -> Bool {
        if !openServices.isEmpty, openServices.contains(context.method.service) { return true }
        guard let known = try Self.withKey(in: context.metadata, { verified.known($0, at: .now) }) ?? nil else {
            return false
        }
        try admit(known, &context)
        return true
    }

    /// The principal of a call's metadata; throws as ``intercept(_:context:next:)``.
    public func principal(of metadata: Metadata) async throws -> Principal {
        try Self.accept(try await known(metadata))
    }

    private func known(_ metadata: Metadata) async throws -> KnownKey {
        guard let key = try Self.withKey(in: metadata, { Array($0) }) else {
            throw Self.refusal("this call needs an API key, in the metadata x-api-key or authorization: Bearer KEY")
        }
        let now = ContinuousClock.now
        if let known = key.withUnsafeBytes({ verified.known($0, at: now) }) { return known }
        return try await verify(key, now)
    }

    /// Lets a call go on as the key's principal.
    private func admit(_ known: KnownKey, _ context: inout CallContext) throws {
        let principal = try Self.accept(known)
        if context.serviceContext.isEmpty {
            context.serviceContext = known.serviceContext
        } else {
            context.serviceContext[PrincipalKey.self] = principal
        }
        context.noteIdentity("key \(principal.keyID) organization \(principal.organizationID)")
        guard !requiredScopes.isEmpty, let scope = requiredScopes[context.method.service] else { return }
        guard principal.scopes.contains(scope) else {
            throw RPCError(
                .permissionDenied, "the API key lacks the scope \(scope.rawValue)",
                details: [GoogleRPC.ErrorInfo(reason: "SCOPE_MISSING", domain: "scm", metadata: ["scope": scope.rawValue])]
            )
        }
    }

    private func verify(_ text: [UInt8], _ now: ContinuousClock.Instant) async throws -> KnownKey {
        let stored: APIKey?
        do {
            stored = try await store.find(hash: SHA256.digest(text))
        } catch is StorageError {
            throw RPCError(.unavailable, "API keys cannot be checked now")
        }
        let key = stored.flatMap { $0.isActive ? $0 : nil }
        let known = KnownKey(key.map { Principal(organizationID: $0.organizationID, keyID: $0.id, scopes: $0.scopes) })
        let lifetime = known.principal == nil ? Self.refusalLifetime : Self.cacheLifetime
        // What cannot be a key is not worth a place.
        if text.count <= KeyText.maximumCount { verified.remember(known, for: text, until: now + lifetime) }
        if let key, APIKeyStore.isUseDue(key, now: EpochTime.now) {
            // Not part of the call: a failed note is a note less, and the next hour brings another.
            Task { try? await store.noteUse(key, now: EpochTime.now) }
        }
        return known
    }

    /// Gives the key's bytes to `body`; nil when there is none.
    private static func withKey<R>(in metadata: Metadata, _ body: (UnsafeRawBufferPointer) -> R) throws -> R? {
        // A proxy that checks the last of several keys must not disagree with us about who calls.
        for name in [HTTPFieldName.xApiKey, .authorization] where metadata.count(of: name) > 1 {
            throw refusal("\(name) is given more than once")
        }
        if let result = metadata.withFirst(.xApiKey, { $0.isEmpty ? nil : body($0) }) ?? nil { return result }
        return metadata.withFirst(.authorization) { bearer($0).map(body) } ?? nil
    }

    /// The key in `Bearer KEY` (RFC 6750 section 2.1): the scheme's case does not matter, nor do more spaces.
    private static func bearer(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let parts = value.split(separator: UInt8(ascii: " "), maxSplits: 2)
        guard parts.count == 2, let scheme = parts.first, let key = parts.last,
            scheme.elementsEqual("bearer".utf8, by: { $0 | 0x20 == $1 })
        else { return nil }
        return UnsafeRawBufferPointer(rebasing: key)
    }

    /// One text for unknown and revoked keys: a caller with neither learns nothing about what exists.
    private static func accept(_ known: KnownKey) throws -> Principal {
        guard let principal = known.principal else { throw refusal("the API key is unknown or revoked") }
        return principal
    }

    private static func refusal(_ message: String) -> RPCError {
        RPCError(
            .unauthenticated, message, details: [GoogleRPC.ErrorInfo(reason: "UNAUTHENTICATED", domain: "scm")]
        )
    }
}
