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
    private let works: [HTTPExchangeTask]
    private var nextIndex = 0
    /// The one before `nextIndex` is running inline right now.
    private var isRunning = false
    /// Number of the task that may take exchanges; an earlier one belongs to the exchange that suspended in it.
    private var taskNumber = 0

    private init(_ works: [HTTPExchangeTask]) {
        self.works = works
    }

    /// Begins the exchanges in order; then runs what may suspend, in order, each inline until it does. On the event
    /// loop.
    static func start(_ exchanges: [HTTPExchange], service: any HTTPService, on executor: EventLoopTaskExecutor) {
        var works: [HTTPExchangeTask] = []
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
            guard isRunning else { continue }
            isRunning = false
            let suspended = works[nextIndex - 1]
            suspended.exchange.handlerDidSuspend(in: task)
            suspended.startTimers()
        }
    }

    private func next(for number: Int) -> HTTPExchangeTask? {
        guard number == taskNumber else { return nil }
        isRunning = nextIndex < works.count
        guard isRunning else { return nil }
        nextIndex += 1
        return works[nextIndex - 1]
    }
}
