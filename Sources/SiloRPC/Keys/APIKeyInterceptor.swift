import HTTPTransport
import RPC
import ServiceContextModule
import Storage

/// Lets a call through only with a valid API key, in the metadata `x-api-key`, or `authorization: Bearer KEY`, or
/// with `x-signature` (``RequestSignature``).
///
/// Runs before the request's body is read, unless that is signed. Puts the ``Principal`` into the service context under
/// ``PrincipalKey``.
/// A verified key is remembered for ``cacheLifetime``, a refused one for one second. A key that was revoked is
/// forgotten: at once when this process is told (``forget(_:)``), else within 50 ms (``KeyChangeWatch``).
///
/// In a cell, whose keys are a replica, control is asked for a key that the replica lacks: it may have been made a
/// moment ago. There a change comes with a pull, which tells.
public struct APIKeyInterceptor: ServerInterceptor {
    /// Five seconds.
    public static let cacheLifetime: Duration = .seconds(5)
    private static let refusalLifetime: Duration = .seconds(1)

    private static let signature = HTTPFieldName(known: "x-signature")

    private let store: APIKeyStore
    private let verified = VerifiedKeys()
    private let openServices: Set<String>
    private let requiredScopes: [String: Scope]
    private let signatures: SignatureVerifier?
    private let demand: ReplicaDemand?
    /// nil for a replica: nobody but this process writes it.
    private let changes: KeyChangeWatch?

    /// - Parameters:
    ///   - openServices: full names of services that need no key, such as health.
    ///   - requiredScopes: service name -> scope that every call of it needs.
    ///   - signatures: checks calls with `x-signature`; nil when such calls are refused.
    ///   - demand: brings what is new when a key is not known; nil where `keys` has all there are.
    public init(
        keys: APIKeyStore, openServices: Set<String> = [], requiredScopes: [String: Scope] = [:],
        signatures: SignatureVerifier? = nil, demand: ReplicaDemand? = nil
    ) {
        self.init(
            keys: keys, openServices: openServices, requiredScopes: requiredScopes, signatures: signatures,
            demand: demand, looksEvery: KeyChangeWatch.interval)
    }

    init(
        keys: APIKeyStore, openServices: Set<String> = [], requiredScopes: [String: Scope] = [:],
        signatures: SignatureVerifier? = nil, demand: ReplicaDemand? = nil, looksEvery interval: Duration
    ) {
        store = keys
        changes = demand == nil ? KeyChangeWatch(keys, verified, interval: interval) : nil
        self.signatures = signatures
        self.demand = demand
        self.openServices = openServices
        self.requiredScopes = requiredScopes
    }

    /// - Throws: `RPCError` UNAUTHENTICATED: no key, an unknown or a revoked one; PERMISSION_DENIED: it lacks the scope
    ///   of the service; UNAVAILABLE: the database cannot be read.
    public func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
        if openServices.contains(context.method.service) { return try await next(call, context) }
        var context = context
        let known =
            if let header = context.metadata["x-signature"] {
                try await signer(of: call, context.metadata, header)
            } else {
                try await known(context.metadata)
            }
        try admit(known, &context)
        try await next(call, context)
    }

    /// A key that is remembered is decided at once.
    public func interceptNow(_ call: ServerCall, context: inout CallContext) throws -> Bool {
        if !openServices.isEmpty, openServices.contains(context.method.service) { return true }
        // A call with x-signature has no key there, or is refused for having both.
        guard let known = try Self.withKey(in: context.metadata, { verified.known($0, at: .now) }) ?? nil else {
            return false
        }
        guard context.metadata.count(of: Self.signature) == 0 else { return false }
        try admit(known, &context)
        return true
    }

    /// The principal of a call's metadata; throws as ``intercept(_:context:next:)``.
    public func principal(of metadata: Metadata) async throws -> Principal {
        try Self.accept(try await known(metadata))
    }

    /// Looks these keys, or all, up again when they come next: their rows have changed.
    public func forget(_ keyIDs: Set<Int64>?) { keyIDs.map(verified.forget) ?? verified.forgetAll() }

    /// Whose a request is, for handing it on: by its key, or by the key that says to have signed it. A signature is of
    /// the body too, which is not read here: form, time and key are looked at, the rest is for who answers.
    ///
    /// - Throws: as ``intercept(_:context:next:)``.
    public func organization(of metadata: Metadata) async throws -> Int64 {
        guard let header = metadata["x-signature"] else { return try await principal(of: metadata).organizationID }
        return try await verifier(of: metadata).claimedKey(header: header).organizationID
    }

    /// What checks a call with `x-signature`.
    private func verifier(of metadata: Metadata) throws -> SignatureVerifier {
        guard let signatures else { throw Self.refusal("x-signature is not accepted here") }
        for name in ["x-api-key", "authorization"] where !metadata.values(name).isEmpty {
            throw Self.refusal("\(name) and x-signature are given both: a key that signs is not sent")
        }
        guard metadata.values("x-signature").count == 1 else {
            throw Self.refusal("x-signature is given more than once")
        }
        return signatures
    }

    private func signer(of call: ServerCall, _ metadata: Metadata, _ header: String) async throws -> KnownKey {
        let key = try await verifier(of: metadata).key(of: call, header: header)
        noteUse(key)
        return KnownKey([], key.principal)
    }

    private func known(_ metadata: Metadata) async throws -> KnownKey {
        guard let key = try Self.withKey(in: metadata, { Array($0) }) else {
            throw Self.refusal("this call needs an API key, in the metadata x-api-key or authorization: Bearer KEY")
        }
        if let known = key.withUnsafeBytes({ verified.known($0, at: .now) }) { return known }
        if let changes, !verified.isConfirmed(at: .now) {
            await changes.look()
            if let known = key.withUnsafeBytes({ verified.known($0, at: .now) }) { return known }
        }
        return try await verify(key)
    }

    /// Lets a call go on as the key's principal.
    private func admit(_ known: KnownKey, _ context: inout CallContext) throws {
        let principal = try Self.accept(known)
        context.caller = known
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
                details: [
                    GoogleRPC.ErrorInfo(reason: "SCOPE_MISSING", domain: "scm", metadata: ["scope": scope.rawValue])
                ]
            )
        }
    }

    private func verify(_ text: [UInt8]) async throws -> KnownKey {
        let age: Int
        let stored: APIKey?
        do {
            (stored, age) = try await find(text)
        } catch let error as StorageError {
            throw RPCError(error, otherwise: "API keys cannot be checked now")
        }
        let time = EpochTime.now
        let key = stored.flatMap { $0.isValid(at: time) && !$0.isSigning ? $0 : nil }
        let known = KnownKey(text, key?.principal)
        var lifetime = key == nil ? Self.refusalLifetime : Self.cacheLifetime
        if let end = key?.expiresAt { lifetime = min(lifetime, .milliseconds(max(0, end - time))) }
        // What cannot be a key is not worth a place.
        if text.count <= KeyText.maximumCount { verified.remember(known, until: .now + lifetime, age: age) }
        if let key { noteUse(key) }
        return known
    }

    /// The row of a key, and the age of what is remembered when it was read.
    private func find(_ text: [UInt8]) async throws -> (APIKey?, Int) {
        let hash = SHA256.digest(text)
        var age = verified.age
        if let key = try await store.find(hash: hash) { return (key, age) }
        guard let demand, KeyText.isPossible(text), await demand.refresh() else { return (nil, age) }
        age = verified.age
        return (try await store.find(hash: hash), age)
    }

    private func noteUse(_ key: APIKey) {
        guard APIKeyStore.isUseDue(key, now: EpochTime.now) else { return }
        // Not part of the call: a failed note is a note less, and the next hour brings another.
        Task { try? await store.noteUse(key, now: EpochTime.now) }
    }

    /// Gives the key's bytes to `body`; nil when there is none.
    private static func withKey<R>(in metadata: Metadata, _ body: (UnsafeRawBufferPointer) -> R) throws -> R? {
        // A proxy that checks the last of several keys must not disagree with us about who calls.
        if metadata.count(of: .xApiKey) > 1 { throw refusal("x-api-key is given more than once") }
        if metadata.count(of: .authorization) > 1 { throw refusal("authorization is given more than once") }
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
        guard let principal = known.principal else {
            throw refusal("the API key is unknown, revoked or expired, or one that signs (x-signature)")
        }
        return principal
    }

    static func refusal(_ message: String) -> RPCError {
        RPCError(
            .unauthenticated, message, details: [GoogleRPC.ErrorInfo(reason: "UNAUTHENTICATED", domain: "scm")]
        )
    }
}
