import NIOCore

/// The way from an exchange to the protocol that carries it.
enum ExchangeLink {
    case none
    case http1(HTTP1ServerDriver)
    case http2(HTTP2ServerDriver, HTTP2Stream)

    func consumed(_ count: Int, _ exchange: HTTPExchange) {
        switch self {
        case .none: break
        case .http1(let driver): driver.didConsume()
        case .http2(let driver, let stream): driver.didConsume(count, stream)
        }
    }

    func readerWaits(_ exchange: HTTPExchange) {
        if case .http1(let driver) = self { driver.readerWaits() }
    }

    func isHeadSent(_ exchange: HTTPExchange) -> Bool {
        switch self {
        case .none: true
        case .http1(let driver): driver.isHeadWritten
        case .http2(_, let stream): stream.isHeadSubmitted
        }
    }

    func send(_ exchange: HTTPExchange, _ bytes: ByteBuffer) {
        switch self {
        case .none: break
        case .http1(let driver): driver.send(bytes)
        case .http2(let driver, let stream): driver.send(bytes, exchange, stream)
        }
    }

    func isCongested(_ exchange: HTTPExchange) -> Bool {
        switch self {
        case .none: false
        case .http1(let driver): driver.isCongested
        case .http2(let driver, let stream): driver.isCongested(stream)
        }
    }

    func finish(_ exchange: HTTPExchange, _ trailers: HTTPFields?) {
        switch self {
        case .none: break
        case .http1(let driver): driver.finish(trailers)
        case .http2(let driver, let stream): driver.finish(exchange, stream, trailers)
        }
    }

    func reset(_ exchange: HTTPExchange, _ code: HTTP2ErrorCode) {
        switch self {
        case .none: break
        case .http1(let driver): driver.abort()
        case .http2(let driver, let stream): driver.reset(stream, code)
        }
    }

    /// The handler returned without an answer, or in the middle of one.
    func abandoned(_ exchange: HTTPExchange) {
        if !isHeadSent(exchange) {
            exchange.sendHead(exchange.pendingHead ?? HTTPResponseHead(status: 500))
            exchange.finish()
        } else {
            exchange.reset(.internalError)
        }
    }
}
