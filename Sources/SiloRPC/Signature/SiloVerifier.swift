import HTTPTransport
import Synchronization

/// Checks the Silo1 signatures of requests to one silo. One for a process: it remembers the nonces.
///
/// ```
/// head:  one authorization -> form -> key id -> who may call -> time -> nothing unsigned -> TLS identity
/// body:  signature over everything -> nonce not used before
/// ```
///
/// The head is checked before the body is read, so that whoever has no key cannot make the server read one. The nonce
/// is remembered last, so that only the owner of a key can fill the window.
public final class SiloVerifier: Sendable {
    public struct Configuration: Sendable {
        /// How far the signer's clock may be off, either way. Default 60 s.
        public var clockTolerance: Duration = .seconds(60)
        /// Nonces kept for each key; a key whose signer makes more calls than that in two tolerances is refused
        /// (REPLAY_WINDOW_FULL). About 16 bytes each. Default 1,000,000.
        public var nonceCountPerKey = 1_000_000
        /// Who must be at the other end of a TLS connection: a DNS name or URI of the client certificate for each
        /// silo. A silo that is named here is refused without. Default: nobody.
        public var identities: [SiloAddress: String] = [:]
        /// Secrets of the old `rpc0` scheme that are accepted too, newest first. Default: none, it is off.
        public var rpc0: RPC0Verifier?

        public init() {}
    }

    /// Whom the configuration lets in besides owners of keys; a class, so that a call carries one reference.
    private final class Trust: Sendable {
        let identities: [SiloAddress: String]
        let rpc0: RPC0Verifier?

        init(_ configuration: Configuration) {
            (identities, rpc0) = (configuration.identities, configuration.rpc0)
        }
    }

    private let keyring: SiloKeyring
    private let configuration: Configuration
    private let trusted: Mutex<Trust>
    private let window: ReplayWindow
    private let now: @Sendable () -> Int64
    private let counts = Mutex<[SignatureRefusal.Reason: Int]>([:])
    private let skew = Mutex<[SiloAddress: Int64]>([:])

    /// - Parameter now: milliseconds since 1970 UTC.
    public init(
        keyring: SiloKeyring, configuration: Configuration = Configuration(),
        now: @escaping @Sendable () -> Int64 = { EpochTime.now }
    ) {
        self.keyring = keyring
        self.configuration = configuration
        trusted = Mutex(Trust(configuration))
        self.now = now
        window = ReplayWindow(
            tolerance: configuration.clockTolerance.components.seconds * 1000,
            maximumCountPerKey: configuration.nonceCountPerKey)
    }

    /// Takes ``Configuration/identities`` and ``Configuration/rpc0``, from the next check on; the rest stays.
    public func replaceTrust(_ configuration: Configuration) {
        let new = Trust(configuration)
        trusted.withLock { $0 = new }
    }

    private var trust: Trust { trusted.withLock { $0 } }

    /// Refusals since the start, by reason.
    public var refusalCounts: [SignatureRefusal.Reason: Int] { counts.withLock { $0 } }

    /// Signer's clock minus ours at the last good call of each silo, in milliseconds; the call's own travel included.
    public var clockSkew: [SiloAddress: Int64] { skew.withLock { $0 } }

    /// A request whose head is fine, waiting for its body.
    public struct Head: Sendable {
        enum Scheme: Sendable {
            case silo1(Silo1Header, SiloKey)
            case rpc0(String)
        }

        let scheme: Scheme
        let head: HTTPRequestHead

        /// Whose signature it is to be; nil for rpc0.
        var key: SiloKey? { if case .silo1(_, let key) = scheme { key } else { nil } }
    }

    /// A request that is there whole: ``checkHead(_:identity:)`` and ``checkBody(_:of:)`` in one.
    ///
    /// - Returns: who signed, and with which key; no key for rpc0.
    /// - Throws: ``SignatureRefusal``
    package func check(
        _ head: HTTPRequestHead, body: UnsafeRawBufferPointer, identity: TLSPeerIdentity?
    ) throws(SignatureRefusal) -> (peer: SiloPeer, key: SiloKey?) {
        try counting { () throws(SignatureRefusal) in
            let trust = trust
            if let token = token(head, trust) { return (try check(body, rpc0: token, head.path, trust), nil) }
            return try Silo1Fields.of(head) { fields throws(SignatureRefusal) in
                let (header, key) = try check(fields, identity, trust)
                return (try check(body, header, key, fields), key)
            }
        }
    }

    /// - Throws: ``SignatureRefusal``
    public func checkHead(_ head: HTTPRequestHead, identity: TLSPeerIdentity?) throws(SignatureRefusal) -> Head {
        try counting { () throws(SignatureRefusal) in
            let trust = trust
            if let token = token(head, trust) { return Head(scheme: .rpc0(token), head: head) }
            let (header, key) = try Silo1Fields.of(head) { fields throws(SignatureRefusal) in
                try check(fields, identity, trust)
            }
            return Head(scheme: .silo1(header, key), head: head)
        }
    }

    /// - Parameter body: all of it, as it stands on the wire.
    /// - Throws: ``SignatureRefusal``
    public func checkBody(_ body: UnsafeRawBufferPointer, of head: Head) throws(SignatureRefusal) -> SiloPeer {
        try counting { () throws(SignatureRefusal) in
            switch head.scheme {
            case .silo1(let header, let key):
                return try Silo1Fields.of(head.head) { fields throws(SignatureRefusal) in
                    try check(body, header, key, fields)
                }
            case .rpc0(let token): return try check(body, rpc0: token, head.head.path, trust)
            }
        }
    }

    private func counting<R>(_ check: () throws(SignatureRefusal) -> R) throws(SignatureRefusal) -> R {
        do throws(SignatureRefusal) {
            return try check()
        } catch {
            counts.withLock { $0[error.reason, default: 0] += 1 }
            throw error
        }
    }

    // MARK: rpc0

    /// What a request under the old scheme has instead, when that is accepted.
    private func token(_ head: HTTPRequestHead, _ trust: Trust) -> String? {
        guard trust.rpc0 != nil, head.fields.count(of: .authorization) == 1 else { return nil }
        return head.fields.first(.authorization).flatMap(RPC0Verifier.token)
    }

    private func check(
        _ body: UnsafeRawBufferPointer, rpc0 token: String, _ path: String, _ trust: Trust
    ) throws(SignatureRefusal) -> SiloPeer {
        guard trust.rpc0?.isValid(token, path: path, body: body) == true else {
            throw SignatureRefusal(.wrong, "the rpc0 signature does not fit the request")
        }
        return SiloPeer(source: nil, keyID: RPC0Verifier.version)
    }

    // MARK: Head

    private func check(
        _ fields: Silo1Fields, _ identity: TLSPeerIdentity?, _ trust: Trust
    ) throws(SignatureRefusal) -> (Silo1Header, SiloKey) {
        guard let value = fields.only("authorization") else {
            throw SignatureRefusal(.missing, "calls between silos need one authorization of the Silo1 scheme")
        }
        guard let header = Silo1Header(value), fields.hasAtMostOne("content-type") else {
            throw SignatureRefusal(.malformed, "authorization is not of the form Silo1 kid=,ts=,nonce=,sh=,sig=")
        }
        guard let key = keyring.verifyingKey(id: header.keyID(in: value)) else {
            let id = String(decoding: header.keyID(in: value), as: UTF8.self)
            throw SignatureRefusal(.unknownKey, "\(keyring.address) has no key \(id) to verify with")
        }
        // The keyring has no such key; this stands here so that the rule does not depend on it.
        guard key.source == .control || keyring.address == .control else {
            throw SignatureRefusal(.cellToCell, "cells do not call each other")
        }
        try checkTime(header, now())
        guard fields.isSigned(by: header.names(in: value)) else {
            throw SignatureRefusal(.unsignedField, "a field that routes the call is not signed (sh)")
        }
        try check(identity, of: key.source, trust)
        return (header, key)
    }

    private func checkTime(_ header: Silo1Header, _ now: Int64) throws(SignatureRefusal) {
        let offset = header.time - now
        guard abs(offset) <= window.tolerance else {
            throw SignatureRefusal(
                .clockSkew,
                "the signer's clock is \(offset) ms from ours; clockTolerance is \(window.tolerance) ms: check both "
                    + "clocks"
            )
        }
    }

    private func check(
        _ identity: TLSPeerIdentity?, of source: SiloAddress, _ trust: Trust
    ) throws(SignatureRefusal) {
        guard let name = trust.identities[source] else { return }
        guard let identity, identity.dnsNames.contains(name) || identity.uris.contains(name) else {
            throw SignatureRefusal(.identity, "\(source) must present a client certificate for \(name)")
        }
    }

    // MARK: Body

    private func check(
        _ body: UnsafeRawBufferPointer, _ header: Silo1Header, _ key: SiloKey, _ fields: Silo1Fields
    ) throws(SignatureRefusal) -> SiloPeer {
        let bodyHash = SHA256.sum(body)
        let code = key.idBytes.withUnsafeBytes { keyID in
            fields.only("authorization").map { value in
                let message = Silo1Message(
                    keyID: keyID, time: header.time, nonce: header.nonce, names: header.names(in: value),
                    fields: fields, bodyHash: bodyHash)
                return key.mac.code { message.write(to: &$0) }
            }
        }
        guard let code, code.isSame(as: header.signature) else {
            throw SignatureRefusal(.wrong, "the signature of key \(key.id) does not fit the request")
        }
        let now = now()
        // Again: while a slow body came, the window may have forgotten the nonce that this would repeat.
        try checkTime(header, now)
        switch window.use(header.nonce, keyID: key.id, time: header.time, now: now) {
        case .fresh: break
        case .seen: throw SignatureRefusal(.replayed, "this request has been received before")
        case .full:
            throw SignatureRefusal(
                .windowFull, "key \(key.id) makes more calls than nonceCountPerKey = \(configuration.nonceCountPerKey)")
        }
        skew.withLock { $0[key.source] = header.time - now }
        return key.peer
    }
}
