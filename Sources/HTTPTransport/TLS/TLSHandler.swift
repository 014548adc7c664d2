import NIOCore

/// Joins a ``TLSEngine`` to NIO, between the socket and the HTTP drivers.
///
/// On a server the connection is told at once that it is active (limits and timers act during the handshake), and later
/// by the event ``TLSHandshakeCompleted``. On a client nothing above exists before the handshake is over: `completion`
/// adds the driver of the protocol that ALPN has chosen, and only then does the channel become active for it.
///
/// Nothing is queued here. What is written is encrypted and handed on at once, so the channel's writability and the
/// drivers' limits count the same bytes as in clear text; reading waits when the drivers want no more.
///
/// Not Sendable: on the event loop of its channel only.
final class TLSHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    typealias Completion = @Sendable (Result<TLSSession, TLSError>) -> Void

    /// Records that answer the peer's own (key updates, alerts) and that it does not take: more is an attack.
    static let unreadAnswerByteCount = 16 * 1024

    private let engine: TLSEngine
    private var completion: Completion?
    private let timeout: TimeAmount?
    private let readBuffer: LoopReadBuffer?
    private var timer: Scheduled<Void>?
    private var isActive = false
    private var unreadAnswers = 0
    private var hasFailed = false

    private var isClient: Bool { !engine.context.isServer }

    init(server engine: TLSEngine, _ readBuffer: LoopReadBuffer? = nil) {
        self.engine = engine
        self.readBuffer = readBuffer
        timeout = nil
    }

    /// - Parameter completion: called once, on the event loop.
    init(client engine: TLSEngine, timeout: TimeAmount, completion: @escaping Completion) {
        self.engine = engine
        self.timeout = timeout
        readBuffer = nil
        self.completion = completion
    }

    // MARK: Life

    func channelActive(context: ChannelHandlerContext) {
        guard isClient else { return context.fireChannelActive() }
        isActive = true
        if let timeout {
            let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
            timer = context.eventLoop.scheduleTask(in: timeout) {
                let (handler, context) = bound.value
                handler.fail(
                    TLSError(.timeout, "no TLS handshake within \(Double(timeout.nanoseconds) / 1e9) s"), context)
            }
        }
        do throws(TLSError) {
            try engine.start()
            flushOutput(context)
        } catch {
            fail(error, context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        if engine.phase == .handshaking {
            complete(.failure(.endedInHandshake))
        } else if engine.phase == .open, isClient, !engine.hasPeerEnded {
            context.fireErrorCaught(TLSError.truncated)
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        complete(.failure(TLSError(.truncated, ErrorText.describe(error))))
        context.fireErrorCaught(error)
    }

    /// Also when the socket could not even connect.
    func handlerRemoved(context: ChannelHandlerContext) { complete(.failure(.endedInHandshake)) }

    private func complete(_ result: Result<TLSSession, TLSError>) {
        timer?.cancel()
        timer = nil
        let completion = completion
        self.completion = nil
        completion?(result)
    }

    /// The engine's alert leaves; what still comes is dropped. The connection above decides how long that goes on.
    private func fail(_ error: TLSError, _ context: ChannelHandlerContext) {
        guard !hasFailed else { return }
        hasFailed = true
        flushOutput(context)
        guard completion == nil else {
            complete(.failure(error))
            return context.close(promise: nil)
        }
        context.fireErrorCaught(error)
    }

    // MARK: Input

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !hasFailed else { return }
        let records = unwrapInboundIn(data)
        readBuffer?.didRead(records)
        var plaintext = ByteBuffer()
        let wasOpen = engine.phase == .open
        let hadEnded = engine.hasPeerEnded
        var failure: TLSError?
        do throws(TLSError) {
            try records.withUnsafeReadableBytes { bytes throws(TLSError) in
                try engine.receive(bytes, into: &plaintext)
            }
        } catch {
            failure = error
        }
        countAnswers(context)
        flushOutput(context)
        if !wasOpen, let session = engine.session { didCompleteHandshake(session, context) }
        if plaintext.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(plaintext)) }
        if let failure {
            fail(failure, context)
        } else if unreadAnswers > Self.unreadAnswerByteCount {
            fail(
                TLSError(.protocolViolation, "the peer asks for answers (key updates, alerts) and does not take them"),
                context)
        } else if engine.hasPeerEnded, !hadEnded {
            didReceiveEnd(context)
        }
    }

    private func countAnswers(_ context: ChannelHandlerContext) {
        unreadAnswers = context.channel.isWritable ? 0 : unreadAnswers + engine.output.readableBytes
    }

    private func didCompleteHandshake(_ session: TLSSession, _ context: ChannelHandlerContext) {
        guard isClient else {
            return context.fireUserInboundEventTriggered(TLSHandshakeCompleted(session: session))
        }
        complete(.success(session))
        if isActive, context.channel.isActive { context.fireChannelActive() }
    }

    /// The peer's end is told like the end of a clear-text socket. A client has no use for a connection then.
    private func didReceiveEnd(_ context: ChannelHandlerContext) {
        if isClient {
            close(context: context, mode: .all, promise: nil)
        } else {
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
    }

    // MARK: Output

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let bytes = unwrapOutboundIn(data)
        // An empty buffer marks a place in the stream of bytes; it is no record.
        guard bytes.readableBytes > 0 else { return context.write(data, promise: promise) }
        guard !hasFailed else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        do throws(TLSError) {
            try bytes.withUnsafeReadableBytes { bytes throws(TLSError) in try engine.send(bytes) }
            context.write(wrapOutboundOut(takeOutput()), promise: promise)
        } catch {
            promise?.fail(error)
            fail(error, context)
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode != .input, !hasFailed {
            engine.end()
            flushOutput(context)
        }
        context.close(mode: mode, promise: promise)
    }

    private func takeOutput() -> ByteBuffer {
        var output = ByteBuffer()
        swap(&output, &engine.output)
        return output
    }

    private func flushOutput(_ context: ChannelHandlerContext) {
        guard engine.output.readableBytes > 0 else { return }
        context.writeAndFlush(wrapOutboundOut(takeOutput()), promise: nil)
    }
}

/// Sent up the pipeline of a server connection when its handshake is over.
struct TLSHandshakeCompleted: Sendable {
    let session: TLSSession
}
