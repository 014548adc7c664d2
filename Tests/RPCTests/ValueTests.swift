import FrameCodec
import HTTPTransport
import NIOCore
import Testing

@testable import RPC

@Suite(.timeLimit(.minutes(5))) struct StatusCodeTests {
    @Test("S1: grpc-status is decimal without sign, space or leading zero")
    func decimal() {
        func parse(_ text: String) -> Int? { Array(text.utf8).withUnsafeBytes { StatusCode(decimal: $0)?.rawValue } }
        #expect(parse("0") == 0)
        #expect(parse("16") == 16)
        #expect(parse("123456789") == 123_456_789)
        for bad in ["", "00", "01", "+1", "-1", " 1", "1 ", "1.0", "x", "1234567890"] {
            #expect(parse(bad) == nil, "\(bad)")
        }
    }

    @Test(
        "S5: HTTP status -> code, only where grpc-status is absent",
        arguments: [
            (400, 13), (401, 16), (403, 7), (404, 12), (409, 2), (412, 2), (429, 14), (431, 13), (502, 14), (503, 14),
            (504, 14), (200, 2)
        ]
    )
    func httpStatus(status: Int, code: Int) {
        #expect(StatusCode(httpStatus: status).rawValue == code)
    }

    @Test(
        "S7: RST_STREAM code -> status",
        arguments: [
            (0, 13), (1, 13), (2, 13), (3, 13), (4, 13), (6, 13), (7, 14), (8, 1), (9, 13), (10, 13), (11, 8), (12, 7)
        ]
    )
    func reset(code: UInt32, status: Int) {
        #expect(HTTPStreamError.reset(HTTP2ErrorCode(rawValue: code)).statusCode.rawValue == status)
    }
}

@Suite(.timeLimit(.minutes(5))) struct LostConnectionTests {
    @Test("H2d: a lost connection is UNAVAILABLE for the caller and CANCELLED for the handler")
    func lost() {
        let lost = HTTPStreamError.connectionClosed(reason: "no answer to a PING")
        #expect(lost.statusCode == .unavailable)
        #expect(RPCError(streamError: lost).code == .cancelled)
    }
}

@Suite(.timeLimit(.minutes(5))) struct LateCancellationTests {
    @Test("T6: a server's CANCELLED after the deadline is DEADLINE_EXCEEDED, by the client's own clock")
    func late() {
        let cancelled = RPCError(.cancelled, "by the server")
        let past = NIODeadline.now() - .nanoseconds(1), future = NIODeadline.now() + .hours(1)
        #expect(ClientFailure.error(.reset(.cancel), deadline: past).code == .deadlineExceeded)
        #expect(ClientFailure.adjusted(cancelled, deadline: past).code == .deadlineExceeded)
        // Built here: nothing of what the server said.
        #expect(ClientFailure.adjusted(cancelled, deadline: past).message == "the call's deadline has passed")
        for deadline in [future, nil] {
            #expect(ClientFailure.error(.reset(.cancel), deadline: deadline).code == .cancelled)
            #expect(ClientFailure.adjusted(cancelled, deadline: deadline).message == "by the server")
        }
        for code in [StatusCode.unavailable, .internalError, .ok] {
            #expect(ClientFailure.adjusted(RPCError(code, ""), deadline: past).code == code)
        }
    }
}

@Suite(.timeLimit(.minutes(5))) struct MetadataTests {
    @Test("M3, W3: invalid names and values stay out", arguments: [
            ("", "v"), ("a b", "v"), ("ä", "v"), ("x:y", "v"), ("x", "line\r\nforged: 1"), ("x", "\u{0}"), ("x", "é"),
            ("x-bin", "v")
    ])
    func invalid(name: String, value: String) {
        var metadata = Metadata()
        let isAdded = metadata.add(name, value)
        #expect(!isAdded)
        #expect(metadata.isEmpty)
    }

    @Test("M6: names of HTTP and gRPC are not metadata, both ways", arguments: [
        "grpc-status", "grpc-anything", "content-type", "te", "connection", "transfer-encoding", "host", "Keep-Alive",
    ])
    func reserved(name: String) {
        var metadata = Metadata()
        let isAdded = metadata.add(name, "v")
        #expect(!isAdded)
        var fields = HTTPFields()
        if let field = HTTPFieldName(name) { fields.append(field, "v") }
        #expect(Metadata(fields: fields)[name] == nil)
    }

    @Test("order and duplicates are kept; names in any case")
    func duplicates() {
        var metadata = Metadata()
        metadata.add("x-a", "1")
        metadata.add("X-A", "2")
        #expect(metadata.values("x-a") == ["1", "2"])
        #expect(metadata["x-A"] == "1")
    }

    @Test("M5: -bin values padded, unpadded and comma-joined; a bad one is left out")
    func binary() {
        var fields = HTTPFields()
        for value in ["AAE", "AAE=", "AA==,AQ", "!", "AQ, Ag"] {
            if let name = HTTPFieldName("x-bin") { fields.append(name, value) }
        }
        #expect(Metadata(fields: fields).binaryValues("x-bin") == [[0, 1], [0, 1], [0], [1], [1], [2]])
        var metadata = Metadata()
        metadata.add("y-bin", bytes: [0, 1])
        #expect(metadata["y-bin"] == "AAE")
    }
}

@Suite(.timeLimit(.minutes(5))) struct ErrorTests {
    @Test("S2: a long message is cut at a character") func bounded() {
        let error = RPCError(.internalError, String(repeating: "é", count: 600))
        #expect(error.boundedMessage.utf8.count == 1024)
        #expect(error.boundedMessage.allSatisfy { $0 == "é" })
    }

    @Test("S3: details whose code disagrees with grpc-status are dropped") func disagreeingDetails() {
        let fields = StatusFields.fields(
            RPCError(.notFound, "no", details: [GoogleRPC.ErrorInfo(reason: "R")]), trailing: Metadata()
        )
        var changed = HTTPFields()
        changed.append(.grpcStatus, "7")
        fields.forEach { name, value in
            if !name.elementsEqual("grpc-status".utf8) { changed.append(name: name, value: value) }
        }
        guard case .failed(let kept) = StatusFields.outcome(fields),
            case .failed(let dropped) = StatusFields.outcome(changed)
        else { return #expect(Bool(false), "both are failures") }
        #expect(kept.detail(GoogleRPC.ErrorInfo.self)?.reason == "R")
        #expect(dropped.code == .permissionDenied)
        #expect(dropped.details.isEmpty)
    }

    @Test("S1: an unreadable grpc-status is UNKNOWN, a missing one is missing") func unreadable() {
        var fields = HTTPFields()
        guard case .missing = StatusFields.outcome(fields) else { return #expect(Bool(false)) }
        fields.append(.grpcStatus, "x")
        guard case .failed(let error) = StatusFields.outcome(fields) else { return #expect(Bool(false)) }
        #expect(error.code == .unknown)
    }
}

@Suite(.timeLimit(.minutes(5))) struct ErrorDetailJSONTests {
    @Test("an error inside of a message is JSON with its details, both ways") func status() throws {
        let status = GoogleRPC.Status(
            code: 5, message: "gone", details: [.init(packing: GoogleRPC.ErrorInfo(reason: "WHY", domain: "test"))]
        )
        let json = try status.jsonString(options: JSONEncodingOptions(types: GoogleRPC.errorDetails))
        #expect(
            json == """
                {"code":5,"message":"gone","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo",\
                "reason":"WHY","domain":"test"}]}
                """
        )
        let options = JSONDecodingOptions(types: GoogleRPC.errorDetails)
        #expect(try GoogleRPC.Status(jsonString: json, options: options) == status)
        #expect(RPCServerConfiguration().jsonTypes["google.rpc.RetryInfo"] != nil)
    }
}

@Suite(.timeLimit(.minutes(5))) struct MethodTableTests {
    @Test("M1: exact bytes only") func lookup() {
        let configuration = RPCServerConfiguration.Shared(RPCServerConfiguration())
        let methods = (0..<200).map { index in
            ServedMethod(
                RPCMethod(MethodDescriptor(service: "a.B", method: "M\(index)", kind: .unary)) { _, _ in }, chain: [],
                configuration
            )
        }
        let table = MethodTable(methods)
        func found(_ path: String) -> String? {
            Array(path.utf8).withUnsafeBytes { table.method(path: $0)?.descriptor.method }
        }
        for index in 0..<200 { #expect(found("/a.B/M\(index)") == "M\(index)") }
        for path in ["", "/", "a.B/M1", "/a.B/M1/", "/a.b/M1", "/a.B/m1", "/a.B/M1?x", "/a.B/../a.B/M1", "/a.B/%4D1"] {
            #expect(found(path) == nil, "\(path)")
        }
        #expect(MethodTable([]).method(path: UnsafeRawBufferPointer(start: nil, count: 0)) == nil)
    }

    @Test("T5: the effective deadline is the client's, clamped") func timeouts() {
        var values = RPCServerConfiguration()
        var configuration = RPCServerConfiguration.Shared(values)
        #expect(configuration.effectiveTimeout(requested: nil, kind: .unary) == 30_000_000_000)
        #expect(configuration.effectiveTimeout(requested: 5, kind: .unary) == 5)
        #expect(configuration.effectiveTimeout(requested: .max, kind: .unary) == 300_000_000_000)
        #expect(configuration.effectiveTimeout(requested: nil, kind: .serverStreaming) == 1_800_000_000_000)
        values.maximumUnaryTimeout = nil
        values.defaultUnaryTimeout = nil
        configuration = RPCServerConfiguration.Shared(values)
        #expect(configuration.effectiveTimeout(requested: nil, kind: .unary) == nil)
    }
}
