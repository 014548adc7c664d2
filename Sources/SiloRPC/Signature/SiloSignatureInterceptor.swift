import HTTPTransport
import NIOCore
import RPC
import Synchronization

/// Lets calls of silo services through only when another silo has signed them.
///
/// The signature covers the body, so the body is read before anything of it is decoded: a unary request, within the
/// server's `maximumRequestMessageByteCount`. Streams are refused, because a signature over their head alone would let
/// anybody on the way replace what follows. Leaves the ``SiloPeer`` under ``SiloPeerKey``. Calls of other services
/// pass.
public struct SiloSignatureInterceptor: ServerInterceptor {
    private let verifier: SiloVerifier
    /// An array: there are few, and each call asks.
    private let services: [String]

    /// - Parameter services: full names of the services that only silos may call.
    public init(verifier: SiloVerifier, services: Set<String>) {
        self.verifier = verifier
        self.services = Array(services)
    }

    /// A request that has arrived whole is decided at once.
    public func interceptNow(_ call: ServerCall, context: inout CallContext) throws -> Bool {
        guard services.contains(context.method.service) else { return true }
        try checkKind(context)
        var signer: (peer: SiloPeer, key: SiloKey?)?
        // Looked at, not taken: the handler reads it.
        try call.exchange.withCompleteBody { body in
            signer = try verifier.check(call.exchange.head, body: body, identity: context.peerIdentity)
            return false
        }
        guard let signer else { return false }
        admit(signer.peer, signer.key, &context)
        return true
    }

    public func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
        guard services.contains(context.method.service) else { return try await next(call, context) }
        try checkKind(context)
        let head = try verifier.checkHead(call.exchange.head, identity: context.peerIdentity)
        let body = CollectedBody()
        try await call.readAhead { piece in body.bytes.withLock { _ = $0.writeImmutableBuffer(piece) } }
        let whole = body.bytes.withLock { $0 }
        var context = context
        admit(try whole.withUnsafeReadableBytes { try verifier.checkBody($0, of: head) }, head.key, &context)
        try await next(call, context)
    }

    private func checkKind(_ context: CallContext) throws(SignatureRefusal) {
        guard context.method.kind == .unary else {
            throw SignatureRefusal(.stream, "\(context.method.path) is a stream: calls between silos are unary")
        }
    }

    private func admit(_ peer: SiloPeer, _ key: SiloKey?, _ context: inout CallContext) {
        if let key { context.caller = key }
        if let key, context.serviceContext.isEmpty {
            context.serviceContext = key.peerContext
        } else {
            context.serviceContext[SiloPeerKey.self] = peer
        }
        context.noteIdentity("silo \(peer.source.map { "\($0)" } ?? "rpc0") key \(peer.keyID)")
    }
}

/// What has arrived of a request's body.
private final class CollectedBody: Sendable {
    let bytes = Mutex(ByteBuffer())
}
