import Compression
import FrameCodec
import RPC
import Testing

/// The response side of the wire rules, byte for byte; every body whole, byte by byte and at every split.
@Suite(.timeLimit(.minutes(5))) struct ClientFrameRuleTests {
    @Test("P1, P9: messages are cut by their prefix, wherever the body was cut")
    func messages() {
        let reading = Answer.grpc(
            Frames.frame(0, [1, 2]) + Frames.frame(0, []) + Frames.frame(0, [3]), trailers: Frames.ok
        ).read()
        #expect(reading.messages == [[1, 2], [], [3]])
        #expect(reading.code == .ok)
    }

    @Test("P2: other flags are INTERNAL", arguments: [UInt8(0x02), 0x04, 0x40, 0x80, 0x81])
    func flags(flag: UInt8) {
        #expect(Answer.grpc(Frames.frame(flag, [1]), trailers: Frames.ok).read().code == .internalError)
    }

    @Test("P2: in gRPC-Web 0x80 ends, in Connect 0x02; not the other way", arguments: [UInt8(0x02), 0x04, 0x40])
    func webFlags(flag: UInt8) {
        #expect(Answer.web(Frames.frame(flag, [1])).read().code == .internalError)
        #expect(Answer.connect(Frames.frame(0x80, [1])).read().code == .internalError)
    }

    @Test("P3: compressed flag without an encoding is INTERNAL", arguments: [[], [("grpc-encoding", "identity")]])
    func compressedWithoutEncoding(head: [(String, String)]) {
        let reading = Answer.grpc(Frames.frame(1, Frames.gzipHello), trailers: Frames.ok, head: head).read()
        #expect(reading.code == .internalError)
        #expect(reading.message.contains("named no encoding"))
    }

    @Test("P4: an encoding that was not offered is INTERNAL, before any message")
    func unknownEncoding() {
        let reading = Answer.grpc(Frames.frame(0, [1]), trailers: Frames.ok, head: [("grpc-encoding", "br")]).read()
        #expect(reading.messages.isEmpty)
        #expect(reading.code == .internalError)
        #expect(reading.message.contains("grpc-encoding \"br\""))
    }

    @Test("P6: nothing with the compressed flag is an empty message and is not inflated")
    func emptyCompressed() {
        let reading = Answer.grpc(Frames.frame(1, []), trailers: Frames.ok, head: [("grpc-encoding", "gzip")]).read()
        #expect(reading == Reading(messages: [[]], trailing: ["grpc-status: 0"]))
    }

    @Test("P7: a message is inflated by itself; bytes after its member are INTERNAL")
    func inflated() {
        let head = [("grpc-encoding", "gzip")]
        let twice = Frames.frame(1, Frames.gzipHello) + Frames.frame(0, [7]) + Frames.frame(1, Frames.gzipHello)
        let hello = Array("hello".utf8)
        #expect(Answer.grpc(twice, trailers: Frames.ok, head: head).read().messages == [hello, [7], hello])
        for bad in [Frames.gzipHello + [0], Array(Frames.gzipHello.dropLast()), [1, 2, 3]] {
            #expect(Answer.grpc(Frames.frame(1, bad), trailers: Frames.ok, head: head).read().code == .internalError)
        }
    }

    @Test("P8: the declared size and the inflated size have a limit; as large as the limit passes")
    func limits() throws {
        var answer = Answer.grpc(Frames.frame(0, [1, 2, 3, 4, 5]), trailers: Frames.ok)
        answer.limit = 5
        #expect(answer.read().messages.count == 1)
        answer.limit = 4
        #expect(answer.read().code == .resourceExhausted)
        answer = Answer.grpc([0, 0xFF, 0xFF, 0xFF, 0xFF], trailers: Frames.ok)
        #expect(answer.read().code == .resourceExhausted)
        let zeros = [UInt8](repeating: 0, count: 5000)
        for algorithm in CompressionAlgorithm.all {
            let small = try zeros.withUnsafeBytes { try Compressor.compress($0, with: algorithm) }
            var bomb = Answer.grpc(
                Frames.frame(1, small), trailers: Frames.ok, head: [("grpc-encoding", algorithm.name)])
            bomb.limit = 4999
            #expect(bomb.read().code == .resourceExhausted)
            bomb.limit = 5000
            #expect(bomb.read().messages == [zeros])
        }
    }

    @Test("P10: the end inside a frame is INTERNAL", arguments: 1..<7)
    func truncated(count: Int) {
        let body = Array(Frames.frame(0, [1, 2]).prefix(count))
        let reading = Answer.grpc(body, trailers: Frames.ok).read()
        #expect(reading.code == (count == 7 ? .ok : .internalError))
    }

    @Test("P12: anything after the end frame is INTERNAL")
    func afterTheEnd() {
        let end = Frames.trailers("grpc-status: 0\r\n")
        for more in [Frames.frame(0, [1]), end, [0]] {
            #expect(Answer.web(end + more).read().code == .internalError)
        }
        #expect(Answer.connect(Frames.connectEnd("{}") + Frames.frame(0, [])).read().code == .internalError)
    }
}

@Suite(.timeLimit(.minutes(5))) struct ClientStatusRuleTests {
    @Test("S1: status that is no number, or is missing", arguments: [
            ([("grpc-status", "00")], 2), ([("grpc-status", "x")], 2), ([("grpc-status", "-1")], 2), ([("x", "y")], 2),
            ([], 13),
        ([("grpc-status", "0"), ("grpc-status", "5")], 2),
    ] as [([(String, String)], Int)])
    func status(trailers: [(String, String)], code: Int) {
        #expect(Answer.grpc(Frames.frame(0, [1]), trailers: trailers).read().code.rawValue == code)
    }

    @Test("S1: a code without a name is kept")
    func unknownCode() {
        #expect(Answer.grpc(trailers: [("grpc-status", "42")]).read().code.rawValue == 42)
    }

    @Test("S2: a bad percent sequence stays, bad UTF-8 is replaced", arguments: [
        ("a%20b", "a b"), ("100%", "100%"), ("%zz%4", "%zz%4"), ("%FF", "\u{FFFD}"), ("%C3%BC", "ü"),
    ])
    func message(encoded: String, decoded: String) {
        let reading = Answer.grpc(trailers: [("grpc-status", "9"), ("grpc-message", encoded)]).read()
        #expect(reading.message == decoded)
    }

    @Test("S3: details with another code are dropped, the header's code counts")
    func details() {
        func trailers(_ code: Int32) -> [(String, String)] {
            let status = GoogleRPC.Status(
                code: code, message: "m", details: [.init(packing: GoogleRPC.ErrorInfo(reason: "R"))])
            let text = String(decoding: Base64.encode(status.serializedBytes(), padded: false), as: UTF8.self)
            return [("grpc-status", "5"), ("grpc-message", "head"), ("grpc-status-details-bin", text)]
        }
        let agreeing = Answer.grpc(trailers: trailers(5)).read()
        #expect(agreeing.detailTypes == ["google.rpc.ErrorInfo"])
        let disagreeing = Answer.grpc(trailers: trailers(3)).read()
        #expect(disagreeing.code == .notFound)
        #expect(disagreeing.message == "head")
        #expect(disagreeing.detailTypes.isEmpty)
    }

    @Test("S5: an HTTP status counts only where grpc-status is absent", arguments: [
            (400, 13), (401, 16), (403, 7), (404, 12), (409, 2), (429, 14), (431, 13), (500, 2), (502, 14), (503, 14),
            (504, 14)
    ])
    func httpStatus(status: Int, code: Int) {
        for wire in [RPCChannel.Wire.grpc, .grpcWebHTTP1, .grpcWebTextHTTP1] {
            var answer = Answer(wire: wire, status: status, fields: [("content-type", "text/html")], body: [0x3C])
            #expect(answer.read().code.rawValue == code)
            answer.fields += [("grpc-status", "5"), ("grpc-message", "mine")]
            #expect(answer.read().code == .notFound)
            #expect(answer.read().message == "mine")
        }
    }

    @Test("S5, W9: 200 with a foreign content type is UNKNOWN", arguments: [
        "text/html", "application/grpcfoo", "application/grpc+", "application/grpc-webx", "", "application/json",
    ])
    func contentType(type: String) {
        for wire in [RPCChannel.Wire.grpc, .grpcWebHTTP1] {
            let reading = Answer(wire: wire, fields: [("content-type", type)], trailers: nil).read()
            #expect(reading.code == .unknown, "\(type)")
        }
    }

    @Test("W9, W11: parameters and case do not matter; the other codec is INTERNAL", arguments: [
            ("application/grpc", 0), ("Application/GRPC+Proto ; charset=utf-8", 0), ("application/grpc+json", 13),
            ("application/grpc-web", 2)
    ])
    func related(type: String, code: Int) {
        let reading = Answer(fields: [("content-type", type)], trailers: Frames.ok).read()
        #expect(reading.code.rawValue == code)
    }

    @Test("M12: a repeated content-type or grpc-encoding is INTERNAL")
    func repeated() {
        #expect(
            Answer.grpc(trailers: Frames.ok, head: [("content-type", "application/grpc")]).read().code == .internalError
        )
        let encodings = [("grpc-encoding", "gzip"), ("grpc-encoding", "gzip")]
        #expect(Answer.grpc(trailers: Frames.ok, head: encodings).read().code == .internalError)
    }

    @Test("S9: trailers-only")
    func trailersOnly() {
        let reading = Answer.grpc(trailers: nil, head: [("grpc-status", "8"), ("grpc-message", "full")]).read()
        #expect(reading.code == .resourceExhausted)
        #expect(reading.message == "full")
    }
}

@Suite(.timeLimit(.minutes(5))) struct ClientWebRuleTests {
    @Test("W2: mixed case, no space, colons in values, duplicates in order, no last CRLF")
    func lenient() {
        let block = "Grpc-Status:0\r\nX-A: one:two\r\nx-a:  three \r\nX-B:"
        let reading = Answer.web(Frames.frame(0, [1]) + Frames.trailers(block)).read()
        #expect(reading.messages == [[1]])
        #expect(reading.trailing == ["grpc-status: 0", "x-a: one:two", "x-a: three", "x-b: "])
    }

    @Test("W1, W3: what is no header block is INTERNAL", arguments: [
        "grpc-status: 0\nx: y\r\n", "no colon\r\n", "grpc-status: 0\r\n folded\r\n", ": nameless\r\n", "a b: c\r\n",
    ])
    func malformed(block: String) {
        #expect(Answer.web(Frames.trailers(block)).read().code == .internalError)
    }

    @Test("W6: the header's status is ignored when the body has a trailer frame")
    func bodyWins() {
        let reading = Answer.web(Frames.trailers("grpc-status: 5\r\n"), head: [("grpc-status", "0")]).read()
        #expect(reading.code == .notFound)
        #expect(Answer.web(Frames.trailers("grpc-status: 0\r\n"), head: [("grpc-status", "5")]).read().code == .ok)
    }

    @Test("W6: an empty trailer frame, or none, falls back to the header")
    func emptyFrame() {
        #expect(Answer.web(Frames.trailers(""), head: [("grpc-status", "5")]).read().code == .notFound)
        #expect(Answer.web([], head: [("grpc-status", "5")]).read().code == .notFound)
        #expect(Answer.web(Frames.trailers("")).read().code == .internalError)
        #expect(Answer.web(Frames.frame(0, [1])).read().code == .internalError)
    }

    @Test("W12: text is a row of padded pieces, cut anywhere")
    func text() {
        let plain = Frames.frame(0, [1, 2]) + Frames.trailers("grpc-status: 0\r\n")
        for cut in 0...plain.count {
            let body = Base64.encode(Array(plain[..<cut])) + Base64.encode(Array(plain[cut...]))
            let fields = [("content-type", "application/grpc-web-text+proto")]
            let reading = Answer(wire: .grpcWebTextHTTP1, fields: fields, body: body).read()
            #expect(reading.messages == [[1, 2]])
            #expect(reading.code == .ok)
        }
    }

    @Test("W12: what is not base64 is INTERNAL", arguments: ["AA-A", "A", "AAAA*AAA", "=AAA"])
    func notBase64(body: String) {
        let fields = [("content-type", "application/grpc-web-text")]
        #expect(Answer(wire: .grpcWebTextHTTP1, fields: fields, body: Array(body.utf8)).read().code == .internalError)
    }

    @Test("P3, W1: a compressed trailer frame needs an encoding too")
    func compressedTrailers() throws {
        let block = Array("grpc-status: 5\r\n".utf8)
        let small = try block.withUnsafeBytes { try Compressor.compress($0, with: .gzip) }
        #expect(Answer.web(Frames.frame(0x81, small), head: [("grpc-encoding", "gzip")]).read().code == .notFound)
        #expect(Answer.web(Frames.frame(0x81, small)).read().code == .internalError)
    }
}

@Suite(.timeLimit(.minutes(5))) struct ClientConnectRuleTests {
    @Test("Connect unary: a bare message; trailers come as headers")
    func unary() {
        let reading = Answer.connect([1, 2], kind: .unary, head: [("trailer-x-t", "v"), ("x-h", "w")]).read()
        #expect(reading.messages == [[1, 2]])
        #expect(reading.trailing == ["x-t: v"])
    }

    @Test("Connect unary: an error is JSON whatever the codec")
    func unaryError() {
        let json =
            #"{"code":"not_found","message":"ü","details":[{"type":"google.rpc.ErrorInfo","value":"CgFS"}],"more":1}"#
        let reading = Answer.connect(Array(json.utf8), kind: .unary, status: 404).read()
        #expect(reading.code == .notFound)
        #expect(reading.message == "ü")
        #expect(reading.detailTypes == ["google.rpc.ErrorInfo"])
    }

    @Test("Connect unary: an error that is not understood falls back to the HTTP status", arguments: [
        "{}", #"{"code":null}"#, #"{"code":"no_such"}"#, "not JSON", "", "[]", #"{"code":7}"#,
    ])
    func unaryFallback(body: String) {
        #expect(Answer.connect(Array(body.utf8), kind: .unary, status: 503).read().code == .unavailable)
        let html = Answer.connect(Array(body.utf8), kind: .unary, status: 401, type: "text/html").read()
        #expect(html.code == .unauthenticated)
    }

    @Test("P6: an empty Connect body is never inflated")
    func emptyCompressed() {
        let reading = Answer.connect([], kind: .unary, head: [("content-encoding", "gzip")]).read()
        #expect(reading.messages == [[]])
        #expect(reading.code == .ok)
    }

    @Test("P4, P8: encodings and sizes of Connect answers")
    func unaryCompression() {
        let hello = Array("hello".utf8)
        #expect(
            Answer.connect(Frames.gzipHello, kind: .unary, head: [("content-encoding", "gzip")]).read().messages == [
                hello
            ])
        #expect(
            Answer.connect(Frames.gzipHello, kind: .unary, head: [("content-encoding", "br")]).read().code
                == .internalError)
        var large = Answer.connect([1, 2, 3], kind: .unary)
        large.limit = 2
        #expect(large.read().code == .resourceExhausted)
    }

    @Test(
        "Connect: another codec is INTERNAL, another type UNKNOWN",
        arguments: [("application/json", 13), ("text/html", 2)])
    func codec(type: String, code: Int) {
        #expect(Answer.connect([], kind: .unary, type: type).read().code.rawValue == code)
    }

    @Test("Connect stream: the last frame is JSON and required")
    func stream() {
        let message = Frames.frame(0, [1])
        let good = Answer.connect(message + Frames.connectEnd(#"{"metadata":{"x-t":["a","b"]}}"#)).read()
        #expect(good.messages == [[1]])
        #expect(good.trailing == ["x-t: a", "x-t: b"])
        #expect(Answer.connect(message).read().code == .internalError)
        let failed = Answer.connect(message + Frames.connectEnd(#"{"error":{"code":"aborted","message":"m"}}"#)).read()
        #expect(failed.code == .aborted)
        #expect(failed.messages == [[1]])
    }

    @Test("Connect stream: an error without a valid code is UNKNOWN, a frame that is no object INTERNAL", arguments: [
            (#"{"error":{}}"#, 2), (#"{"error":{"code":null}}"#, 2), (#"{"error":1}"#, 13), ("[]", 13), ("", 13),
            (#"{"error":null}"#, 0)
    ])
    func streamErrors(json: String, code: Int) {
        #expect(Answer.connect(Frames.connectEnd(json)).read().code.rawValue == code)
    }

    @Test("Connect names of codes", arguments: [("canceled", 1), ("invalid_argument", 3), ("unauthenticated", 16)])
    func names(name: String, code: Int) {
        let json = Array(#"{"code":"\#(name)"}"#.utf8)
        #expect(Answer.connect(json, kind: .unary, status: 500).read().code.rawValue == code)
    }
}
