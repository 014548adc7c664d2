import HTTPTransport

/// What a request's head says about its call. Depends on nothing but the head and the server's configuration.
struct CallTerms: Sendable {
    let method: ServedMethod
    let form: WireForm
    let answerForm: WireForm
    let encodings: CallEncodings
    /// Nanoseconds from the arrival of the head to the deadline; nil for none.
    let timeout: Int64?
}

/// The terms of a head that a connection's requests repeat: they stay with the head, which need not be looked at again.
/// Most clients send the same one in every call of a method.
final class KeptTerms: Sendable {
    private let server: RPCServer
    private let terms: CallTerms

    private init(_ server: RPCServer, _ terms: CallTerms) {
        self.server = server
        self.terms = terms
    }

    /// nil when there are none, or another server has left them.
    static func of(_ exchange: HTTPExchange, _ server: RPCServer) -> CallTerms? {
        guard let note = exchange.headNote, let kept = note as? KeptTerms, kept.server === server else { return nil }
        return kept.terms
    }

    /// Keeps the terms, when the head has come twice.
    static func keep(_ terms: CallTerms, _ exchange: HTTPExchange, _ server: RPCServer) {
        guard exchange.isHeadRepeated else { return }
        exchange.headNote = KeptTerms(server, terms)
    }
}
