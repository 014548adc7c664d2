import NIOCore

/// One protocol of a client connection. All calls on the event loop.
///
/// Sendable because only references travel; implementations are confined to the event loop.
protocol ClientDriver: AnyObject, Sendable {
    /// Opens an exchange; calls back once, now or when it is this request's turn.
    func start(
        _ head: HTTPRequestHead, _ ticket: WaitTicket,
        _ done: @escaping @Sendable (Result<HTTPClientExchange, HTTPStreamError>) -> Void
    )
    /// A task that waits for its turn was cancelled.
    func cancelStart(_ ticket: WaitTicket)
    func send(_ bytes: ByteBuffer, _ exchange: HTTPClientExchange)
    func finish(_ exchange: HTTPClientExchange)
    func isCongested(_ exchange: HTTPClientExchange) -> Bool
    func consumed(_ count: Int, _ exchange: HTTPClientExchange)
    func cancel(_ exchange: HTTPClientExchange)
    func close()
}
