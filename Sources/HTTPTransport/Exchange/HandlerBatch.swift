/// Runs the handlers of the exchanges that one read brought, in one task for as long as none of them suspends: making
/// a task costs as much as the rest of a short call.
///
///     task 1:  a  b  c(suspends) ........ c goes on, then the task ends
///     task 2:           d  e  f
///
/// The first handler that suspends keeps its task for itself, so that cancelling it reaches nobody else; the handlers
/// after it get the next task.
///
/// `@unchecked Sendable`: confined to the event loop. The tasks run on the loop's executor.
final class HandlerBatch: @unchecked Sendable {
    private let exchanges: [HTTPExchange]
    private var nextIndex = 0
    /// The exchange whose handler is running inline right now.
    private var running: HTTPExchange?
    /// Number of the task that may take exchanges; an earlier one belongs to the handler that suspended in it.
    private var taskNumber = 0

    private init(_ exchanges: [HTTPExchange]) {
        self.exchanges = exchanges
    }

    /// Starts the handlers in order; each runs inline until it suspends. On the event loop.
    static func start(_ exchanges: [HTTPExchange], on executor: EventLoopTaskExecutor) {
        let batch = HandlerBatch(exchanges)
        while batch.nextIndex < exchanges.count {
            batch.taskNumber += 1
            let number = batch.taskNumber
            let task = Task.immediate(executorPreference: executor) {
                // Each `await` on this path costs an executor switch even when nothing suspends: as few as can be.
                while let exchange = batch.next(for: number) {
                    guard let handler = exchange.handlerWillRun() else { continue }
                    await handler(exchange)
                    exchange.handlerReturned()
                }
            }
            guard let suspended = batch.running else { continue }
            batch.running = nil
            suspended.handlerDidSuspend(in: task)
        }
    }

    private func next(for number: Int) -> HTTPExchange? {
        guard number == taskNumber else { return nil }
        running = nil
        guard nextIndex < exchanges.count else { return nil }
        let exchange = exchanges[nextIndex]
        nextIndex += 1
        running = exchange
        return exchange
    }
}
