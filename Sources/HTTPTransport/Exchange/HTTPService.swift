/// What a server does with every exchange.
public protocol HTTPService: Sendable {
    /// Begins to serve `exchange`: its head is there, and whatever of the body came in the same read.
    ///
    /// Called on the exchange's event loop, which it must not block. What needs no waiting is best done here: it costs
    /// no task and no suspension point.
    ///
    /// - Returns: nil when the exchange is finished; otherwise what may suspend, run at once on the same event loop.
    func begin(_ exchange: HTTPExchange) -> HTTPExchangeTask?
}

/// The part of serving an exchange that may suspend.
///
/// A base class and not an existential, as ``ExchangeDriver``.
///
/// `@unchecked Sendable`: what is here never changes; each subclass answers for itself.
open class HTTPExchangeTask: @unchecked Sendable {
    public final let exchange: HTTPExchange

    public init(_ exchange: HTTPExchange) { self.exchange = exchange }

    /// Called once. When it returns without having finished the response, the server does that (500 or RST_STREAM).
    open func run() async {}

    /// ``run()`` waits for the first time, or is about to be called by somebody who cannot tell: starts what only those
    /// who wait need, such as a timer for the deadline. On the event loop.
    open func startTimers() {}
}

/// A service as one function. Starts on the exchange's event loop, which it must not block; when it returns without
/// having finished the response, the server does that (500 or RST_STREAM).
public typealias HTTPHandler = @Sendable (HTTPExchange) async -> Void

struct HandlerService: HTTPService {
    let handler: HTTPHandler

    func begin(_ exchange: HTTPExchange) -> HTTPExchangeTask? { HTTPHandlerTask(exchange, handler) }
}

/// An ``HTTPHandler`` at work.
public final class HTTPHandlerTask: HTTPExchangeTask, @unchecked Sendable {
    private let handler: HTTPHandler

    public init(_ exchange: HTTPExchange, _ handler: @escaping HTTPHandler) {
        self.handler = handler
        super.init(exchange)
    }

    public override func run() async { await handler(exchange) }
}
