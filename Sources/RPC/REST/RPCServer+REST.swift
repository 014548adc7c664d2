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
            let form = exchange.fields.withFirst(.contentType) { WireForm(contentType: $0) } ?? nil
            guard form == .connectJSON, exchange.fields.count(of: .contentType) == 1 else {
                return problem(exchange, 415, "send the request message as application/json")
            }
            return begin(exchange, exchange.fields, method, .restJSON, query: nil)
        case .get(let types, let values):
            guard let method = served(types) else { return problem(exchange, 404, "this method is not served here") }
            do {
                let query = ConnectQuery(json: try message(exchange, types, values))
                return begin(exchange, exchange.fields, method, .restJSON, query: query)
            } catch {
                return refuse(exchange, .restJSON, method, error)
            }
        }
    }

    private func served(_ types: MethodTypes) -> ServedMethod? {
        var path = types.descriptor.path
        return path.withUTF8 { methods.method(path: UnsafeRawBufferPointer($0)) }
    }

    private func message(
        _ exchange: HTTPExchange, _ types: MethodTypes, _ values: [(name: String, value: [UInt8])]
    ) throws(RPCError) -> [UInt8] {
        var message = QueryMessage(types.request)
        for (name, value) in values { try message.add(name, value) }
        try message.addQuery(exchange.withPath { Array($0) })
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
