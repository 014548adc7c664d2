import NIOCore

/// Stops accepting for a second when the operating system refuses a connection, most often because descriptors are out.
///
/// SwiftNIO's own `AcceptBackoffHandler` delays the next `read`, but a read that failed is still pending and its socket
/// still watched: the loop would spin between epoll and accept. Without automatic reading the socket is not watched.
///
/// On the event loop of the listening channel only.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    static let duration: TimeAmount = .seconds(1)
    private var isPaused = false

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is IOError else { return context.fireErrorCaught(error) }
        guard !isPaused else { return }
        isPaused = true
        let options = context.channel.syncOptions
        try? options?.setOption(.autoRead, value: false)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.duration) {
            self.isPaused = false
            try? options?.setOption(.autoRead, value: true)
        }
    }
}
