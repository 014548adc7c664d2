import NIOCore

/// One protocol of a client connection. All calls on the event loop.
///
/// Sendable because only references travel; implementations are confined to the event loop.
protocol ClientDriver: AnyObject, Sendable {
    var deadlines: ExchangeDeadlines { get }
    /// Opens an exchange; calls back once, now or when it is this request's turn.
    func start(_ request: StartRequest)
    /// A task that waits for its turn was cancelled.
    func cancelStart(_ ticket: WaitTicket)
    func send(_ bytes: ByteBuffer, _ exchange: HTTPClientExchange)
    /// As ``send(_:_:)``, when ``finish(_:)`` follows at once: nothing needs to be written in between.
    func queue(_ bytes: ByteBuffer, _ exchange: HTTPClientExchange)
    func finish(_ exchange: HTTPClientExchange)
    func isCongested(_ exchange: HTTPClientExchange) -> Bool
    func consumed(_ count: Int, _ exchange: HTTPClientExchange)
    func cancel(_ exchange: HTTPClientExchange)
    /// Takes no new exchanges; closes when the last one has ended.
    func drain()
    /// Closes now; exchanges in progress fail with `.connectionClosed`.
    func close()
    /// Completes when the peer has shown that it speaks the protocol (HTTP/2: its SETTINGS have come).
    func whenReady(_ promise: EventLoopPromise<Void>)
}

/// A request that wants an exchange.
struct StartRequest: Sendable {
    let head: HTTPRequestHead
    let ticket: WaitTicket
    /// The exchange holds a place that a pool has counted; see ``ClientConnectionState/lease()``.
    let isLeased: Bool
    /// Told what arrives, instead of a reader that pulls; see ``HTTPResponseReceiver``.
    let receiver: (any HTTPResponseReceiver)?
    let done: @Sendable (Result<HTTPClientExchange, HTTPStreamError>) -> Void
}

/// Takes a response as it arrives, on the event loop of the connection. For callers that want no task to be
/// woken before the whole answer is there. What arrives counts as consumed: the receiver bounds what it keeps, and
/// cancels the exchange when that is too much.
package protocol HTTPResponseReceiver: AnyObject, Sendable {
    /// The exchange exists; nothing of it has been sent.
    func didStart(_ exchange: HTTPClientExchange)
    func didReceiveHead(_ head: HTTPResponseHead, _ exchange: HTTPClientExchange)
    func didReceiveBody(_ bytes: ByteBuffer, _ exchange: HTTPClientExchange)
    /// Last call, or ``didFail(_:_:)`` is.
    func didReceiveEnd(trailers: HTTPFields?, _ exchange: HTTPClientExchange)
    func didFail(_ error: HTTPStreamError, _ exchange: HTTPClientExchange?)
}
