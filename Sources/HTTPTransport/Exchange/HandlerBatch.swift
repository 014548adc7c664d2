/// Serves the exchanges that one read brought. What suspends runs in one task for as long as nothing really does:
/// making a task costs as much as the rest of a short call.
///
///     task 1:  a  b  c(suspends) ........ c goes on, then the task ends
///     task 2:           d  e  f
///
/// The first that suspends keeps its task for itself, so that cancelling it reaches nobody else; those after it get the
/// next task.
///
/// `@unchecked Sendable`: confined to the event loop. The tasks run on the loop's executor.
final class HandlerBatch: @unchecked Sendable {
    private let works: [any HTTPExchangeTask]
    private var nextIndex = 0
    /// The exchange whose task is running inline right now.
    private var running: HTTPExchange?
    /// Number of the task that may take exchanges; an earlier one belongs to the exchange that suspended in it.
    private var taskNumber = 0

    private init(_ works: [any HTTPExchangeTask]) {
        self.works = works
    }

    /// Begins the exchanges in order; then runs what may suspend, in order, each inline until it does. On the event
    /// loop.
    static func start(_ exchanges: [HTTPExchange], service: any HTTPService, on executor: EventLoopTaskExecutor) {
        var works: [any HTTPExchangeTask] = []
        for exchange in exchanges where exchange.handlerWillRun() {
            if let work = service.begin(exchange) { works.append(work) } else { exchange.handlerReturned() }
        }
        if !works.isEmpty { HandlerBatch(works).run(on: executor) }
    }

    private func run(on executor: EventLoopTaskExecutor) {
        while nextIndex < works.count {
            taskNumber += 1
            let number = taskNumber
            let task = Task.immediate(executorPreference: executor) {
                // Each `await` on this path costs an executor switch even when nothing suspends: as few as can be.
                while let work = self.next(for: number) {
                    await work.run()
                    work.exchange.handlerReturned()
                }
            }
            guard let suspended = running else { continue }
            running = nil
            suspended.handlerDidSuspend(in: task)
        }
    }

    private func next(for number: Int) -> (any HTTPExchangeTask)? {
        guard number == taskNumber else { return nil }
        running = nil
        guard nextIndex < works.count else { return nil }
        let work = works[nextIndex]
        nextIndex += 1
        running = work.exchange
        return work
    }
}
