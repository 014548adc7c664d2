import FrameCodec
import HTTPTransport
import Testing

@testable import RPC

@Suite(.timeLimit(.minutes(5))) struct RESTRoutesTests {
    static func match(_ template: String, _ path: String) throws -> [String]? {
        let template = try PathTemplate(template)
        return Array(path.utf8).withUnsafeBytes { template.match($0) }?.map {
            "\($0.name)=\(String(decoding: $0.value, as: UTF8.self))"
        }
    }

    @Test(arguments: [
        ("/v1/a", "/v1/a", [String]?.some([])), ("/v1/a", "/v1/b", nil), ("/v1/a", "/v1/a/", nil),
        ("/v1/a", "/v1", nil),
        ("/v1/a", "", nil), ("/v1/{id}", "/v1/7", ["id=7"]), ("/v1/{id}", "/v1/", nil), ("/v1/{id}", "/v1/7/8", nil),
        ("/v1/{id}", "/v1/%37%2F8", ["id=7/8"]), ("/v1/{id}", "/v1/a+b%20c", ["id=a+b c"]), ("/v1/{id}", "/v1/%4", nil),
        ("/v1/{id}", "/v1/%zz", nil), ("/v1/{id}/x", "/v1/7/x", ["id=7"]), ("/v1/{id}/x", "/v1/7/y", nil),
        ("/v1/{id}/{path=**}", "/v1/7/a/b%2Fc/d", ["id=7", "path=a/b/c/d"]), ("/v1/{id}/{path=**}", "/v1/7/", nil),
        ("/v1/{id}/{path=**}", "/v1/7", nil), ("/v1/{path=**}", "/v1/%zz/a", nil),
        ("/v1/{a.b}/x", "/v1/7/x", ["a.b=7"]), ("/v1/*/x/{id}", "/v1/any/x/7", ["id=7"]), ("/v1/*", "/v1/", nil),
        ("/v1/{name=projects/*/items/*}/x", "/v1/projects/1/items/a%20b/x", ["name=projects/1/items/a b"]),
        ("/v1/{name=projects/*}", "/v1/others/1", nil), ("/v1/{name=docs/**}", "/v1/docs/a/b", ["name=docs/a/b"]),
        ("/v1/{id}:go", "/v1/7:go", ["id=7"]), ("/v1/{id}:go", "/v1/7", nil), ("/v1/{id}:go", "/v1/7:stop", nil),
        ("/v1/{id}:go", "/v1/:go", nil), ("/v1/a:go", "/v1/a:go", []), ("/v1/{id}", "/v1/7:go", ["id=7:go"]),
        ("/v1/{path=**}:go", "/v1/a/b:go", ["path=a/b"]), ("/v1/**", "/v1/a/b", []),
    ])
    func `paths match templates segment by segment`(template: String, path: String, values: [String]?) throws {
        #expect(try Self.match(template, path) == values)
    }

    @Test(arguments: [
        "", "a", "/", "/a//b", "/{", "/{}", "/{a=}", "/{a=**}/b", "/a:", "/a:b:c", "/{a}b", "/x{a}", "/{a.}", "/{{a}}",
        "/{a={b}}", "/a b", "/{a-b}", "/**/a", "/{a=x y}", "/}",
    ])
    func `templates that are not supported are refused`(_ text: String) {
        #expect(throws: RESTError.self) { try PathTemplate(text) }
    }

    @Test func `what is fixed is tried first`() throws {
        let texts = ["/v1/{a=**}", "/v1/{a}", "/v1/{a}/b", "/v1/b", "/v1/b/{a}", "/v1/{a}:c"]
        let sorted = try texts.map { try PathTemplate($0) }.sorted { $0.isTried(before: $1) }.map(\.text)
        #expect(sorted == ["/v1/{a}:c", "/v1/b/{a}", "/v1/b", "/v1/{a}/b", "/v1/{a}", "/v1/{a=**}"])
    }

    static func query(_ type: any Message.Type, _ query: String) throws -> String {
        var message = QueryMessage(type)
        try message.addQuery(Array("/x?\(query)".utf8))
        return String(decoding: message.json, as: UTF8.self)
    }

    @Test func `a query becomes JSON by the types of its fields`() throws {
        #expect(try Self.query(GoogleRPC.Status.self, "") == "{}")
        #expect(try Self.query(GoogleRPC.Status.self, "code=5&message=a%22b+c&") == #"{"code":"5","message":"a\"b c"}"#)
        #expect(try Self.query(GoogleRPC.RetryInfo.self, "retryDelay=1.5s") == #"{"retryDelay":"1.5s"}"#)
        #expect(try Self.query(GoogleRPC.RetryInfo.self, "retry_delay=2s") == #"{"retryDelay":"2s"}"#)
        #expect(try Self.query(GoogleRPC.DebugInfo.self, "stackEntries=a&stack_entries=b")
            == #"{"stackEntries":["a","b"]}"#)
        // What comes out is what the codec reads.
        let json = try Self.query(GoogleRPC.Status.self, "code=5&message=%E2%82%AC")
        #expect(try GoogleRPC.Status(jsonString: json) == GoogleRPC.Status(code: 5, message: "€"))
        #expect(try Self.query(GoogleAPI.HttpRule.self, "custom.kind=a&custom.path=b")
            == #"{"custom":{"kind":"a","path":"b"}}"#)
        #expect(try Self.query(GoogleAPI.Http.self, "fullyDecodeReservedExpansion=true")
            == #"{"fullyDecodeReservedExpansion":true}"#)
    }

    @Test(arguments: [
        "nothing=1", "code=1&code=2", "details=x", "details.value=x", "code.x=1", "=1", "%zz=1", "code=%4", ".=1",
        "message.message.message.message.message.message.message.message.message=1",
    ])
    func `a parameter that cannot be is refused by name`(_ query: String) {
        let error = #expect(throws: RPCError.self) { try Self.query(GoogleRPC.Status.self, query) }
        #expect(error?.code == .invalidArgument)
        #expect(throws: RPCError.self) { try Self.query(GoogleAPI.Http.self, "fullyDecodeReservedExpansion=1") }
    }

    @Test func `problems carry what the status says`() {
        let error = RPCError(
            .resourceExhausted, "too \"many\"",
            details: [
                GoogleRPC.ErrorInfo(reason: "R", domain: "d", metadata: ["b": "2", "a": "1"]),
                GoogleRPC.RetryInfo(retryDelay: Protobuf.Duration(.milliseconds(1500))),
                GoogleRPC.BadRequest(fieldViolations: [.init(field: "f", description: "g")]),
            ]
        )
        #expect(
            String(decoding: ProblemDetails.json(error), as: UTF8.self)
                == #"{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"too \"many\"","#
                + #""code":"RESOURCE_EXHAUSTED","reason":"R","domain":"d","metadata":{"a":"1","b":"2"},"#
                + #""violations":[{"field":"f","description":"g"}]}"#
        )
        #expect(ProblemDetails.fields(error).first(HTTPFieldName(known: "retry-after")) == "2")
    }
}
