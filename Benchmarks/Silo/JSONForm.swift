import Foundation
import FrameCodec
import HTTPTransport
import NIOCore
import RPC
import SiloRPC

/// One method as HMAC-signed JSON over HTTP/1.1: `POST /api/0/internal/rpc/SERVICE/METHOD/` with
/// `{"meta":{},"args":{}}`, answered by `{"meta":{},"value":{}}`.
struct JSONMethod<Arguments: Sendable, Value: Sendable>: Sendable {
    let declared: SiloMethod
    let prefix: String
    let encodeRequest: @Sendable (Arguments) throws -> [UInt8]
    let decodeRequest: @Sendable (ByteBuffer) throws -> Arguments
    let encodeResponse: @Sendable (Value) throws -> [UInt8]
    let decodeResponse: @Sendable (ByteBuffer) throws -> Value

    /// With the policy of every silo call around it: switches, limit, breaker, retries, deadline, request id.
    func call(_ caller: SiloCaller, _ arguments: Arguments) async throws -> Value {
        let call = SiloCall(
            method: declared, destination: .control, body: try encodeRequest(arguments),
            deadline: .now() + TimeAmount(declared.timeout))
        return try decodeResponse(try await caller.call(call))
    }

    /// The served side: signature, envelope, who acts, the service, errors without their text.
    func route(_ rpc0: RPC0Verifier, _ serve: @escaping @Sendable (Arguments) async throws -> Value) -> HTTPRoute {
        HTTPRoute(.post, JSONTransport.path(prefix, declared)) { exchange in
            do {
                var body = exchange.takeCompleteBody() ?? ByteBuffer()
                while let bytes = try await exchange.readBody() { body.writeImmutableBuffer(bytes) }
                let token = exchange.fields.first(.authorization)?.split(separator: " ").last.map(String.init) ?? ""
                let isValid = body.withUnsafeReadableBytes { rpc0.isValid(token, path: exchange.head.path, body: $0) }
                guard isValid else {
                    exchange.sendHead(HTTPResponseHead(status: 401))
                    return exchange.finish()
                }
                let arguments = try decodeRequest(body)
                let value = try await SiloScope.with({ $0.viewer = SiloViewer() }) { try await serve(arguments) }
                let answer = ByteBuffer(bytes: try encodeResponse(value))
                exchange.sendHead(HTTPResponseHead(status: 200, fields: [.contentType: "application/json"]))
                exchange.sendLast(answer)
            } catch {
                exchange.sendHead(HTTPResponseHead(status: 500))
                exchange.finish()
            }
        }
    }
}

extension JSONMethod where Arguments: Codable, Value: Codable {
    /// With Foundation's coders.
    static func foundation(_ method: SiloMethod) -> JSONMethod {
        JSONMethod(
            declared: method, prefix: "/api/0/internal/rpc",
            encodeRequest: { Array(try JSONEncoder().encode(JSONRequest(meta: JSONMeta(), args: $0))) },
            decodeRequest: { body in
                try JSONDecoder().decode(JSONRequest<Arguments>.self, from: Data(body.readableBytesView)).args
            },
            encodeResponse: { Array(try JSONEncoder().encode(JSONResponse(meta: JSONMeta(), value: $0))) },
            decodeResponse: { body in
                try JSONDecoder().decode(JSONResponse<Value>.self, from: Data(body.readableBytesView)).value
            }
        )
    }
}

extension JSONMethod where Arguments: Message, Value: Message {
    /// With this package's JSON. The envelope's last member is cut out, which is cheaper than any parser.
    static func own(_ method: SiloMethod) -> JSONMethod {
        JSONMethod(
            declared: method, prefix: "/own",
            encodeRequest: { Array(#"{"meta":{},"args":\#(try $0.jsonString())}"#.utf8) },
            decodeRequest: { try Arguments(jsonString: try part("args", of: $0.readableBytesView)) },
            encodeResponse: { Array(#"{"meta":{},"value":\#(try $0.jsonString())}"#.utf8) },
            decodeResponse: { try Value(jsonString: try part("value", of: $0.readableBytesView)) }
        )
    }

    private static func part(_ name: String, of bytes: some Collection<UInt8>) throws -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let start = text.range(of: "\"\(name)\":") else { throw RPCError(.internalError, "no \(name)") }
        return String(text[start.upperBound...].dropLast())
    }
}

private struct JSONViewer: Codable {
    var actorType: String
    var organizationID: Int64?
    var userID: Int64?

    enum CodingKeys: String, CodingKey {
        case actorType = "actor_type", organizationID = "organization_id", userID = "user_id"
    }
}

private struct JSONMeta: Codable {
    var viewerContext: JSONViewer?

    enum CodingKeys: String, CodingKey { case viewerContext = "viewer_context" }
}

private struct JSONRequest<Arguments: Codable>: Codable {
    var meta: JSONMeta
    var args: Arguments
}

private struct JSONResponse<Value: Codable>: Codable {
    var meta: JSONMeta
    var value: Value
}

/// Carries calls as signed JSON.
struct JSONTransport: SiloTransport {
    let client: HTTPClient
    let base: String
    let prefix: String
    let rpc0: RPC0Verifier
    let source: SiloAddress

    static func path(_ prefix: String, _ method: SiloMethod) -> String {
        "\(prefix)/\(method.serviceKey)/\(method.name)/"
    }

    func send(_ call: SiloCall) async throws -> ByteBuffer {
        let path = Self.path(prefix, call.method)
        var fields: HTTPFields = [
            .contentType: "application/json; charset=utf-8", .userAgent: "silo-rpc/from-us1",
            .authorization: "Rpcsignature \(rpc0.sign(path: path, body: call.body))",
        ]
        for name in call.metadata.names {
            guard let field = HTTPFieldName(name) else { continue }
            for value in call.metadata.values(name) { fields.append(field, value) }
        }
        var request = HTTPClientRequest(
            .post, try HTTPURL(base + path), fields: fields, body: .bytes(ByteBuffer(bytes: call.body)))
        request.timeout = max(.zero, Duration(call.deadline - .now()))
        let response = try await client.execute(request)
        let body = try await response.body.collect()
        switch response.status {
        case 200: return body
        case 503: throw RPCError(.unavailable, "status 503")
        default: throw RPCError(.unknown, "status \(response.status)")
        }
    }
}
