import Testing

@testable import HTTPTransport

@Suite(.timeLimit(.minutes(5))) struct HTTP1ParserTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let input: String
        let expected: [Parsed]
        var testDescription: String { name }
    }

    static let accepted: [Case] = [
        Case(
            name: "GET", input: "GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n",
            expected: [.request("GET /a?b=c x true"), .end]),
        Case(
            name: "Content-Length body",
            input: "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
            expected: [.request("POST /a x true"), .body(Array("hello".utf8)), .end]),
        Case(
            name: "chunked body with extension and trailers",
            input: "POST /a HTTP/1.1\r\nhost:x\r\nTransfer-Encoding: Chunked\r\n\r\n"
                + "5;a=b\r\nhello\r\n0006\r\n world\r\n0\r\nx-t: 1\r\n\r\n",
            expected: [.request("POST /a x true"), .body(Array("hello world".utf8)), .end]),
        Case(
            name: "two requests in one read",
            input: "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: y\r\n\r\n",
            expected: [.request("GET /1 x true"), .end, .request("GET /2 y true"), .end]),
        Case(
            name: "empty line first", input: "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
            expected: [.request("GET / x true"), .end]),
        Case(name: "HTTP/1.0", input: "GET / HTTP/1.0\r\n\r\n", expected: [.request("GET / - false"), .end]),
        Case(
            name: "HTTP/1.0 keep-alive", input: "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
            expected: [.request("GET / - true"), .end]),
        Case(
            name: "Connection: close among others",
            input: "GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n",
            expected: [.request("GET / x false"), .end]),
        Case(
            name: "absolute target", input: "GET http://x:1/p HTTP/1.1\r\nHost: x:1\r\n\r\n",
            expected: [.request("GET /p x:1 true"), .end]),
        Case(
            name: "OPTIONS *", input: "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
            expected: [.request("OPTIONS * x true"), .end]),
        Case(
            name: "minor version above 1", input: "GET / HTTP/1.2\r\nHost: x\r\n\r\n",
            expected: [.request("GET / x true"), .end]),
        Case(
            name: "POST without length has no body", input: "POST / HTTP/1.1\r\nHost: x\r\n\r\n",
            expected: [.request("POST / x true"), .end]),
    ]

    @Test(arguments: accepted) func `O1 accepted messages, fed whole`(_ test: Case) {
        #expect(ParserHarness.parse(Array(test.input.utf8)) == test.expected)
    }

    @Test(arguments: accepted) func `O1 accepted messages, byte by byte`(_ test: Case) {
        #expect(ParserHarness.parse(Array(test.input.utf8), step: 1) == test.expected)
    }

    @Test(arguments: accepted) func `O1 accepted messages, at every split`(_ test: Case) {
        let bytes = Array(test.input.utf8)
        for split in 1..<bytes.count {
            let pieces = [Array(bytes[..<split]), Array(bytes[split...])]
            #expect(ParserHarness.parse(pieces: pieces) == test.expected, "split at \(split)")
        }
    }

    /// Input that must be refused, and with which status.
    static let refused: [Case] = [
        (
            "CL and TE",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", 400
        ),
        (
            "TE and CL",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n", 400
        ),
        (
            "TE chunked, identity",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 400
        ),
        ("TE identity", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n", 400),
        ("TE xchunked", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n", 400),
        (
            "TE twice",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            400
        ),
        ("TE in 1.0", "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (
            "TE with vertical tab", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \u{0B}chunked\r\n\r\n",
            400
        ),
        (
            "TE name with space before colon",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n", 400
        ),
        (
            "CL twice equal", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n",
            400
        ),
        (
            "CL twice different",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n", 400
        ),
        ("CL list", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4, 4\r\n\r\n", 400),
        ("CL with sign", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\n", 400),
        ("CL negative", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        ("CL hexadecimal", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x4\r\n\r\n", 400),
        ("CL empty", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", 400),
        ("CL too long", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        ("no Host", "GET / HTTP/1.1\r\n\r\n", 400),
        ("two Hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
        ("Host with user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
        ("Host differs from target", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", 400),
        ("bare LF after request line", "GET / HTTP/1.1\nHost: x\r\n\r\n", 400),
        ("bare LF in headers", "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400),
        ("bare LF at the end", "GET / HTTP/1.1\r\nHost: x\r\n\n", 400),
        ("bare CR in a value", "GET / HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n", 400),
        ("CR CR LF", "GET / HTTP/1.1\r\nHost: x\r\r\n\r\n", 400),
        ("folded header", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400),
        ("folded with tab", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\tc\r\n\r\n", 400),
        ("header without colon", "GET / HTTP/1.1\r\nHost: x\r\nfoo\r\n\r\n", 400),
        ("header with empty name", "GET / HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n", 400),
        ("NUL in a value", "GET / HTTP/1.1\r\nHost: x\r\nA: b\u{0}c\r\n\r\n", 400),
        ("space before first header", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400),
        ("two spaces in request line", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("tab in request line", "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("space in target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("fragment in target", "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("target without slash", "GET a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("no version", "GET /\r\nHost: x\r\n\r\n", 400),
        ("lower-case version", "GET / http/1.1\r\nHost: x\r\n\r\n", 400),
        ("HTTP/2.0", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        ("HTTP/1.10", "GET / HTTP/1.10\r\nHost: x\r\n\r\n", 400),
        ("method with a colon", "GE:T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (
            "unknown expectation", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: tea\r\n\r\n",
            417
        ),
        (
            "long request line",
            "GET /" + String(repeating: "a", count: 9_000) + " HTTP/1.1\r\nHost: x\r\n\r\n", 414
        ),
        (
            "long header",
            "GET / HTTP/1.1\r\nHost: x\r\nA: " + String(repeating: "a", count: 9_000) + "\r\n\r\n", 431
        ),
        (
            "many headers",
            "GET / HTTP/1.1\r\nHost: x\r\n" + (0..<101).map { "a\($0): b\r\n" }.joined() + "\r\n", 431
        ),
    ].map { Case(name: $0.0, input: $0.1, expected: [.error($0.2)]) }

    @Test(arguments: refused) func `O1 smuggling table: refused whole and byte by byte`(_ test: Case) {
        let bytes = Array(test.input.utf8)
        #expect(ParserHarness.parse(bytes) == test.expected)
        #expect(ParserHarness.parse(bytes, step: 1) == test.expected)
    }

    /// Chunk lines that must be refused after a valid head.
    static let badChunks: [Case] = [
        ("9 digits", "000000005\r\nhello\r\n0\r\n\r\n"),
        ("overflow", "FFFFFFFFFFFFFFFF1\r\n"),
        ("no digits", "\r\nhello\r\n"),
        ("sign", "+5\r\nhello\r\n"),
        ("0x", "0x5\r\nhello\r\n"),
        ("space after size", "5 \r\nhello\r\n"),
        ("bare LF after size", "5\nhello\r\n"),
        ("LF in extension", "5;a\nb\r\nhello\r\n"),
        ("CR in extension", "5;a\rb\r\nhello\r\n"),
        ("long extension", "5;" + String(repeating: "a", count: 300) + "\r\nhello\r\n"),
        ("no CRLF after data", "5\r\nhelloX\r\n0\r\n\r\n"),
        ("LF after data", "5\r\nhello\n0\r\n\r\n"),
        ("folded trailer", "0\r\nA: b\r\n c\r\n\r\n"),
        ("trailer without colon", "0\r\nAb\r\n\r\n"),
    ].map { Case(name: $0.0, input: $0.1, expected: []) }

    @Test(arguments: badChunks) func `O1 chunked coding is strict`(_ test: Case) {
        let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        let bytes = Array((head + test.input).utf8)
        #expect(ParserHarness.parse(bytes).last == .error(400))
        #expect(ParserHarness.parse(bytes, step: 1).last == .error(400))
    }

    @Test func `trailers are held to the header limits`() {
        let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        let trailers = (0..<101).map { "a\($0): b\r\n" }.joined()
        #expect(ParserHarness.parse(Array((head + trailers).utf8)).last == .error(431))
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", [Parsed.response(200), .body([104, 105]), .end]),
        ("HTTP/1.1 204 No Content\r\n\r\n", [.response(204), .end]),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", [.response(200), .end]),
        ("HTTP/1.1 200 OK\r\n\r\nuntil close", [.response(200), .body(Array("until close".utf8))]),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
            [.response(200), .body([104, 105]), .end]
        ),
        ("HTTP/1.1 101 Switching\r\n\r\n", [.error(400)]),
        ("HTTP/1.1 20 OK\r\n\r\n", [.error(400)]),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\ntransfer-encoding: chunked\r\n\r\n", [.error(400)]),
    ])
    func `responses, whole and byte by byte`(input: String, expected: [Parsed]) {
        #expect(ParserHarness.parse(Array(input.utf8), kind: .response) == expected)
        #expect(ParserHarness.parse(Array(input.utf8), kind: .response, step: 1) == expected)
    }

    @Test func `the answer to HEAD has no body`() {
        let input = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n".utf8)
        #expect(ParserHarness.parse(input, kind: .response, answersHEAD: true) == [.response(200), .end])
    }

    @Test func `random and mutated input never crashes`() {
        var generator = SplitMix64(state: 7)
        let seeds = Self.accepted + Self.refused
        for round in 0..<4_000 {
            var bytes = Array(seeds[round % seeds.count].input.utf8.prefix(400))
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
            let whole = ParserHarness.parse(bytes)
            #expect(whole == ParserHarness.parse(bytes, step: 1 + round % 7))
        }
    }
}
