import FrameCodec
import HTTPTransport
import struct NIOCore.ByteBuffer
import Testing

@testable import RPC

@Suite(.timeLimit(.minutes(5))) struct HTTPRulesTests {
    /// A file with one service and the method M, whose option is this rule; written by hand.
    private static func file(_ rule: GoogleAPI.HttpRule) -> FileDescriptor {
        func field(_ number: UInt32, _ bytes: [UInt8]) -> [UInt8] {
            func varint(_ value: UInt32) -> [UInt8] {
                var (rest, output) = (value, [UInt8]())
                while rest >= 0x80 {
                    output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
                    rest >>= 7
                }
                return output + [UInt8(rest)]
            }
            return varint(number << 3 | 2) + varint(UInt32(bytes.count)) + bytes
        }
        let method = field(1, Array("M".utf8)) + field(4, field(72_295_728, rule.serializedBytes()))
        let bytes = field(2, Array("p".utf8)) + field(6, field(1, Array("S".utf8)) + field(2, method))
        return FileDescriptor(name: "f.proto", serializedBytes: bytes)
    }

    private static func routes(
        _ rule: GoogleAPI.HttpRule, _ request: any Message.Type = GoogleRPC.Status.self
    ) throws -> RESTRoutes {
        let descriptor = MethodDescriptor(service: "p.S", method: "M", kind: .unary)
        let types = MethodTypes(descriptor: descriptor, request: request, response: GoogleRPC.Status.self)
        return try RESTRoutes([types], file: file(rule))
    }

    private static func rule(_ pattern: GoogleAPI.HttpRule.Pattern, _ body: String = "") -> GoogleAPI.HttpRule {
        GoogleAPI.HttpRule(pattern: pattern, body: body)
    }

    private static func match(_ routes: RESTRoutes, _ verb: HTTPMethod, _ target: String) -> String {
        switch Array(target.utf8).withUnsafeBytes({ routes.match(verb, $0) }) {
        case .post: "post"
        case .resource(let resource, let values):
            "\(resource.verb) "
                + values.map { "\($0.name)=\(String(decoding: $0.value, as: UTF8.self))" }.joined(separator: " ")
        case .otherVerb(let verbs): "only \(verbs)"
        case .nothing: "nothing"
        }
    }

    @Test func `every verb and every binding is a resource`() throws {
        var rule = Self.rule(.put("/v1/{code}"), "*")
        rule.additionalBindings = [
            Self.rule(.get("/v1/{code}")), Self.rule(.delete("/v1/{code}")), Self.rule(.patch("/v1/{code}/x"), "*"),
            Self.rule(.post("/v1/{code}:go"), "*"), Self.rule(.get("/v1/all")),
        ]
        let routes = try Self.routes(rule)
        #expect(routes.resources.count == 6)
        #expect(Self.match(routes, .put, "/v1/5") == "PUT code=5")
        #expect(Self.match(routes, .get, "/v1/5?message=x") == "GET code=5")
        #expect(Self.match(routes, .delete, "/v1/5") == "DELETE code=5")
        #expect(Self.match(routes, .patch, "/v1/5/x") == "PATCH code=5")
        #expect(Self.match(routes, .post, "/v1/5:go") == "POST code=5")
        #expect(Self.match(routes, .get, "/v1/all") == "GET ")
        #expect(Self.match(routes, .post, "/v1/M") == "post")
        // What fits best says what is allowed.
        #expect(Self.match(routes, .post, "/v1/5") == "only DELETE, GET, PUT")
        #expect(Self.match(routes, .get, "/v1/5:go") == "only POST")
        #expect(Self.match(routes, .put, "/v1/all") == "only GET")
        #expect(Self.match(routes, .get, "/v1/M") == "only POST")
        #expect(Self.match(routes, .get, "/v1/5/y") == "nothing")
    }

    @Test func `rules that cannot be served are refused at the start`() throws {
        var partOfAnswer = Self.rule(.get("/v1/a"))
        partOfAnswer.responseBody = "details"
        var twice = Self.rule(.get("/v1/{code}"))
        twice.additionalBindings = [Self.rule(.get("/v1/{message}"))]
        let bad = [
            Self.rule(.get("/v1/{nothing}")), Self.rule(.get("/v2/{code}")), Self.rule(.get("/v1/{details}")),
            Self.rule(.get("/v1/{code.x}")), Self.rule(.get("/v1/{code}"), "*"), Self.rule(.delete("/v1/{code}"), "*"),
            Self.rule(.post("/v1/a"), "message"), Self.rule(.post("/v1/a"), "details"),
            Self.rule(.post("/v1/a"), "none"),
            Self.rule(.custom(GoogleAPI.CustomHttpPattern(kind: "LIST", path: "/v1/a"))), GoogleAPI.HttpRule(),
            partOfAnswer, twice,
        ]
        for rule in bad { #expect(throws: RESTError.self) { try Self.routes(rule) } }
        #expect(try Self.routes(Self.rule(.get("/v1/{custom.kind}")), GoogleAPI.HttpRule.self).resources.count == 1)
    }

    private static func complete(_ part: RESTBody.Part, _ head: String, _ body: String) throws -> GoogleAPI.HttpRule {
        let rest = RESTBody(part: part, request: GoogleAPI.HttpRule.self, head: Array(head.utf8))
        return try GoogleAPI.HttpRule(jsonString: String(buffer: try rest.complete(ByteBuffer(string: body))))
    }

    @Test func `path, query and body make one message, and the path wins`() throws {
        let whole = try Self.complete(.whole, #"{"selector":"path"}"#, #"{"selector":"body","get":"/x","unknown":1}"#)
        #expect(whole == GoogleAPI.HttpRule(selector: "path", pattern: .get("/x")))
        let custom = RESTBody.Part.field(number: 8, type: GoogleAPI.CustomHttpPattern.self)
        let part = try Self.complete(custom, #"{"custom":{"kind":"path"},"body":"*"}"#, #"{"kind":"body","path":"/p"}"#)
        #expect(part.pattern == .custom(GoogleAPI.CustomHttpPattern(kind: "path", path: "/p")) && part.body == "*")
        #expect(try Self.complete(custom, "{}", "{}").pattern == .custom(GoogleAPI.CustomHttpPattern()))
        #expect(try Self.complete(.none, #"{"selector":"q"}"#, "not read").selector == "q")
        for bad in ["", "{", "[]", #"{"kind":5}"#, #"{}, "x": {}"#] {
            let error = #expect(throws: RPCError.self) { try Self.complete(custom, "{}", bad) }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test func `comments are read by name, with summary, statuses and example`() {
        let comments = ContractComments("""
            @a.S.M
             Does it: well. NOT_FOUND (GONE) when not;
             ALREADY_EXISTS or not.
             Example: {"a":
             1}
            @a.B
             A message
            """)
        #expect(comments.summary("a.S.M") == "Does it")
        #expect(comments.text("a.S.M").hasSuffix("ALREADY_EXISTS or not."))
        #expect(comments.example("a.S.M") == #"{"a": 1}"#)
        #expect(comments.statuses("a.S.M") == [.notFound, .alreadyExists])
        #expect(comments.summary("a.B") == "A message" && comments.example("a.B") == nil)
        #expect(comments.text("nobody") == "" && comments.statuses("nobody").isEmpty)
    }
}
