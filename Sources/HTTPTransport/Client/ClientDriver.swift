import NIOCore

/// One protocol of a client connection. All calls on the event loop.
///
/// Sendable because only references travel; implementations are confined to the event loop.
protocol ClientDriver: AnyObject, Sendable {
    var deadlines: ExchangeDeadlines { get }
    /// Sends the exchange's head, now or when it is its turn, and tells it by ``HTTPClientExchange/didStart()``; or
    /// refuses it by ``HTTPClientExchange/didNotStart(_:)``.
    func start(_ exchange: HTTPClientExchange)
    func send(_ bytes: ByteBuffer, _ exchange: HTTPClientExchange)
    /// As ``send(_:_:)``, when ``finish(_:)`` follows at once: nothing needs to be written in between.
    func queue(_ bytes: ByteBuffer, _ exchange: HTTPClientExchange)
    func finish(_ exchange: HTTPClientExchange)
    func isCongested(_ exchange: HTTPClientExchange) -> Bool
    func consumed(_ count: Int, _ exchange: HTTPClientExchange)
    /// Of an exchange that runs, or waits for its turn.
    func cancel(_ exchange: HTTPClientExchange)
    /// Wakes who waits for a whole answer, once everything that has arrived with it is handled.
    func wake(_ receiver: any HTTPResponseReceiver)
    /// Takes no new exchanges; closes when the last one has ended.
    func drain()
    /// Closes now; exchanges in progress fail with `.connectionClosed`.
    func close()
    /// Completes when the peer has shown that it speaks the protocol (HTTP/2: its SETTINGS have come).
    func whenReady(_ promise: EventLoopPromise<Void>)
}

/// Takes a response as it arrives, on the event loop of the connection. For callers that want no task to be
/// woken before the whole answer is there. What arrives counts as consumed: the receiver bounds what it keeps, and
/// cancels the exchange when that is too much.
package protocol HTTPResponseReceiver: AnyObject, Sendable {
    func didReceiveHead(_ head: HTTPResponseHead, _ exchange: HTTPClientExchange)
    func didReceiveBody(_ bytes: ByteBuffer, _ exchange: HTTPClientExchange)
    /// The answer is complete. Nothing but ``wake()`` follows; the same holds for ``didFail(_:_:)``.
    func didReceiveEnd(trailers: HTTPFields?, _ exchange: HTTPClientExchange)
    func didFail(_ error: HTTPStreamError, _ exchange: HTTPClientExchange)
    /// Last call: what waits for the end may go on. It comes for all answers of one read together, so that threads that
    /// wait for work are woken once and not for each of them.
    func wake()
}
