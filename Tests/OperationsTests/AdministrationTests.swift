import FrameCodec
import RPC
import Testing

@testable import Operations

@Suite(.timeLimit(.minutes(5))) struct AdministrationTests {
    @Test("live connections and streams")
    func live() async throws {
        try await OperatedServer.run { server in
            try await server.withChannel { channel in
                let administration = Administration()
                administration.begin(http: server.http, rpc: server.rpc)
                let context = CallContext(method: AdminServiceMethod.listStreams)
                let (requests, responses): (RequestWriter<Protobuf.StringValue>, ResponseStream<Protobuf.StringValue>) =
                    try await channel.bidirectionalStreaming(
                        WorkService.chat, options: CallOptions(timeout: .seconds(60)))
                var answers = responses.makeAsyncIterator()
                try await requests.send(.init(value: "hello"))
                #expect(try await answers.next()?.value == "hello")

                let connections = try await administration.listConnections(.init(), context: context)
                #expect(connections.totalCount == 1)
                let connection = try #require(connections.connections.first)
                #expect(connection.protocol == "h2")
                #expect(connection.peer.hasPrefix("127.0.0.1:"))
                #expect(connection.streamCount == 1)
                #expect(connection.requestCount == 1)
                #expect(connection.runningHandlerCount == 1)
                #expect(!connection.isTls)
                #expect(!connection.isDraining)

                let streams = try await administration.listStreams(.init(connectionID: connection.id), context: context)
                let stream = try #require(streams.streams.first)
                #expect(streams.totalCount == 1)
                #expect(stream.path == "/test.Work/Chat")
                #expect(stream.receivedByteCount == 12)
                #expect(stream.sentByteCount == 12)
                #expect(stream.handlerState == .running)
                #expect((0...60).contains(stream.timeLeft?.seconds ?? -1))
                let others = try await administration.listStreams(
                    .init(connectionID: connection.id + 1), context: context)
                #expect(others.totalCount == 0)
                await requests.finish()
                #expect(try await answers.next() == nil)
                let isQuiet = await eventually {
                    (try? await administration.listStreams(.init(), context: context).totalCount) == 0
                }
                #expect(isQuiet)
            }
        }
    }

    @Test("a method is switched off and on; calls in progress go on", arguments: RPCChannel.Wire.allCases)
    func methodSwitch(wire: RPCChannel.Wire) async throws {
        try await OperatedServer.run { server in
            try await server.withChannel(wire) { channel in
                let administration = Administration()
                administration.begin(http: server.http, rpc: server.rpc)
                let context = CallContext(method: AdminServiceMethod.setMethodEnabled)
                let path = WorkService.echo.path
                let (requests, responses): (RequestWriter<Protobuf.StringValue>, ResponseStream<Protobuf.StringValue>) =
                    try await channel.bidirectionalStreaming(WorkService.chat)
                // Over HTTP/1.1 the request ends before the answer begins: there is no call in progress to look at.
                let isDuplex = wire.httpProtocol == .http2
                var answers = responses.makeAsyncIterator()
                if isDuplex {
                    try await requests.send(.init(value: "before"))
                    #expect(try await answers.next()?.value == "before")
                }
                _ = try await administration.setMethodEnabled(
                    .init(path: WorkService.chat.path, isEnabled: false), context: context)
                if isDuplex { try await requests.send(.init(value: "after")) }
                await requests.finish()
                if isDuplex {
                    #expect(try await answers.next()?.value == "after")
                    #expect(try await answers.next() == nil)
                }
                let (late, refusal): (RequestWriter<Protobuf.StringValue>, ResponseStream<Protobuf.StringValue>) =
                    try await channel.bidirectionalStreaming(WorkService.chat)
                await late.finish()
                let refused = await #expect(throws: RPCError.self) { for try await _ in refusal {} }
                #expect(refused?.code == .unavailable)
                #expect(refused?.message.contains("/test.Work/Chat is switched off") == true)
                let off = try await administration.setMethodEnabled(
                    .init(path: path, isEnabled: false, reason: "it eats the disk"), context: context
                )
                #expect(off.method?.isEnabled == false)
                let error = await #expect(throws: RPCError.self) {
                    let _: Protobuf.StringValue = try await channel.unary(
                        WorkService.echo, Protobuf.StringValue(value: "x"))
                }
                #expect(error?.code == .unavailable)
                #expect(error?.message == "method /test.Work/Echo is switched off by the operator: it eats the disk")
                let methods = try await administration.listMethods(.init(), context: context).methods
                #expect(methods.contains { $0.path == path && !$0.isEnabled && $0.failedCount == 1 })
                _ = try await administration.setMethodEnabled(.init(path: path, isEnabled: true), context: context)
                let answer: Protobuf.StringValue = try await channel.unary(
                    WorkService.echo, Protobuf.StringValue(value: "x"))
                #expect(answer.value == "x")
            }
        }
    }

    @Test("what cannot be done is refused with the field or the name")
    func refusals() async throws {
        try await OperatedServer.run { server in
            let administration = Administration()
            administration.begin(http: server.http, rpc: server.rpc)
            let context = CallContext(method: AdminServiceMethod.setMethodEnabled)
            let unknown = await #expect(throws: RPCError.self) {
                try await administration.setMethodEnabled(.init(path: "/no/Such"), context: context)
            }
            #expect(unknown?.code == .notFound)
            let long = await #expect(throws: RPCError.self) {
                try await administration.setMethodEnabled(
                    .init(path: WorkService.echo.path, reason: String(repeating: "x", count: 201)), context: context
                )
            }
            #expect(long?.code == .invalidArgument)
            let negative = await #expect(throws: RPCError.self) {
                try await administration.listStreams(.init(limit: -1), context: context)
            }
            #expect(negative?.code == .invalidArgument)
        }
    }
}
