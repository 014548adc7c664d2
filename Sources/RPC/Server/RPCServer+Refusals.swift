import HTTPTransport
import NIOCore

// Requests that are no POST of a method, and answers without a call.
extension RPCServer {
    /// A request whose path is no method: a route, a Connect GET with its query, or nothing.
    func admitOther(_ exchange: HTTPExchange) -> Admission {
        if let resource = exchange.withPath({ routes.resource($0) }) {
            if let handler = resource.handler(exchange.method) { return .route(handler) }
            let methods = resource.methods.map(\.description).joined(separator: ", ")
            return answerOtherVerb(exchange, methods)
        }
        if let rest, let admission = admitREST(exchange, rest) { return admission }
        if exchange.method == .post {
            let form = exchange.fields.withFirst(.contentType) { WireForm(contentType: $0) } ?? nil
            if let form, !form.wireProtocol.isWholeBody, !form.wireProtocol.needsHTTP2 || exchange.version == .http2 {
                return refuseUnknownMethod(exchange, form)
            }
        } else if let method = methodOfQuery(exchange) {
            return admitOtherVerb(exchange, method)
        }
        if exchange.method == .options { return answerPreflight(exchange, "POST") }
        return answer(exchange, 404, "no such page: calls are POST /package.Service/Method")
    }

    /// The method whose path stands before the query.
    private func methodOfQuery(_ exchange: HTTPExchange) -> ServedMethod? {
        exchange.withPath { target in
            guard let end = target.firstIndex(of: UInt8(ascii: "?")) else { return nil }
            return methods.method(path: UnsafeRawBufferPointer(rebasing: target[..<end]))
        }
    }

    /// A method asked with another verb than POST.
    func admitOtherVerb(_ exchange: HTTPExchange, _ method: ServedMethod) -> Admission {
        guard exchange.method == .get, WireProtocol.connectGet.serves(method.descriptor) else {
            return answerOtherVerb(exchange, WireProtocol.verbs(method.descriptor))
        }
        let query: ConnectQuery
        do {
            query = try exchange.withPath { target throws(RPCError) in try ConnectQuery(target) }
        } catch let error as RPCError {
            return refuse(exchange, .connectJSON, method, error)
        } catch {
            return .answered
        }
        guard let form = WireForm(codec: query.encoding) else {
            return refuseContentType(exchange, method.descriptor, "query parameter encoding must be proto or json")
        }
        return begin(exchange, exchange.fields, method, form, query: query)
    }

    private func answerOtherVerb(_ exchange: HTTPExchange, _ verbs: String) -> Admission {
        exchange.method == .options ? answerPreflight(exchange, verbs) : refuseVerb(exchange, verbs)
    }

    private func refuseVerb(_ exchange: HTTPExchange, _ verbs: String) -> Admission {
        var fields = HTTPFields()
        fields.append(.allow, verbs + ", OPTIONS")
        return answer(
            exchange, 405, "\(exchange.method.description.bounded) is not allowed here; allowed: \(verbs)", fields
        )
    }

    /// Rule C1: no authentication, never dispatched.
    func answerPreflight(_ exchange: HTTPExchange, _ verbs: String) -> Admission {
        guard exchange.fields.count(of: .origin) > 0, exchange.fields.count(of: .accessControlRequestMethod) > 0 else {
            return refuseVerb(exchange, verbs)
        }
        let fields = configuration.values.crossOrigin.preflightFields(for: exchange.fields, methods: verbs)
        exchange.sendHead(HTTPResponseHead(status: 204, fields: fields))
        exchange.finish()
        return .answered
    }

    func refuseContentType(
        _ exchange: HTTPExchange, _ method: MethodDescriptor, _ problem: String = "this content-type is not served"
    ) -> Admission {
        let accepted = WireForm.acceptPost(method)
        var fields = HTTPFields()
        fields.append(.acceptPost, accepted)
        return answer(exchange, 415, "\(problem); content types of this method: \(accepted)", fields)
    }

    /// Rule M12: which of two types counts is a guess that another program on the way may make differently.
    func refuseRepeatedContentType(_ exchange: HTTPExchange) -> Admission {
        answer(exchange, 400, "content-type is given more than once")
    }

    func refuseVersion(_ exchange: HTTPExchange, _ method: MethodDescriptor) -> Admission {
        answer(
            exchange, 505,
            "application/grpc needs HTTP/2 (its status travels in trailers); over HTTP/1.1 use application/grpc-web"
        )
    }

    private func refuseUnknownMethod(_ exchange: HTTPExchange, _ form: WireForm) -> Admission {
        let error = RPCError(.unimplemented, "no such method: \(exchange.head.path.bounded)")
        return refuse(exchange, form, unknownMethod, error)
    }

    /// Ends a call before it has begun, in the words of its protocol.
    func refuse(
        _ exchange: HTTPExchange, _ form: WireForm, _ method: ServedMethod, _ error: RPCError
    ) -> Admission {
        let terms = CallTerms(
            self, method, form, answerForm: form.answering(exchange.fields), CallEncodings(wire: form.wireProtocol),
            timeout: nil)
        ServerCall(exchange, terms).finish(error)
        return .answered
    }

    private func answer(
        _ exchange: HTTPExchange, _ status: Int, _ text: String, _ extra: HTTPFields = HTTPFields()
    ) -> Admission {
        refusals.add(status)
        var fields = extra
        fields.append(.contentType, "text/plain; charset=utf-8")
        configuration.values.crossOrigin.permitReading(&fields, by: exchange.fields)
        exchange.sendHead(HTTPResponseHead(status: status, fields: fields))
        exchange.sendLast(ByteBuffer(string: text + "\n"))
        return .answered
    }
}
