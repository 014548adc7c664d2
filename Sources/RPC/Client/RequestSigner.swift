import HTTPTransport
import NIOCore

/// Vouches for requests: sees each unary attempt as it goes out and adds fields to its head.
///
/// Called once for every attempt, retries and hedges included, on the caller's task: must not block. What it throws
/// fails the call with INTERNAL.
public protocol RequestSigner: Sendable {
    /// - Parameters:
    ///   - head: complete: method, path, authority and every field that the channel sends.
    ///   - body: the body as it stands on the wire, frames and compression included.
    func sign(_ head: inout HTTPRequestHead, body: ByteBuffer) throws
}

extension ClientFailure {
    /// The cause stays here: it may speak of keys.
    static func unsigned(_ error: any Error, _ method: MethodDescriptor) -> RPCError {
        if let error = error as? RPCError { return error }
        if let error = error as? any RPCErrorConvertible { return error.rpcError }
        return RPCError(.internalError, "the request of \(method.path) cannot be signed: \(error)")
    }
}
