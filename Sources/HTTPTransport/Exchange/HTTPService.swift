/// What a server does with every exchange.
public protocol HTTPService: Sendable {
    /// Begins to serve `exchange`: its head is there, and whatever of the body came in the same read.
    ///
    /// Called on the exchange's event loop, which it must not block. What needs no waiting is best done here: it costs
    /// no task and no suspension point.
    ///
    /// - Returns: nil when the exchange is finished; otherwise what may suspend, run at once on the same event loop.
    func begin(_ exchange: HTTPExchange) -> (any HTTPExchangeTask)?
}

/// The part of serving an exchange that may suspend.
public protocol HTTPExchangeTask: AnyObject, Sendable {
    var exchange: HTTPExchange { get }
    /// Called once. When it returns without having finished the response, the server does that (500 or RST_STREAM).
    func run() async
}

/// A service as one function. Starts on the exchange's event loop, which it must not block; when it returns without
/// having finished the response, the server does that (500 or RST_STREAM).
public typealias HTTPHandler = @Sendable (HTTPExchange) async -> Void

struct HandlerService: HTTPService {
    let handler: HTTPHandler

    func begin(_ exchange: HTTPExchange) -> (any HTTPExchangeTask)? { HTTPHandlerTask(exchange, handler) }
}

/// An ``HTTPHandler`` at work.
public final class HTTPHandlerTask: HTTPExchangeTask {
    public let exchange: HTTPExchange
    private let handler: HTTPHandler

    public init(_ exchange: HTTPExchange, _ handler: @escaping HTTPHandler) {
        self.exchange = exchange
        self.handler = handler
    }

    public func run() async { await handler(exchange) }
}
