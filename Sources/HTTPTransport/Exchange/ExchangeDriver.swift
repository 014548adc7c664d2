import NIOCore

/// The way from an exchange to the protocol that carries it. Everything is called on the event loop.
///
/// A base class and not an existential: these calls are on the path of every request.
class ExchangeDriver {
    /// The reader took that many bytes of the request body.
    func didConsume(_ count: Int, _ exchange: HTTPExchange) {}
    /// The reader found nothing and waits.
    func readerWaits(_ exchange: HTTPExchange) {}
    func isHeadSent(_ exchange: HTTPExchange) -> Bool { true }
    func send(_ bytes: ByteBuffer, _ exchange: HTTPExchange) {}
    /// As ``send(_:_:)``, with `count` bytes that `write` puts in place.
    func send(
        count: Int, _ exchange: HTTPExchange, _ write: (UnsafeMutableRawBufferPointer) throws -> Void
    ) rethrows {
        var bytes = ByteBufferAllocator().buffer(capacity: count)
        try bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { memory in
            try write(UnsafeMutableRawBufferPointer(rebasing: memory.prefix(count)))
            return count
        }
        send(bytes, exchange)
    }
    /// More waits to be sent than should; the exchange's gate is opened when that has changed.
    func isCongested(_ exchange: HTTPExchange) -> Bool { false }
    func finish(_ exchange: HTTPExchange, _ trailers: consuming HTTPFields?) {}
    func reset(_ exchange: HTTPExchange, _ code: HTTP2ErrorCode) {}
    /// Before ``finish(_:_:)``: nobody waits long for what comes.
    func resetWhenStalled(_ exchange: HTTPExchange) {}

    /// The handler returned without an answer, or in the middle of one.
    final func abandoned(_ exchange: HTTPExchange) {
        if !isHeadSent(exchange) {
            exchange.sendHead(exchange.pendingHead ?? HTTPResponseHead(status: 500))
            exchange.finish()
        } else {
            exchange.reset(.internalError)
        }
    }
}
