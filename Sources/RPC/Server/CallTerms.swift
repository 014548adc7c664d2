import HTTPTransport

/// What a request's head says about its call. Depends on nothing but the head and the server's configuration.
///
/// The terms of a head that a connection's requests repeat stay with the head, which need not be looked at again: most
/// clients send the same one in every call of a method. A class, so that a call takes one reference of all that.
final class CallTerms: Sendable {
    let server: RPCServer
    let method: ServedMethod
    let form: WireForm
    let answerForm: WireForm
    let encodings: CallEncodings
    /// Nanoseconds from the arrival of the head to the deadline; nil for none.
    let timeout: Int64?

    init(
        _ server: RPCServer, _ method: ServedMethod, _ form: WireForm, answerForm: WireForm, _ encodings: CallEncodings,
        timeout: Int64?
    ) {
        self.server = server
        self.method = method
        self.form = form
        self.answerForm = answerForm
        self.encodings = encodings
        self.timeout = timeout
    }

    /// Those of an earlier request with the same head; nil when there are none, or another server has left them.
    static func kept(_ exchange: HTTPExchange, _ server: RPCServer) -> CallTerms? {
        guard let note = exchange.headNote, let kept = note as? CallTerms, kept.server === server else { return nil }
        return kept
    }

    /// For the next request with the same head, when there has been one already.
    func keep(_ exchange: HTTPExchange) {
        if exchange.isHeadRepeated { exchange.headNote = self }
    }
}
