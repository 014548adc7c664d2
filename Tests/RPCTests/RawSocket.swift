import NIOCore
import NIOPosix

extension TestServer {
    /// Sends a request over HTTP/1.1 whose body never ends, and gives what comes back up to the first blank line.
    func unfinishedRequest(
        _ path: String, type: String = "application/grpc-web+proto", body: [UInt8] = [], expect: Bool = false
    ) async throws -> String {
        let head =
            "POST \(path) HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: \(type)\r\ntransfer-encoding: chunked\r\n"
            + (expect ? "expect: 100-continue\r\n\r\n" : "\r\n")
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let answer = loop.makePromise(of: String.self)
        let channel = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(UntilBlankLine(answer))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        var request = ByteBuffer(string: head)
        if !body.isEmpty {
            request.writeString(String(body.count, radix: 16) + "\r\n")
            request.writeBytes(body)
            request.writeString("\r\n")
        }
        // Its end answers, with what has come until then.
        let timer = loop.scheduleTask(in: .seconds(60)) { channel.close(promise: nil) }
        defer { timer.cancel() }
        try await channel.writeAndFlush(request).get()
        let text = try await answer.futureResult.get()
        try? await channel.close().get()
        return text
    }
}

private final class UntilBlankLine: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var text = ""
    private let answer: EventLoopPromise<String>

    init(_ answer: EventLoopPromise<String>) {
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        text += String(buffer: unwrapInboundIn(data))
        if text.contains("\r\n\r\n") { answer.succeed(text) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.succeed(text)
    }
}
