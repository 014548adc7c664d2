import FrameCodec
import HTTPTransport
import NIOCore
import RPC
import Synchronization
import Testing

/// The same calls over every wire protocol and HTTP version: nothing may differ.
// One after the other: all at once would need more sockets and threads than a small machine has.
@Suite(.serialized, .timeLimit(.minutes(5))) struct CallTests {
    @Test("unary echo", arguments: RPCChannel.Wire.everything)
    func unary(wire: RPCChannel.Wire) async throws {
        try await TestServer.run { server in
            try await server.withChannel(wire) { channel in
                for text in ["", "a", "hé", String(repeating: "x", count: 100_000)] {
                    let answer: Protobuf.StringValue = try await channel.unary(
                        EchoService.unary, Protobuf.StringValue(value: text)
                    )
                    #expect(answer.value == text)
                }
            }
        }
    }

    @Test("many calls at once over one channel", arguments: RPCChannel.Wire.everything)
    func concurrentCalls(wire: RPCChannel.Wire) async throws {
        try await TestServer.run { server in
            try await server.withChannel(wire) { channel in
                let answers = try await withThrowingTaskGroup(of: (Int, String).self) { group in
                    for index in 0..<100 {
                        group.addTask {
                            let answer: Protobuf.StringValue = try await channel.unary(
                                EchoService.unary, Protobuf.StringValue(value: "\(index)")
                            )
                            return (index, answer.value)
                        }
                    }
                    return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
                }
                #expect(answers.count == 100)
                #expect(answers.allSatisfy { "\($0.key)" == $0.value })
            }
        }
    }

    @Test("server streaming", arguments: RPCChannel.Wire.everything)
    func serverStreaming(wire: RPCChannel.Wire) async throws {
        try await TestServer.run { server in
            try await server.withChannel(wire) { channel in
                for count: UInt32 in [0, 1, 1000] {
                    let stream: ResponseStream<Protobuf.UInt32Value> = try await channel.serverStreaming(
                        EchoService.repeated, Protobuf.UInt32Value(value: count)
                    )
                    var seen: [UInt32] = []
                    for try await message in stream { seen.append(message.value) }
                    #expect(seen == Array(0..<count))
                }
            }
        }
    }

    @Test("a handler may read and send off the event loop", arguments: RPCChannel.Wire.everything)
    func detachedHandler(wire: RPCChannel.Wire) async throws {
        try await TestServer.run { server in
            try await server.withChannel(wire) { channel in
                let sent = (0..<20).map { "message \($0)" }
                let call:
                    (requests: RequestWriter<Protobuf.StringValue>, responses: ResponseStream<Protobuf.StringValue>) =
                    try await channel.bidirectionalStreaming(EchoService.detached)
                for text in sent { try await call.requests.send(Protobuf.StringValue(value: text)) }
                await call.requests.finish()
                var seen: [String] = []
                for try await message in call.responses { seen.append(message.value) }
                #expect(seen == sent)
            }
        }
    }

    @Test("an error after messages arrives after the messages", arguments: RPCChannel.Wire.everything)
    func errorAfterMessages(wire: RPCChannel.Wire) async throws {
        try await TestServer.run { server in
            try await server.withChannel(wire) { channel in
                let stream: ResponseStream<Protobuf.UInt32Value> = try await channel.serverStreaming(
                    EchoService.repeated, Protobuf.UInt32Value(value: 7)
                )
                var count = 0
                let error = await #expect(throws: RPCError.self) { for try await _ in stream { count += 1 } }
                #expect(count == 7)
                #expect(error?.code == .dataLoss)
                #expect(error?.message == "after seven")
            }
        }
    }

    @Test("client streaming", arguments: RPCChannel.Wire.everything)
    func clientStreaming(wire: RPCChannel.Wire) async throws {
        try await TestServer.run { server in
            try await server.withChannel(wire) { channel in
                let answer: Protobuf.StringValue = try await channel.clientStreaming(EchoService.joined) {
                    (requests: RequestWriter<Protobuf.StringValue>) in
                    for part in ["one ", "", "two"] { try await requests.send(Protobuf.StringValue(value: part)) }
                }
                #expect(answer.value == "one two")
            }
        }
    }

    @Test("bidirectional streaming answers each message before the next is sent")
    func bidirectional() async throws {
        try await TestServer.run { server in
            try await server.withChannel(.grpc) { channel in
                let (requests, responses): (RequestWriter<Protobuf.StringValue>, ResponseStream<Protobuf.StringValue>) =
                    try await channel.bidirectionalStreaming(EchoService.chat)
                var answers = responses.makeAsyncIterator()
                for text in ["a", "b", "c"] {
                    try await requests.send(Protobuf.StringValue(value: text))
                    let answer = try await answers.next()
                    #expect(answer?.value == "re: " + text)
                }
                await requests.finish()
                let last = try await answers.next()
                #expect(last == nil)
            }
        }
    }

    @Test("S2, S3: status, text with any character, typed details", arguments: RPCChannel.Wire.everything)
    func statusAndDetails(wire: RPCChannel.Wire) async throws {
        try await TestServer.run { server in
            try await server.withChannel(wire) { channel in
                let error = await #expect(throws: RPCError.self) {
                    let _: Protobuf.StringValue = try await channel.unary(
                        EchoService.fail, Protobuf.StringValue(value: "details")
                    )
                }
                #expect(error?.code == .failedPrecondition)
                #expect(error?.message == "needs ünïcode, 100% and\nmore")
                let info = error?.detail(GoogleRPC.ErrorInfo.self)
                #expect(info?.reason == "WHY")
                #expect(info?.metadata == ["key": "value"])
            }
        }
    }

    @Test("S8: an unexpected error is UNKNOWN and its text stays inside", arguments: RPCChannel.Wire.everything)
    func unexpectedError(wire: RPCChannel.Wire) async throws {
        try await TestServer.run { server in
            try await server.withChannel(wire) { channel in
                let error = await #expect(throws: RPCError.self) {
                    let _: Protobuf.StringValue = try await channel.unary(
                        EchoService.fail, Protobuf.StringValue(value: "unexpected")
                    )
                }
                #expect(error?.code == .unknown)
                #expect(error?.message.contains("internal text") == false)
            }
        }
    }

    @Test("S4: an unknown method is UNIMPLEMENTED", arguments: RPCChannel.Wire.everything)
    func unknownMethod(wire: RPCChannel.Wire) async throws {
        try await TestServer.run { server in
            try await server.withChannel(wire) { channel in
                let method = MethodDescriptor(service: "test.Echo", method: "unary", kind: .unary)
                let error = await #expect(throws: RPCError.self) {
                    let _: Protobuf.StringValue = try await channel.unary(method, Protobuf.StringValue())
                }
                #expect(error?.code == .unimplemented)
                // Connect's answer to a path that is no method is a plain 404.
                #expect(wire.protocol == .connect || error?.message.contains("/test.Echo/unary") == true)
            }
        }
    }

    @Test("metadata both ways; M5: -bin values, also several", arguments: RPCChannel.Wire.everything)
    func metadata(wire: RPCChannel.Wire) async throws {
        try await TestServer.run { server in
            try await server.withChannel(wire) { channel in
                var metadata = Metadata()
                metadata.add("x-in", "in")
                metadata.add("x-in-bin", bytes: [0, 255])
                metadata.add("x-in-bin", bytes: [1])
                let call = try await channel.start(EchoService.metadata, options: CallOptions(metadata: metadata))
                try await call.send(Protobuf.StringValue())
                await call.finishSending()
                let answer = try await call.receiveOnly(Protobuf.StringValue.self)
                #expect(answer.value == "[0, 255];[1]")
                #expect(await call.responseMetadata["x-head"] == "in")
                #expect(await call.trailingMetadata["x-tail"] == "tail")
            }
        }
    }

    @Test(
        "P8: a request over the limit is RESOURCE_EXHAUSTED and names the limit", arguments: RPCChannel.Wire.everything)
    func requestTooLarge(wire: RPCChannel.Wire) async throws {
        try await TestServer.run(configure: { $0.maximumRequestMessageByteCount = 100 }) { server in
            try await server.withChannel(wire) { channel in
                let fits: Protobuf.StringValue = try await channel.unary(
                    EchoService.unary, Protobuf.StringValue(value: String(repeating: "x", count: 98))
                )
                #expect(fits.value.count == 98)
                let error = await #expect(throws: RPCError.self) {
                    let _: Protobuf.StringValue = try await channel.unary(
                        EchoService.unary, Protobuf.StringValue(value: String(repeating: "x", count: 99))
                    )
                }
                #expect(error?.code == .resourceExhausted)
                #expect(error?.message.contains("100") == true)
            }
        }
    }

    @Test("the channel connects again after its server went away")
    func reconnect() async throws {
        let port = try await TestServer.run { $0.port }
        try await TestServer(port: port).withChannel { channel in
            let error = await #expect(throws: RPCError.self) {
                let _: Protobuf.StringValue = try await channel.unary(EchoService.unary, Protobuf.StringValue())
            }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("\(port)") == true)
        }
    }
}

// One after the other: all at once would need more sockets and threads than a small machine has.
@Suite(.serialized, .timeLimit(.minutes(5))) struct DeadlineTests {
    @Test("T6: the deadline ends the call and cancels the handler", arguments: RPCChannel.Wire.everything)
    func deadline(wire: RPCChannel.Wire) async throws {
        let probe = HangProbe()
        try await TestServer.run(service: EchoService(hang: probe)) { server in
            try await server.withChannel(wire) { channel in
                let call = Task<Protobuf.StringValue, any Error> {
                    try await channel.unary(
                        EchoService.hang, Protobuf.StringValue(), options: CallOptions(timeout: .seconds(2))
                    )
                }
                let error = await #expect(throws: RPCError.self) { try await call.value }
                #expect(error?.code == .deadlineExceeded)
                // On a very busy machine the deadline may have passed before the handler began.
                if probe.hasStarted { await probe.untilCancelled() }
            }
        }
    }

    @Test("T5: the server's own clamp ends a call whose client set no deadline", arguments: RPCChannel.Wire.everything)
    func serverClamp(wire: RPCChannel.Wire) async throws {
        try await TestServer.run(configure: { $0.maximumUnaryTimeout = .milliseconds(50) }) { server in
            try await server.withChannel(wire, configure: { $0.defaultUnaryTimeout = nil }) { channel in
                let error = await #expect(throws: RPCError.self) {
                    let _: Protobuf.StringValue = try await channel.unary(EchoService.hang, Protobuf.StringValue())
                }
                #expect(error?.code == .deadlineExceeded)
            }
        }
    }

    @Test(
        "T5: a stream's clamp ends it, whatever the client asked for",
        arguments: RPCChannel.Wire.everything.filter { $0.httpProtocol == .http2 }, [nil, Duration.seconds(600)])
    func streamClamp(wire: RPCChannel.Wire, timeout: Duration?) async throws {
        try await TestServer.run(configure: { $0.maximumStreamTimeout = .milliseconds(50) }) { server in
            try await server.withChannel(wire) { channel in
                let (requests, responses):
                    (RequestWriter<Protobuf.StringValue>, ResponseStream<Protobuf.StringValue>) =
                        try await channel.bidirectionalStreaming(
                            EchoService.chat, options: CallOptions(timeout: timeout))
                let error = await #expect(throws: RPCError.self) { for try await _ in responses {} }
                #expect(error?.code == .deadlineExceeded)
                #expect(error?.message == "the call's deadline has passed")
                await requests.finish()
            }
        }
    }

    @Test("T7: cancelling the caller's task cancels the handler", arguments: RPCChannel.Wire.everything)
    func cancellation(wire: RPCChannel.Wire) async throws {
        let probe = HangProbe()
        try await TestServer.run(service: EchoService(hang: probe)) { server in
            try await server.withChannel(wire) { channel in
                let task = Task {
                    let _: Protobuf.StringValue = try await channel.unary(EchoService.hang, Protobuf.StringValue())
                }
                await probe.untilStarted()
                task.cancel()
                await probe.untilCancelled()
                let error = await #expect(throws: RPCError.self) { try await task.value }
                #expect(error?.code == .cancelled)
            }
        }
    }

    @Test("T2: a timeout of zero is over before the handler runs")
    func zero() async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.unary.path,
                headers: [("content-type", "application/grpc-web"), ("grpc-timeout", "0n")], body: [0, 0, 0, 0, 0]
            )
            #expect(response.header("grpc-status") == "4")
        }
    }

    @Test(
        "T3: a malformed timeout is INTERNAL",
        arguments: ["", "1", "m", "1h", "1s", "-1S", "+1S", "1 S", "1.5S", "0x1S", "123456789S", "1SS"])
    func malformed(value: String) async throws {
        try await TestServer.run { server in
            for http in [HTTPClientProtocol.http1, .http2] {
                let response = try await server.post(
                    EchoService.unary.path, over: http,
                    headers: [("content-type", "application/grpc-web"), ("grpc-timeout", value)],
                    body: [0, 0, 0, 0, 0]
                )
                #expect(response.header("grpc-status") == "13")
                #expect(response.header("grpc-message")?.hasPrefix("grpc-timeout must be") == true)
            }
        }
    }

    @Test("M12: a repeated timeout is INTERNAL, even if both say the same")
    func repeated() async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.unary.path,
                headers: [("content-type", "application/grpc-web"), ("grpc-timeout", "1S"), ("grpc-timeout", "1S")],
                body: [0, 0, 0, 0, 0]
            )
            #expect(response.header("grpc-status") == "13")
            #expect(response.header("grpc-message") == "grpc-timeout is given more than once")
        }
    }

    @Test("T1: what the grammar allows is served", arguments: ["1H", "00000001M", "30S", "99999999H", "99999999m"])
    func wellFormed(value: String) async throws {
        try await TestServer.run { server in
            let response = try await server.post(
                EchoService.unary.path,
                headers: [("content-type", "application/grpc-web"), ("grpc-timeout", value)], body: [0, 0, 0, 0, 0]
            )
            #expect(response.text.hasSuffix("grpc-status: 0\r\n"))
        }
    }
}
