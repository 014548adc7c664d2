import HTTPTransport
import RPC
import Storage

/// Checks ``RequestSignature``s: key, time, body, then whether the very same was seen before.
///
/// ```
/// malformed ............ UNAUTHENTICATED      clock off by more than window .. UNAUTHENTICATED, tells by how much
/// no such key .......... UNAUTHENTICATED      wrong signature ................ UNAUTHENTICATED
/// made before start .... UNAUTHENTICATED      seen before .................... UNAUTHENTICATED
///                                             too many nonces ................ RESOURCE_EXHAUSTED
/// ```
///
/// A nonce is taken after the signature was found right: strangers cannot fill the memory.
public final class SignatureVerifier: Sendable {
    private let store: APIKeyStore
    private let nonces: NonceMemory
    private let window: Int64
    private let startedAt: Int64
    private let demand: ReplicaDemand?

    /// - Parameters:
    ///   - window: how far a client's clock may be off, in seconds.
    ///   - maximumNonceCount: signatures that can be remembered at a time; about 100 bytes each.
    ///   - startedAt: signatures from before this time are refused, in milliseconds since 1970 UTC: what was seen
    ///     then is not known any more.
    ///   - demand: as of ``APIKeyInterceptor``.
    public init(
        keys: APIKeyStore, window: Int = 60, maximumNonceCount: Int = 100_000, startedAt: Int64 = EpochTime.now,
        demand: ReplicaDemand? = nil
    ) {
        self.demand = demand
        store = keys
        self.window = Int64(window) * 1000
        nonces = NonceMemory(maximumCount: maximumNonceCount)
        self.startedAt = startedAt
    }

    /// Reads the request's body to its end, and leaves it for the handler.
    ///
    /// - Throws: `RPCError` as above; UNAVAILABLE: the database cannot be read.
    func key(of call: ServerCall, header: String) async throws -> APIKey {
        let now = EpochTime.now
        // Nothing of the body is read for a key that is not there.
        let (signature, found) = try await claim(header, now)
        let digest = SHA256Digest()
        try await call.readAhead { digest.update($0) }
        let request = call.requestLine
        let isValid = signature.isValid(
            secret: found.secret, method: request.method, target: request.target, contentType: request.contentType,
            bodyDigest: digest.finish()
        )
        guard isValid else { throw Self.wrong }
        try take(signature, now)
        return found.key
    }

    /// The key that says to have signed, valid now. Whether it has is not known.
    func claimedKey(header: String) async throws -> APIKey { try await claim(header, EpochTime.now).found.key }

    private func claim(
        _ header: String, _ now: Int64
    ) async throws -> (signature: RequestSignature, found: (key: APIKey, secret: [UInt8])) {
        guard let signature = RequestSignature(header: header) else {
            throw APIKeyInterceptor.refusal("x-signature must be: v1 kid=ID,ts=MILLISECONDS,nonce=TEXT,sig=BASE64URL")
        }
        try check(signature.timestamp, now)
        let found: (key: APIKey, secret: [UInt8])?
        do {
            found = try await find(id: signature.keyID)
        } catch let error as StorageError {
            throw RPCError(error, otherwise: "API keys cannot be checked now")
        }
        // One text for unknown keys and wrong signatures.
        guard let found, found.key.isValid(at: now) else { throw Self.wrong }
        return (signature, found)
    }

    func find(id: Int64) async throws -> (key: APIKey, secret: [UInt8])? {
        if let found = try await store.findSigning(id: id) { return found }
        guard let demand, await demand.refresh() else { return nil }
        return try await store.findSigning(id: id)
    }

    private func check(_ timestamp: Int64, _ now: Int64) throws {
        let (difference, overflow) = timestamp.subtractingReportingOverflow(now)
        guard !overflow, difference.magnitude <= window.magnitude else {
            let seconds = difference / 1000
            throw APIKeyInterceptor.refusal(
                "x-signature: its time is \(overflow ? "far" : "\(seconds) s") from the server's; "
                    + "signatureWindow is \(window / 1000) s"
            )
        }
        guard timestamp >= startedAt else {
            throw APIKeyInterceptor.refusal("x-signature: it was made before the server started: sign anew")
        }
    }

    private func take(_ signature: RequestSignature, _ now: Int64) throws {
        let expiry = signature.timestamp + window + 1
        switch nonces.take(signature.nonce, keyID: signature.keyID, until: expiry, now: now) {
        case .new: return
        case .seen: throw APIKeyInterceptor.refusal("x-signature: this nonce was used before: sign every call anew")
        case .full:
            throw RPCError(
                .resourceExhausted, "the server remembers signatureNonces signatures already; try again",
                details: [GoogleRPC.ErrorInfo(reason: "LIMIT_REACHED", domain: "scm")]
            )
        }
    }

    private static var wrong: RPCError {
        APIKeyInterceptor.refusal("x-signature: the key is unknown or ended, or the signature is not of this request")
    }
}
