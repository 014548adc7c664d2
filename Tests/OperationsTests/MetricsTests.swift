import FrameCodec
import HTTPTransport
import NIOCore
import NIOPosix
import RPC
import Testing

@testable import Operations

@Suite(.timeLimit(.minutes(5))) struct MetricsTests {
    @Test("the text formats, byte for byte")
    func text() {
        func write(_ format: PrometheusText.Format) -> String {
            var text = PrometheusText(format)
            text.family("a", .counter, "A \"quoted\" \\ help\nof two lines.")
            text.sample("a_total", [("path", "C:\\x\n\"y\" ü")], 3)
            text.family("b", .gauge, "B.")
            text.sample("b", [], -1)
            text.family("c", .histogram, "C.")
            text.histogram(
                "c", [("x", "1")], bounds: [.microseconds(100), .seconds(1)], counts: [2, 0, 1],
                sum: .milliseconds(2500)
            )
            return String(decoding: text.finish(), as: UTF8.self)
        }
        let rest = #"""
            a_total{path="C:\\x\n\"y\" ü"} 3
            # HELP b B.
            # TYPE b gauge
            b -1
            # HELP c C.
            # TYPE c histogram
            c_bucket{x="1",le="0.0001"} 2
            c_bucket{x="1",le="1.0"} 2
            c_bucket{x="1",le="+Inf"} 3
            c_sum{x="1"} 2.5
            c_count{x="1"} 3

            """#
        #expect(write(.prometheus) == #"""
            # HELP a_total A "quoted" \\ help\nof two lines.
            # TYPE a_total counter

            """# + rest)
        #expect(write(.openMetrics) == #"""
            # HELP a A \"quoted\" \\ help\nof two lines.
            # TYPE a counter

            """# + rest + "# EOF\n")
    }

    @Test("seconds are decimal without exponent", arguments: [
        (Duration.zero, "0.0"), (.nanoseconds(1), "0.000000001"), (.seconds(30), "30.0"), (.milliseconds(2500), "2.5"),
    ])
    func seconds(duration: Duration, text: String) {
        #expect(PrometheusText.seconds(duration) == text)
    }

    @Test("calls, messages and bytes are counted by method and status", arguments: RPCChannel.Wire.allCases)
    func counters(wire: RPCChannel.Wire) async throws {
        try await OperatedServer.run { server in
            try await server.withChannel(wire) { channel in
                for text in ["", "abc"] {
                    let _: Protobuf.StringValue = try await channel.unary(
                        WorkService.echo, Protobuf.StringValue(value: text))
                }
                await #expect(throws: RPCError.self) {
                    let _: Protobuf.StringValue = try await channel.unary(
                        WorkService.fail, Protobuf.StringValue(value: "no"))
                }
                await #expect(throws: RPCError.self) {
                    let _: Protobuf.StringValue = try await channel.unary(
                        WorkService.missing, Protobuf.StringValue(value: "no"))
                }
            }
            let echo = try #require(server.statistics(of: WorkService.echo))
            #expect(echo.startedCount == 2)
            #expect(echo.finishedCounts == [.ok: 2])
            #expect(echo.inFlightCount == 0)
            #expect(echo.durationCounts.reduce(0, +) == 2)
            #expect(echo.totalDuration > .zero)
            #expect(echo.requestMessageCount == 2)
            #expect(echo.requestByteCount == 5)
            #expect(echo.responseMessageCount == 2)
            #expect(echo.responseByteCount == 5)
            #expect(server.statistics(of: WorkService.fail)?.finishedCounts == [.dataLoss: 1])
            #expect(server.rpc.statistics.last?.method == nil)
            #expect(server.rpc.statistics.last?.finishedCounts == [.unimplemented: 1])
        }
    }

    @Test("requests that did not become calls are counted by HTTP status")
    func refusals() async throws {
        try await OperatedServer.run { server in
            let client = HTTPClient()
            let base = "http://127.0.0.1:\(server.http.port)"
            for (method, path, type, status) in [
                (HTTPMethod.put, WorkService.echo.path, "application/grpc-web", 405),
                (.post, WorkService.echo.path, "text/plain", 415), (.post, WorkService.echo.path, "text/plain", 415),
                (.post, WorkService.echo.path, "application/grpc", 505), (.get, "/nothing", "", 404),
            ] {
                let response = try await client.execute(
                    HTTPClientRequest(method, base + path, fields: [.contentType: type]))
                #expect(response.status == status)
                _ = try await response.body.collect()
            }
            await client.shutdown()
            #expect(server.rpc.refusedRequestCounts == [404: 1, 405: 1, 415: 2, 505: 1])
            let listener = ServerMetrics.Listener(name: "public", http: server.http, rpc: server.rpc)
            let text = String(decoding: await ServerMetrics([listener]).text().bytes, as: UTF8.self)
            #expect(text.contains("rpc_requests_refused_total{listener=\"public\",status=\"415\"} 2\n"))
        }
    }

    @Test("paths that are no method share one series, whatever peers ask for")
    func cardinality() async throws {
        try await OperatedServer.run { server in
            let before = server.rpc.statistics.count
            try await server.withChannel { channel in
                for number in 0..<50 {
                    let method = MethodDescriptor(service: "made.Up\(number)", method: "M", kind: .unary)
                    await #expect(throws: RPCError.self) {
                        let _: Protobuf.StringValue = try await channel.unary(method, Protobuf.StringValue())
                    }
                }
            }
            #expect(server.rpc.statistics.count == before)
            let listener = ServerMetrics.Listener(name: "public", http: server.http, rpc: server.rpc)
            let text = String(decoding: await ServerMetrics([listener]).text().bytes, as: UTF8.self)
            #expect(!text.contains("made.Up"))
            #expect(text.contains(
                    #"rpc_calls_finished_total{listener="public",service="unknown",method="unknown","#
                        + #"code="UNIMPLEMENTED"} 50"#
            ))
        }
    }

    @Test("the whole page: calls, connections, limits")
    func page() async throws {
        try await OperatedServer.run { server in
            try await server.withChannel { channel in
                let _: Protobuf.StringValue = try await channel.unary(
                    WorkService.echo, Protobuf.StringValue(value: "x"))
                var states = try await HealthClient(channel: channel).watch(.init()).makeAsyncIterator()
                _ = try await states.next()
                let listener = ServerMetrics.Listener(name: "public", http: server.http, rpc: server.rpc)
                let page = await ServerMetrics([listener]).text(
                    accept: "application/openmetrics-text;version=1.0.0,*/*;q=0.1")
                #expect(page.contentType == "application/openmetrics-text; version=1.0.0; charset=utf-8")
                let text = String(decoding: page.bytes, as: UTF8.self)
                for line in [
                    #"rpc_calls_started_total{listener="public",service="test.Work",method="Echo"} 1"#,
                    #"rpc_calls_in_flight{listener="public",service="grpc.health.v1.Health",method="Watch"} 1"#,
                    #"http_connections_open{listener="public",protocol="h2"} 1"#,
                    #"http_connections_accepted_total{listener="public"} 1"#,
                    #"http_requests_total{listener="public"} 2"#,
                    #"http_streams_open{listener="public"} 1"#,
                    #"http_handlers_running{listener="public"} 1"#,
                    #"rpc_method_enabled{listener="public",service="test.Work",method="Echo"} 1"#,
                    "# TYPE rpc_calls_started counter",
                ] {
                    #expect(text.contains(line + "\n"), "\(line)")
                }
                #expect(text.hasSuffix("# EOF\n"))
            }
        }
    }

    @Test("H2d: calls of a peer that answers no keepalive PING end as CANCELLED, and the limit is counted")
    func silentPeer() async throws {
        let sink = LineSink()
        var configuration = HTTPServerConfiguration()
        configuration.timeouts.keepaliveInterval = .milliseconds(50)
        configuration.timeouts.keepaliveTimeout = .milliseconds(50)
        let log = AccessLog(logger: sink.logger)
        try await OperatedServer.run(observer: log, httpConfiguration: configuration) { server in
            let peer = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: server.http.port).get()
            try await peer.writeAndFlush(ByteBuffer(bytes: Self.openCall)).get()
            #expect(await eventually { server.statistics(of: WorkService.chat)?.finishedCounts == [.cancelled: 1] })
            #expect(server.statistics(of: WorkService.chat)?.inFlightCount == 0)
            #expect(await eventually { server.http.runningHandlerCount == 0 })
            let listener = ServerMetrics.Listener(name: "public", http: server.http, rpc: server.rpc)
            let text = String(decoding: await ServerMetrics([listener]).text().bytes, as: UTF8.self)
            #expect(text.contains(#"http_limit_hits_total{listener="public",limit="keepaliveTimeout"} 1"# + "\n"))
            try? await peer.close().get()
        }
        #expect(sink.lines.map { $0["grpc_status"] } == ["CANCELLED"])
        #expect(sink.lines.first?["error"]?.contains("HTTPTimeouts.keepaliveTimeout = 0.05 seconds") == true)
    }

    /// Preface, SETTINGS and the head of a call whose requests go on (RFC 9113, RFC 7541), by hand.
    private static var openCall: [UInt8] {
        func string(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + Array(text.utf8) }
        let fields = [
            (":path", WorkService.chat.path), (":authority", "x"), ("content-type", "application/grpc"),
            ("te", "trailers"),
        ]
        // POST and http are in the static table.
        let block: [UInt8] = [0x83, 0x86] + fields.flatMap { [0] + string($0) + string($1) }
        return Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]
            + [0, 0, UInt8(block.count), 1, 4, 0, 0, 0, 1] + block
    }
}
