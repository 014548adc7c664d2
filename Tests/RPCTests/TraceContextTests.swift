import FrameCodec
import Logging
import ServiceContextModule
import Synchronization
import Testing

@testable import RPC

@Suite(.timeLimit(.minutes(5))) struct TraceContextTests {
    static let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test("traceparent is read and written byte for byte")
    func roundTrip() throws {
        let trace = try #require(TraceContext(traceparent: Self.parent))
        #expect(trace.traceID.text == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(trace.spanIDText == "00f067aa0ba902b7")
        #expect(trace.isSampled)
        #expect(trace.traceparent == Self.parent)
        let child = trace.child()
        #expect(child.traceID == trace.traceID)
        #expect(child.spanID != trace.spanID)
        #expect(child.traceparent.count == 55)
        #expect(TraceContext(traceparent: child.traceparent) == child)
        let root = TraceContext.root(isSampled: false)
        #expect(TraceContext(traceparent: root.traceparent) == root)
        #expect(root.traceparent.hasSuffix("-02"))
    }

    @Test("what is accepted", arguments: [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", "00"),
        // Unknown flags are not passed on.
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff", "03"),
        // Later versions: the same fields, and more after a dash.
        ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "01"),
        ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like", "01"),
    ])
    func accepted(text: String, flags: String) throws {
        let trace = try #require(TraceContext(traceparent: text))
        #expect(trace.traceparent == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-\(flags)")
    }

    @Test("what is refused", arguments: [
        "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-ü4bf92f3577b34da6a3ce929d0e0e47-00f067aa0ba902b7-01",
    ])
    func refused(text: String) {
        #expect(TraceContext(traceparent: text) == nil)
    }

    @Test("every cut of a good traceparent is refused")
    func cuts() {
        for count in 0..<Self.parent.count {
            #expect(TraceContext(traceparent: String(Self.parent.prefix(count))) == nil)
        }
    }

    @Test("tracestate is joined, trimmed and passed on", arguments: [
        (["a=1"], "a=1"), (["a=1,b=2"], "a=1,b=2"), (["a=1", "b=2"], "a=1,b=2"), ([" a=1 ,\tb=2 "], "a=1,b=2"),
        (["a=1,,b=2", ""], "a=1,b=2"), (["fw529a3039@dt=x y", "1t@s=z"], "fw529a3039@dt=x y,1t@s=z"),
        (["a_-*/0=!"], "a_-*/0=!"), ([], ""),
        // Broken: the whole list goes.
        (["a=1,a=2"], ""), (["A=1"], ""), (["1a=1"], ""), (["a"], ""), (["a="], ""), (["a=b=c"], ""),
        (["a=\u{1}"], ""), (["a=ü"], ""), (["a@b@c=1"], ""), (["a@=1"], ""), (["@b=1"], ""), (["a@1b=1"], ""),
    ])
    func tracestate(headers: [String], joined: String) throws {
        let trace = try #require(TraceContext(traceparent: Self.parent, tracestate: headers))
        #expect(trace.state == joined)
    }

    @Test("tracestate: 32 members and 512 bytes are the most")
    func tracestateLimits() {
        let members = (0..<33).map { "k\($0)=v" }
        #expect(
            TraceState.joined([members.prefix(32).joined(separator: ",")]) == members.prefix(32).joined(separator: ","))
        #expect(TraceState.joined([members.joined(separator: ",")]) == "")
        let long = "a=" + String(repeating: "x", count: 255) + ",b=" + String(repeating: "y", count: 252)
        #expect(long.utf8.count == 512)
        #expect(TraceState.joined([long]) == long)
        #expect(TraceState.joined([long + "y"]) == "")
        #expect(TraceState.joined(["a=" + String(repeating: "x", count: 257)]) == "")
    }

    /// Keeps what the inner interceptor saw.
    final class Seen: ServerInterceptor {
        let trace = Mutex<(context: TraceContext?, current: TraceContext?)>((nil, nil))
        let log = Mutex<Logger.Metadata>([:])

        func intercept(_ call: ServerCall, context: CallContext, next: CallHandler) async throws {
            let current = ServiceContext.current?.traceContext
            trace.withLock { $0 = (context.serviceContext.traceContext, current) }
            log.withLock { $0 = Logger.MetadataProvider.traceContext.get() }
            try await next(call, context)
        }
    }

    @Test("a call's trace reaches handlers and log lines as a new span", arguments: RPCChannel.Wire.allCases)
    func intercepted(wire: RPCChannel.Wire) async throws {
        let seen = Seen()
        try await TestServer.run(interceptors: [TraceContextInterceptor(), seen]) { server in
            try await server.withChannel(wire) { channel in
                var metadata = Metadata()
                metadata.add("traceparent", Self.parent)
                metadata.add("tracestate", "a=1")
                let _: Protobuf.StringValue = try await channel.unary(
                    EchoService.unary, Protobuf.StringValue(value: "x"), options: CallOptions(metadata: metadata)
                )
            }
        }
        let (context, current) = seen.trace.withLock { $0 }
        #expect(context?.traceID.text == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(context?.spanIDText != "00f067aa0ba902b7")
        #expect(context?.state == "a=1")
        #expect(context == current)
        let log = seen.log.withLock { $0 }
        #expect(log["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(log["span_id"] == "\(context?.spanIDText ?? "")")
    }

    @Test("a client call carries the trace of its task on as a new span", arguments: RPCChannel.Wire.allCases)
    func carriedOn(wire: RPCChannel.Wire) async throws {
        let seen = Seen()
        let trace = try #require(TraceContext(traceparent: Self.parent, tracestate: ["a=1"]))
        try await TestServer.run(interceptors: [TraceContextInterceptor(), seen]) { server in
            try await server.withChannel(wire, configure: { $0.interceptors = [TraceContextInterceptor()] }) {
                channel in
                var context = ServiceContext.topLevel
                context.traceContext = trace
                try await ServiceContext.$current.withValue(context) {
                    let _: Protobuf.StringValue = try await channel.unary(
                        EchoService.unary, Protobuf.StringValue(value: "x")
                    )
                }
            }
        }
        let received = seen.trace.withLock { $0.context }
        #expect(received?.traceID == trace.traceID)
        #expect(received?.state == "a=1")
        #expect(received?.isSampled == true)
    }

    @Test("no traceparent, two of them, or a bad one: no trace", arguments: [[], [parent, parent], ["bad"]])
    func absent(parents: [String]) async throws {
        let seen = Seen()
        try await TestServer.run(interceptors: [TraceContextInterceptor(), seen]) { server in
            try await server.withChannel { channel in
                var metadata = Metadata()
                for parent in parents { metadata.add("traceparent", parent) }
                let _: Protobuf.StringValue = try await channel.unary(
                    EchoService.unary, Protobuf.StringValue(value: "x"), options: CallOptions(metadata: metadata)
                )
            }
        }
        #expect(seen.trace.withLock { $0.context } == nil)
    }
}
