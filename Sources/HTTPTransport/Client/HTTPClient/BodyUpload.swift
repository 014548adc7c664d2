/// A streamed request body on its way out, beside the response that comes in.
final class BodyUpload: Sendable {
    private let task: Task<(any Error)?, Never>

    init(_ exchange: HTTPClientExchange, _ write: @escaping @Sendable (HTTPBodyWriter) async throws -> Void) {
        task = Task {
            do {
                try await write(HTTPBodyWriter(exchange: exchange))
                exchange.finish()
                return nil
            } catch is HTTPStreamError {
                // The exchange knows already.
                return nil
            } catch {
                exchange.cancel()
                return error
            }
        }
    }

    func cancel() { task.cancel() }

    /// What the caller's own function threw, once it has ended.
    var failure: (any Error)? { get async { await task.value } }
}
