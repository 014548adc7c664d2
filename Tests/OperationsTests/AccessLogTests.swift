import FrameCodec
import Logging
import RPC
import Synchronization
import Testing

@testable import Operations

@Suite(.timeLimit(.minutes(5))) struct AccessLogTests {
    /// Says who calls, as an authenticating interceptor does.
    struct Identify: ServerInterceptor {
        func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
            context.noteIdentity("key 7")
            try await next(call, context)
        }
    }

    @Test("one line for each call, with the real grpc-status", arguments: RPCChannel.Wire.allCases)
    func lines(wire: RPCChannel.Wire) async throws {
        let sink = LineSink()
        let log = AccessLog(logger: sink.logger)
        try await OperatedServer.run(observer: log, interceptors: [TraceContextInterceptor(), Identify()]) { server in
            try await server.withChannel(wire) { channel in
                var metadata = Metadata()
                metadata.add("x-request-id", "abc\u{7F}%".filter { $0 != "\u{7F}" })
                metadata.add("x-api-key", "secret-key")
                metadata.add("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
                let options = CallOptions(metadata: metadata)
                let _: Protobuf.StringValue = try await channel.unary(
                    WorkService.echo, Protobuf.StringValue(value: "x"), options: options)
                await #expect(throws: RPCError.self) {
                    let _: Protobuf.StringValue = try await channel.unary(
                        WorkService.fail, Protobuf.StringValue(value: "gone\n"))
                }
            }
        }
        let lines = sink.lines
        try #require(lines.count == 2)
        let first = lines[0]
        #expect(first["method"] == "/test.Work/Echo")
        #expect(first["grpc_status"] == "OK")
        #expect(first["identity"] == "key 7")
        #expect(first["request_id"] == "abc%25")
        #expect(first["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(first["request_bytes"] == "3")
        #expect(first["response_bytes"] == "3")
        #expect(first["peer"]?.hasPrefix("127.0.0.1:") == true)
        #expect(first["user_agent"]?.hasPrefix("grpc-swift") == true)
        #expect(lines[1]["grpc_status"] == "DATA_LOSS")
        #expect(lines[1]["error"] == "gone%0A")
        #expect(!sink.text.contains("secret-key"))
    }

    @Test("every call has a name: the caller's or a new one, in the log and in the answer's trailers")
    func requestIDs() async throws {
        let sink = LineSink()
        var ids: [String] = []
        let log = AccessLog(logger: sink.logger)
        ids = try await OperatedServer.run(observer: log, interceptors: [RequestIDInterceptor()]) { server in
            try await server.withChannel { channel in
                var ids: [String] = []
                for given in ["mine", "", String(repeating: "x", count: 129)] {
                    var metadata = Metadata()
                    metadata.add("x-request-id", given)
                    let call = try await channel.start(WorkService.echo, options: CallOptions(metadata: metadata))
                    try await call.send(Protobuf.StringValue(value: "x"))
                    await call.finishSending()
                    while try await call.nextMessage() != nil {}
                    ids.append(await call.trailingMetadata["x-request-id"] ?? "")
                }
                return ids
            }
        }
        #expect(sink.lines.map { $0["request_id"] } == ids)
        #expect(ids.first == "mine")
        #expect(Set(ids).count == 3)
        for id in ids.dropFirst() { #expect(id.utf8.count == 32 && id.allSatisfy(\.isHexDigit)) }
    }

    @Test("OK calls are sampled, failed ones are always logged")
    func sampling() async throws {
        let sink = LineSink()
        try await OperatedServer.run(observer: AccessLog(logger: sink.logger, sample: 0)) { server in
            try await server.withChannel { channel in
                let _: Protobuf.StringValue = try await channel.unary(
                    WorkService.echo, Protobuf.StringValue(value: "x"))
                await #expect(throws: RPCError.self) {
                    let _: Protobuf.StringValue = try await channel.unary(
                        WorkService.fail, Protobuf.StringValue(value: "x"))
                }
            }
        }
        #expect(sink.lines.map { $0["grpc_status"] } == ["DATA_LOSS"])
    }

    @Test("text from peers is bounded and printable")
    func bounded() {
        #expect(AccessLog.bounded("a\u{0}\"ü%", 100) == "a%00\"%C3%BC%25")
        #expect(AccessLog.bounded("abcdef", 3) == "abc...")
        #expect(AccessLog.bounded("ab\n", 4) == "ab...")
        #expect(AccessLog.milliseconds(.microseconds(1_234_005)) == "1234.005")
    }

    @Test("JSON lines, byte for byte")
    func json() {
        let line = JSONLogHandler.text(
            seconds: 1_700_000_000.25, level: .info, label: "access", message: "a \"b\"\\\n\u{1}",
            metadata: ["z": "ü", "time": "mine", "list": ["a", "b"]]
        )
        #expect(String(decoding: line, as: UTF8.self) == #"""
            {"time":"2023-11-14T22:13:20.250Z","level":"info","logger":"access","message":"a \"b\"\\\n\u0001",\#
            "list":"[\"a\", \"b\"]","_time":"mine","z":"ü"}
            """#.replacing(#"list":"["a", "b"]"#, with: #"list":"[\"a\", \"b\"]"#))
    }

    @Test("times", arguments: [
        (0.0, "1970-01-01T00:00:00.000Z"), (951_782_400, "2000-02-29T00:00:00.000Z"),
        (4_102_444_799.5, "2099-12-31T23:59:59.500Z"),
    ])
    func times(seconds: Double, text: String) {
        #expect(LogTime.text(seconds) == text)
    }
}

/// Keeps the metadata of log lines.
final class LineSink: Sendable {
    private let kept = Mutex<[[String: String]]>([])

    var lines: [[String: String]] { kept.withLock { $0 } }
    var text: String { "\(lines)" }

    var logger: Logger {
        Logger(label: "test", factory: { _ in Handler(sink: self) })
    }

    private struct Handler: LogHandler {
        let sink: LineSink
        var logLevel = Logger.Level.info
        var metadata = Logger.Metadata()
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            let line = (event.metadata ?? [:]).mapValues { "\($0)" }
            sink.kept.withLock { $0.append(line) }
        }
    }
}
