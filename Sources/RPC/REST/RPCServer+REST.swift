import FrameCodec
import HTTPTransport
import NIOCore

// Plain HTTP resources -> calls.
extension RPCServer {
    /// nil when the path is none of REST's.
    func admitREST(_ exchange: HTTPExchange, _ rest: RESTRoutes) -> Admission? {
        guard exchange.withPath({ rest.owns($0) }) else { return nil }
        switch exchange.withPath({ rest.match(exchange.method, $0) }) {
        case .nothing: return problem(exchange, 404, "no such resource; \(rest.prefix)openapi.json lists them")
        case .otherVerb(let verb):
            if exchange.method == .options { return answerPreflight(exchange, verb) }
            var fields = HTTPFields()
            fields.append(.allow, verb + ", OPTIONS")
            return problem(exchange, 405, "this resource is for \(verb)", fields)
        case .post(let types):
            guard let method = served(types) else { return problem(exchange, 404, "this method is not served here") }
            return isJSON(exchange)
                ? begin(exchange, exchange.fields, method, .restJSON, query: nil) : refuseMedia(exchange)
        case .resource(let resource, let values): return admit(exchange, resource, values)
        }
    }

    private func admit(
        _ exchange: HTTPExchange, _ resource: RESTRoutes.Resource, _ values: [(name: String, value: [UInt8])]
    ) -> Admission {
        guard let method = served(resource.method) else {
            return problem(exchange, 404, "this method is not served here")
        }
        let head: [UInt8]
        do {
            head = try message(exchange, resource, values)
        } catch {
            return refuse(exchange, .restJSON, method, error)
        }
        guard case .none = resource.body else {
            guard isJSON(exchange) else { return refuseMedia(exchange) }
            let body = RESTBody(part: resource.body, request: resource.method.request, head: head)
            return begin(exchange, exchange.fields, method, .restJSON, query: nil, body: body)
        }
        return begin(exchange, exchange.fields, method, .restJSON, query: ConnectQuery(json: head))
    }

    private func isJSON(_ exchange: HTTPExchange) -> Bool {
        let form = exchange.fields.withFirst(.contentType) { WireForm(contentType: $0) } ?? nil
        return form == .connectJSON && exchange.fields.count(of: .contentType) == 1
    }

    private func refuseMedia(_ exchange: HTTPExchange) -> Admission {
        problem(exchange, 415, "send the request message as application/json")
    }

    private func served(_ types: MethodTypes) -> ServedMethod? {
        var path = types.descriptor.path
        return path.withUTF8 { methods.method(path: UnsafeRawBufferPointer($0)) }
    }

    /// What path and query say.
    private func message(
        _ exchange: HTTPExchange, _ resource: RESTRoutes.Resource, _ values: [(name: String, value: [UInt8])]
    ) throws(RPCError) -> [UInt8] {
        var message = QueryMessage(resource.method.request)
        for (name, value) in values { try message.add(name, value) }
        let target = exchange.withPath { Array($0) }
        if case .whole = resource.body, let query = target.firstIndex(of: UInt8(ascii: "?")), query + 1 < target.count {
            throw RPCError(.invalidArgument, "the body is the whole request: this resource has no query")
        }
        try message.addQuery(target)
        return message.json
    }

    private func problem(
        _ exchange: HTTPExchange, _ status: Int, _ detail: String, _ extra: HTTPFields = HTTPFields()
    ) -> Admission {
        var fields = ProblemDetails.head
        extra.forEach { name, value in fields.append(name: name, value: value) }
        configuration.values.crossOrigin.permitReading(&fields, by: exchange.fields)
        exchange.sendHead(HTTPResponseHead(status: status, fields: fields))
        exchange.sendLast(ByteBuffer(bytes: ProblemDetails.json(status: status, detail: detail)))
        return .answered
    }
}
